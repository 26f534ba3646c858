#include "ledger/key_file.h"

#include <fmt/format.h>

#include "base/base64.h"
#include "base/byte_stream.h"
#include "base/event_time.h"
#include "base/json_text.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kHeadMagic = "swkeys1\n";
constexpr std::string_view kIndexMagic = "swindex1";
constexpr std::string_view kRootTitle = "stillwatch-key-book 1\n";
constexpr std::size_t kHeadPlainBytes = 40;    // of the head: everything that is not its seal
constexpr std::size_t kRecordPlainBytes = 32;  // of a record: what can be read without the root key
constexpr std::size_t kRecordSealedBytes = 72;
static_assert(kHeadPlainBytes + crypto::kAeadOverheadBytes == kKeyHeadBytes);
static_assert(kRecordPlainBytes + kRecordSealedBytes + crypto::kAeadOverheadBytes == kKeyRecordBytes);
static_assert(2 * sizeof(std::int64_t) + 1 + kReasonBytesMax == kRecordSealedBytes);

tl::unexpected<base::Error> wrong(std::string what) { return base::fail(Fault::input, std::move(what)); }

template <std::size_t N>
std::string_view text_of(const std::array<std::uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

void wipe_text(std::string& text) { crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}); }

std::string head_plain(const KeyFileHead& head) {
  std::string out(kHeadMagic);
  out += static_cast<char>(head.scope.kind);
  out += static_cast<char>(head.scope.retention);
  out.append(6, '\0');
  base::ByteWriter number;
  number.put(head.scope.period);
  out += number.bytes();
  out += text_of(head.file);
  return out;
}

bool is_scope(std::uint8_t kind, std::uint8_t retention, std::int64_t period) {
  if (kind == static_cast<std::uint8_t>(KeyKind::pseudonym)) {
    return retention == 0 && period >= 1970'01 && period <= 2260'12 && period % 100 >= 1 && period % 100 <= 12;
  }
  constexpr std::int64_t kDayMax = 106'000;  // in 2260, the last whole year of event time
  return kind == static_cast<std::uint8_t>(KeyKind::payload) && retention < kPayloadClasses && period >= 0 &&
         period <= kDayMax;
}

}  // namespace

std::string write_root(const RootFile& root) {
  const auto base64 = [](std::string_view bytes) {
    return base::base64_encode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  };
  std::string out(kRootTitle);
  out += "wrapped " + base64(root.wrapped) + "\n";
  out += "check " + base64(text_of(root.check)) + "\n";
  return out + "sum " + crypto::sha256_hex(out) + "\n";
}

base::Result<RootFile> parse_root(std::string_view bytes) {
  const std::size_t sum_at = bytes.rfind("sum ");
  if (!bytes.starts_with(kRootTitle) || sum_at == std::string_view::npos ||
      bytes.substr(sum_at) != "sum " + crypto::sha256_hex(bytes.substr(0, sum_at)) + "\n") {
    return wrong("its checksum does not fit");
  }
  std::string_view lines = bytes.substr(kRootTitle.size(), sum_at - kRootTitle.size());
  const auto take = [&](std::string_view name) -> std::optional<std::vector<std::uint8_t>> {
    const std::size_t end = lines.find('\n');
    if (!lines.starts_with(name) || end == std::string_view::npos) return std::nullopt;
    const std::string_view text = lines.substr(name.size(), end - name.size());
    lines.remove_prefix(end + 1);
    return base::base64_decode(text);
  };
  const auto wrapped = take("wrapped ");
  const auto check = take("check ");
  RootFile out;
  if (!wrapped || !check || check->size() != out.check.size() || !lines.empty())
    return wrong("its lines are not those of a root file");
  out.wrapped.assign(wrapped->begin(), wrapped->end());
  std::copy(check->begin(), check->end(), out.check.begin());
  return out;
}

Hash32 root_check(const Key32& root) {
  return crypto::hmac_sha256(root.view(), {std::string_view("aud1 book check\0", 16)});
}

std::string write_head(const KeyFileHead& head, const Key32& key) {
  std::string out = head_plain(head);
  const std::string plain = out;
  crypto::aead_seal(key, "", plain, out);
  return out;
}

base::Result<KeyFileHead> parse_head(std::string_view bytes, const Key32& key) {
  if (bytes.size() < kKeyHeadBytes) return wrong("it is shorter than its head");
  if (!bytes.starts_with(kHeadMagic)) return wrong("it does not begin as a file of keys");
  std::string nothing;
  const std::string_view plain = bytes.substr(0, kHeadPlainBytes);
  if (!crypto::aead_open(key, bytes.substr(kHeadPlainBytes, crypto::kAeadOverheadBytes), plain, nothing)) {
    return wrong("its head is damaged");
  }
  base::ByteReader reader(plain.substr(kHeadMagic.size()));
  const auto kind = reader.get<std::uint8_t>();
  const auto retention = reader.get<std::uint8_t>();
  (void)reader.get<std::array<std::uint8_t, 6>>();
  KeyFileHead head;
  head.scope.period = reader.get<std::int64_t>();
  head.file = reader.get<FileId>();
  if (!is_scope(kind, retention, head.scope.period)) return wrong("its head names no scope");
  head.scope.kind = static_cast<KeyKind>(kind);
  head.scope.retention = static_cast<RetentionClass>(retention);
  return head;
}

void append_record(std::string& out, const KeyFileHead& head, const KeyRecord& record, const Key32& key) {
  const std::size_t begin = out.size();
  out += static_cast<char>(record.fate.state);
  out.append(3, '\0');
  out += text_of(record.fate.id);
  out += text_of(record.tenant);
  base::ByteWriter inner;
  inner.put(record.fate.created_us);
  if (record.fate.state == KeyState::live) {
    inner.put(std::int64_t{0});
    std::array<std::uint8_t, 1 + kReasonBytesMax> rest{};
    std::copy(record.key.view().begin(), record.key.view().end(), rest.begin());
    inner.put(rest);
    crypto::wipe(rest);
  } else {
    const std::string reason = cut_reason(record.fate.reason);
    inner.put(record.fate.destroyed_us);
    inner.put(static_cast<std::uint8_t>(reason.size()));
    std::array<char, kReasonBytesMax> text{};
    std::copy(reason.begin(), reason.end(), text.begin());
    inner.put(text);
  }
  const std::string associated = head_plain(head) + out.substr(begin, kRecordPlainBytes);
  std::string plain = inner.take();
  crypto::aead_seal(key, plain, associated, out);
  wipe_text(plain);
}

base::Result<KeyRecord> parse_record(std::string_view bytes, const KeyFileHead& head, const Key32& key) {
  if (bytes.size() != kKeyRecordBytes) return wrong("a record is cut off");
  const std::string associated = head_plain(head).append(bytes.substr(0, kRecordPlainBytes));
  std::string plain;
  plain.reserve(kRecordSealedBytes);
  if (!crypto::aead_open(key, bytes.substr(kRecordPlainBytes), associated, plain)) return wrong("a record is damaged");
  base::ByteReader outer(bytes);
  const auto state = outer.get<std::uint8_t>();
  (void)outer.get<std::array<std::uint8_t, 3>>();
  KeyRecord record;
  record.fate.id = outer.get<KeyId>();
  record.tenant = outer.get<NameTag>();
  if (state != static_cast<std::uint8_t>(KeyState::live) && state != static_cast<std::uint8_t>(KeyState::destroyed)) {
    return wrong("a record is neither a key nor a tombstone");
  }
  record.fate.state = static_cast<KeyState>(state);
  base::ByteReader inner(plain);
  record.fate.created_us = inner.get<std::int64_t>();
  record.fate.destroyed_us = inner.get<std::int64_t>();
  if (record.fate.state == KeyState::live) {
    const auto bytes_of_key = inner.get<std::array<std::uint8_t, 32>>();
    record.key = Key32(std::span<const std::uint8_t, 32>(bytes_of_key));
  } else {
    const std::size_t size = std::min<std::size_t>(inner.get<std::uint8_t>(), kReasonBytesMax);
    const auto text = inner.get<std::array<char, kReasonBytesMax>>();
    record.fate.reason.assign(text.data(), size);
  }
  wipe_text(plain);
  return record;
}

std::string write_index(const std::vector<IndexEntry>& entries, const Key32& key) {
  base::ByteWriter inner;
  inner.put(static_cast<std::uint32_t>(entries.size()));
  for (const IndexEntry& entry : entries) {
    inner.put(static_cast<std::uint8_t>(entry.scope.kind));
    inner.put(static_cast<std::uint8_t>(entry.scope.retention));
    inner.put(static_cast<std::uint8_t>(entry.destroyed));
    inner.put(entry.scope.period);
    inner.put(entry.file);
    inner.put(entry.records_min);
    inner.put(entry.destroyed_us);
    inner.put_bytes(cut_reason(entry.reason));
  }
  std::string out(kIndexMagic);
  crypto::aead_seal(key, inner.bytes(), kIndexMagic, out);
  return out;
}

base::Result<std::vector<IndexEntry>> parse_index(std::string_view bytes, const Key32& key) {
  std::string plain;
  if (!bytes.starts_with(kIndexMagic) ||
      !crypto::aead_open(key, bytes.substr(kIndexMagic.size()), kIndexMagic, plain)) {
    return wrong("it is damaged");
  }
  base::ByteReader reader(plain);
  const auto count = reader.get<std::uint32_t>();
  constexpr std::size_t kEntryBytesMin = 47;
  if (count > plain.size() / kEntryBytesMin) return wrong("it names more scopes than it has room for");
  std::vector<IndexEntry> entries;
  entries.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    IndexEntry entry;
    const auto kind = reader.get<std::uint8_t>();
    const auto retention = reader.get<std::uint8_t>();
    entry.destroyed = reader.get<std::uint8_t>() != 0;
    entry.scope.period = reader.get<std::int64_t>();
    entry.file = reader.get<FileId>();
    entry.records_min = reader.get<std::uint32_t>();
    entry.destroyed_us = reader.get<std::int64_t>();
    entry.reason = std::string(reader.get_bytes());
    if (!reader.ok() || !is_scope(kind, retention, entry.scope.period)) return wrong("an entry of it cannot be read");
    entry.scope.kind = static_cast<KeyKind>(kind);
    entry.scope.retention = static_cast<RetentionClass>(retention);
    entries.push_back(std::move(entry));
  }
  if (!reader.at_end()) return wrong("it is longer than its entries");
  return entries;
}

std::string file_name_of(const KeyScope& scope) {
  if (scope.kind == KeyKind::pseudonym) {
    return fmt::format("pseudonym-{:04}-{:02}.keys", scope.period / 100, scope.period % 100);
  }
  const std::string day = base::format_time(scope.period * base::kDayUs).substr(0, 10);
  return fmt::format("{}-{}.keys", name_of(scope.retention), day);
}

std::optional<KeyScope> scope_named(std::string_view name) {
  constexpr std::string_view kEnd = ".keys";
  if (!name.ends_with(kEnd)) return std::nullopt;
  const std::string_view stem = name.substr(0, name.size() - kEnd.size());
  const std::size_t dash = stem.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view kind = stem.substr(0, dash);
  const bool month = kind == "pseudonym";
  const auto time = base::parse_time(std::string(stem.substr(dash + 1)) + (month ? "-01T00:00:00Z" : "T00:00:00Z"));
  if (!time) return std::nullopt;
  KeyScope scope = KeyScope::pseudonym(month_of_day(day_of(*time)));
  if (!month) {
    const auto retention = retention_class_named(kind);
    if (!retention || !is_payload(*retention)) return std::nullopt;
    scope = KeyScope::payload(*retention, day_of(*time));
  }
  return file_name_of(scope) == name ? std::optional(scope) : std::nullopt;
}

std::string cut_reason(std::string_view reason) {
  std::string out;
  while (!reason.empty()) {
    const std::size_t size = base::utf8_length(reason);
    if (out.size() + std::max<std::size_t>(size, 1) > kReasonBytesMax) break;
    const bool plain = size > 0 && static_cast<unsigned char>(reason.front()) >= 0x20 && reason.front() != 0x7F;
    plain ? out.append(reason.substr(0, size)) : out.append("?");
    reason.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

}  // namespace stillwatch::ledger
