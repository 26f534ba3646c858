#include "gateway/key_file.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/event_time.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "crypto/sha256.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;
namespace dom = simdjson::dom;

constexpr std::size_t kLineBytesMax = 4'096;  // five ids of 128 bytes, escaped, and a hash
constexpr std::size_t kProblemsShown = 20;    // what a person reads

std::optional<KeyDigest> digest_from_hex(std::string_view hex) {
  KeyDigest digest;
  std::size_t length = 0;
  if (hex.size() != 2 * digest.size() ||
      sodium_hex2bin(digest.data(), digest.size(), hex.data(), hex.size(), nullptr, &length, nullptr) != 0 ||
      length != digest.size()) {
    return std::nullopt;
  }
  return digest;
}

// Absent or null, or a text that may stand for an id.
bool read_name(const dom::object& object, const char* key, bool required, std::string& out) {
  dom::element element;
  std::string_view text;
  if (object.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) return !required;
  if (element.get(text) != simdjson::SUCCESS || text.empty() || text.size() > base::limits::kIdBytesMax) return false;
  out = text;
  return true;
}

/// What is wrong with the line; nullptr: nothing.
const char* read_line(dom::parser& parser, std::string_view line, KeyDigest& digest, KeyEntry& entry) {
  if (line.size() > kLineBytesMax) return "the line is longer than 4096 bytes";
  dom::object object;
  if (parser.parse(line.data(), line.size()).get(object) != simdjson::SUCCESS) return "no JSON object";
  std::uint64_t version = 0;
  if (object.at_key("v").get(version) != simdjson::SUCCESS || version != 1) return "v must be 1";
  std::string_view text;
  if (object.at_key("key_sha256").get(text) != simdjson::SUCCESS) return "key_sha256 is missing";
  const auto parsed = digest_from_hex(text);
  if (!parsed) return "key_sha256 must be 64 hexadecimal digits";
  digest = *parsed;
  if (!read_name(object, "key", true, entry.key)) return "key must be an id of at most 128 bytes";
  if (!read_name(object, "account", true, entry.account)) return "account must be an id of at most 128 bytes";
  if (!read_name(object, "tier", false, entry.tier)) return "tier must be a name of at most 128 bytes";
  if (!read_name(object, "org", false, entry.organisation)) return "org must be an id of at most 128 bytes";
  dom::element expires;
  if (object.at_key("expires").get(expires) == simdjson::SUCCESS && !expires.is_null()) {
    if (expires.get(text) != simdjson::SUCCESS) return "expires must be a time (RFC 3339)";
    const auto time = base::parse_time(text);
    if (!time) return "expires must be a time (RFC 3339)";
    entry.expires_us = *time;
  }
  return nullptr;
}

/// Looks at all bytes, whatever they are; in four words, since libsodium's own goes byte by byte through memory.
bool are_equal(const KeyDigest& a, const KeyDigest& b) {
  std::array<std::uint64_t, sizeof(KeyDigest) / 8> left, right;
  std::memcpy(left.data(), a.data(), sizeof left);
  std::memcpy(right.data(), b.data(), sizeof right);
  const std::uint64_t different =
      (left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2]) | (left[3] ^ right[3]);
  return different == 0;
}

std::size_t bucket_of(const KeyDigest& digest) { return static_cast<std::size_t>(digest[0]) << 8 | digest[1]; }

}  // namespace

KeyDigest digest_of_key(std::string_view api_key) {
  static_assert(std::is_same_v<KeyDigest, crypto::Sha256Digest>);
  return crypto::sha256(api_key);
}

base::Result<KeyFile> KeyFile::parse(std::string_view text, const std::string& path) {
  KeyFile file;
  dom::parser parser;
  std::vector<std::string> problems;
  std::size_t problems_count = 0;
  std::vector<std::size_t> line_of_entry;
  const auto problem = [&](std::size_t line, std::string_view what) {
    if (++problems_count <= kProblemsShown) problems.push_back(fmt::format("{}:{}: {}", path, line, what));
  };
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    if (file.entries_.size() >= kKeysMax) {
      return base::fail(Fault::caller, fmt::format("{} has more than {} keys", path, kKeysMax));
    }
    Slot slot{};
    KeyEntry entry;
    if (const char* wrong = read_line(parser, line, slot.digest, entry); wrong != nullptr) {
      problem(line_number, wrong);
      continue;
    }
    slot.entry = static_cast<std::uint32_t>(file.entries_.size());
    file.slots_.push_back(slot);
    file.entries_.push_back(std::move(entry));
    line_of_entry.push_back(line_number);
  }
  std::sort(file.slots_.begin(), file.slots_.end(), [](const Slot& left, const Slot& right) {
    return left.digest != right.digest ? left.digest < right.digest : left.entry < right.entry;
  });
  for (std::size_t i = 1; i < file.slots_.size(); ++i) {
    if (file.slots_[i].digest != file.slots_[i - 1].digest) continue;
    problem(line_of_entry[file.slots_[i].entry],
            fmt::format("the same key_sha256 as in line {}", line_of_entry[file.slots_[i - 1].entry]));
  }
  if (problems_count > 0) {
    std::string message;
    for (const std::string& line : problems) message += line + "\n";
    if (problems_count > problems.size()) message += fmt::format("and {} more\n", problems_count - problems.size());
    return base::fail(Fault::caller, message + "see docs/reference/gateway-configuration.md, Key file");
  }
  file.first_.assign((1U << 16) + 1, 0);
  for (const Slot& slot : file.slots_) ++file.first_[bucket_of(slot.digest) + 1];
  std::partial_sum(file.first_.begin(), file.first_.end(), file.first_.begin());
  return file;
}

base::Result<KeyFile> KeyFile::read(const std::string& path) {
  STILLWATCH_TRY(text, base::read_file(path, kKeyFileBytesMax));
  return parse(text, path);
}

const KeyEntry* KeyFile::find(const KeyDigest& digest) const {
  if (slots_.empty()) return nullptr;
  // All slots that share 16 bits are looked at, whatever matches: how long it takes tells nothing about the rest.
  const std::size_t bucket = bucket_of(digest);
  const KeyEntry* found = nullptr;
  for (std::size_t i = first_[bucket]; i < first_[bucket + 1]; ++i) {
    if (are_equal(slots_[i].digest, digest)) found = &entries_[slots_[i].entry];
  }
  return found;
}

const KeyEntry* KeyFile::find(std::string_view api_key) const {
  if (api_key.empty() || api_key.size() > kApiKeyBytesMax) return nullptr;
  return find(digest_of_key(api_key));
}

std::string key_line(std::string_view api_key, const KeyEntry& entry) {
  const KeyDigest digest = digest_of_key(api_key);
  char hex[2 * sizeof(KeyDigest) + 1];
  sodium_bin2hex(hex, sizeof hex, digest.data(), digest.size());
  std::string line = fmt::format(R"({{"v":1,"key_sha256":"{}")", hex);
  const auto text = [&](const char* name, std::string_view value) {
    if (value.empty()) return;
    line += fmt::format(",\"{}\":", name);
    base::append_json_string(line, value);
  };
  text("key", entry.key);
  text("account", entry.account);
  text("tier", entry.tier);
  text("org", entry.organisation);
  if (entry.expires_us != INT64_MAX) text("expires", base::format_time(entry.expires_us));
  return line + "}";
}

std::string_view bearer_key(std::string_view authorization) {
  const auto trim = [](std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
  };
  std::string_view text = trim(authorization);
  const std::size_t blank = text.find_first_of(" \t");
  if (blank == std::string_view::npos) return text;
  constexpr std::string_view kBearer = "bearer";
  const std::string_view scheme = text.substr(0, blank);
  if (scheme.size() != kBearer.size()) return {};
  for (std::size_t i = 0; i < kBearer.size(); ++i) {
    if ((scheme[i] | 0x20) != kBearer[i]) return {};
  }
  text = trim(text.substr(blank));
  return text.find_first_of(" \t") == std::string_view::npos ? text : std::string_view();
}

}  // namespace stillwatch::gateway
