// The bytes of an order on disk: sealed, since an order names customers until it is done.
#include "base/byte_stream.h"
#include "crypto/aead.h"
#include "ledger/erasure.h"

namespace stillwatch::ledger {
namespace {

constexpr std::string_view kMagic = "sworder1";

void put_scope(base::ByteWriter& out, const KeyScope& scope) {
  out.put(static_cast<std::uint8_t>(scope.kind));
  out.put(static_cast<std::uint8_t>(scope.retention));
  out.put(scope.period);
}

bool take_class(base::ByteReader& in, RetentionClass& out) {
  const auto value = in.get<std::uint8_t>();
  out = static_cast<RetentionClass>(value % kRetentionClasses);
  return value < kRetentionClasses;
}

bool take_scope(base::ByteReader& in, KeyScope& scope) {
  const auto kind = in.get<std::uint8_t>();
  scope.kind = kind == 0 ? KeyKind::pseudonym : KeyKind::payload;
  const bool known = take_class(in, scope.retention);
  scope.period = in.get<std::int64_t>();
  return known && kind <= 1;
}

// A count that the bytes that are left can hold: a reader that fails ends every loop.
template <class Take>
bool take_list(base::ByteReader& in, Take take) {
  const auto count = in.get<std::uint64_t>();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    if (!take()) return false;
  }
  return in.ok();
}

std::string write_plain(const ErasureOrder& order) {
  base::ByteWriter out;
  out.put_bytes(order.id);
  out.put(static_cast<std::uint8_t>(order.kind));
  out.put(order.record.id);
  out.put(order.record.key);
  for (const std::string* text : {&order.line_id, &order.tenant, &order.who, &order.why}) out.put_bytes(*text);
  out.put(order.profile.days);
  out.put(order.placed_us);
  out.put(std::uint64_t{order.names.size()});
  for (const std::string& name : order.names) out.put_bytes(name);
  out.put(std::uint64_t{order.files.size()});
  for (const ErasureFile& file : order.files) {
    out.put_bytes(file.path);
    out.put(static_cast<std::uint8_t>(file.rule));
    out.put(static_cast<std::uint8_t>(file.retention));
    out.put(file.first_day);
    out.put(file.last_day);
  }
  out.put(std::uint64_t{order.plan.size()});
  for (const PlannedKey& key : order.plan) {
    put_scope(out, key.scope);
    out.put(key.id);
    out.put(key.records);
  }
  return out.take();
}

}  // namespace

base::Result<ErasureOrder> parse_order(std::string_view plain) {
  base::ByteReader in(plain);
  ErasureOrder order;
  order.id = std::string(in.get_bytes());
  const auto kind = in.get<std::uint8_t>();
  order.kind = static_cast<OrderKind>(kind % 3);
  order.record.id = in.get<RecordId>();
  order.record.key = in.get<KeyId>();
  for (std::string* text : {&order.line_id, &order.tenant, &order.who, &order.why}) *text = std::string(in.get_bytes());
  order.profile.days = in.get<decltype(order.profile.days)>();
  order.placed_us = in.get<std::int64_t>();
  bool known = kind < 3;
  known &= take_list(in, [&] {
    order.names.emplace_back(in.get_bytes());
    return true;
  });
  known &= take_list(in, [&] {
    ErasureFile& file = order.files.emplace_back();
    file.path = std::string(in.get_bytes());
    const auto rule = in.get<std::uint8_t>();
    file.rule = rule == 0 ? FileRule::lines : FileRule::remove;
    const bool is_class = take_class(in, file.retention);
    file.first_day = in.get<std::int64_t>();
    file.last_day = in.get<std::int64_t>();
    return is_class && rule <= 1;
  });
  known &= take_list(in, [&] {
    PlannedKey& key = order.plan.emplace_back();
    const bool is_scope = take_scope(in, key.scope);
    key.id = in.get<KeyId>();
    key.records = in.get<std::uint64_t>();
    return is_scope;
  });
  if (!known || !in.ok() || !in.at_end()) return base::fail(base::Fault::input, "it is no order");
  return order;
}

std::string seal_order(const ErasureOrder& order, const Key32& key) {
  std::string out(kMagic);
  crypto::aead_seal(key, write_plain(order), kMagic, out);
  return out;
}

base::Result<ErasureOrder> open_order(std::string_view bytes, const Key32& key) {
  std::string plain;
  if (!bytes.starts_with(kMagic) || !crypto::aead_open(key, bytes.substr(kMagic.size()), kMagic, plain)) {
    return base::fail(base::Fault::input, "it is damaged");
  }
  return parse_order(plain);
}

}  // namespace stillwatch::ledger
