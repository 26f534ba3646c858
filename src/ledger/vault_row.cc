#include "ledger/vault_row.h"

#include "base/byte_stream.h"

namespace stillwatch::ledger {
namespace {

constexpr char kRow = 'r';
constexpr char kMoved = 'm';

template <std::size_t N>
std::string_view text_of(const std::array<std::uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

}  // namespace

std::string row_prefix(const KeyId& key) { return std::string(1, kRow).append(text_of(key)); }

std::string row_key(const RecordName& record) { return row_prefix(record.key).append(text_of(record.id)); }

std::optional<RecordName> record_of_row(std::string_view key) {
  RecordName record;
  if (key.size() != 1 + record.key.size() + record.id.size() || key.front() != kRow) return std::nullopt;
  std::copy_n(key.begin() + 1, record.key.size(), reinterpret_cast<char*>(record.key.data()));
  std::copy_n(key.begin() + 1 + record.key.size(), record.id.size(), reinterpret_cast<char*>(record.id.data()));
  return record;
}

std::string moved_key(const RecordId& id) { return std::string(1, kMoved).append(text_of(id)); }

std::string write_row_head(const VaultRow& row) {
  base::ByteWriter out;
  out.put(static_cast<std::uint8_t>(row.state));
  out.put(static_cast<std::uint8_t>(row.place.scope.retention));
  out.put(std::uint16_t{0});
  out.put(row.place.number);
  out.put(row.place.offset);
  out.put(row.place.bytes);
  out.put(static_cast<std::int32_t>(row.place.scope.period));
  out.put(row.account);
  return out.take();
}

std::string row_associated(const RecordName& record, std::string_view head) { return row_key(record).append(head); }

base::Result<VaultRow> parse_row(std::string_view value) {
  base::ByteReader in(value);
  const auto state = in.get<std::uint8_t>();
  const auto retention = in.get<std::uint8_t>();
  (void)in.get<std::uint16_t>();
  VaultRow row;
  row.place.number = in.get<std::uint32_t>();
  row.place.offset = in.get<std::uint64_t>();
  row.place.bytes = in.get<std::uint32_t>();
  const auto day = in.get<std::int32_t>();
  row.account = in.get<NameTag>();
  const bool live = state == static_cast<std::uint8_t>(RowState::live);
  const bool erasing = state == static_cast<std::uint8_t>(RowState::erasing);
  if (!in.ok() || (!live && !erasing) || value.size() != (live ? kRowBytes : kRowHeadBytes) ||
      retention >= kPayloadClasses || day < 0 || row.place.bytes > kPayloadBytesMax + (1U << 10)) {
    return base::fail(base::Fault::input, "it is no row of a record");
  }
  row.state = static_cast<RowState>(state);
  row.place.scope = KeyScope::payload(static_cast<RetentionClass>(retention), day);
  row.wrapped = std::string(value.substr(kRowHeadBytes));
  return row;
}

std::string write_moved(const KeyId& key) { return std::string(text_of(key)); }

base::Result<KeyId> parse_moved(std::string_view value) {
  KeyId key;
  if (value.size() != key.size()) return base::fail(base::Fault::input, "it is no row of a moved record");
  std::copy(value.begin(), value.end(), reinterpret_cast<char*>(key.data()));
  return key;
}

}  // namespace stillwatch::ledger
