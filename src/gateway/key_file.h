// API keys: which account, key id and tier a presented key stands for, from a file of hashes.
//
// Invariant: no key is kept or written anywhere, only its SHA-256; a look-up compares all 32 bytes and does not end
// early; a table never changes after it was read (reload: read another one and swap the pointer).
// Threads: const use from any number. Cost: 0.1 µs (the hash) and a cache miss or two a look-up; 250 B a key.
// The file: one JSON object a line, docs/reference/gateway-configuration.md:
//   {"v":1,"key_sha256":"<64 hex digits>","key":"key_19","account":"acct_7f3a","tier":"standard","org":"org_1",
//    "expires":"2027-..."}
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::gateway {

inline constexpr std::size_t kApiKeyBytesMax = 512;          // real keys have < 200. Longer: unknown
inline constexpr std::size_t kKeysMax = 4'000'000;           // 1 GB. Further: the file is refused
inline constexpr std::size_t kKeyFileBytesMax = 2ULL << 30;  // ~500 B a key at kKeysMax. Longer: the file is refused

using KeyDigest = std::array<std::uint8_t, 32>;

struct KeyEntry {
  std::string key, account;  // ids, not secrets
  std::string tier;          // empty: the default tier
  std::string organisation;  // empty: none
  std::int64_t expires_us = INT64_MAX;
};

class KeyFile {
 public:
  /// No keys.
  KeyFile() = default;
  /// Caller error naming file and line of each bad line (the first 20), and of a hash that comes twice.
  static base::Result<KeyFile> read(const std::string& path);
  static base::Result<KeyFile> parse(std::string_view text, const std::string& path);

  /// The entry of a presented key; nullptr when it is unknown. Whether it expired is the caller's to see.
  const KeyEntry* find(std::string_view api_key) const;
  const KeyEntry* find(const KeyDigest& digest) const;
  std::size_t size() const { return entries_.size(); }
  /// In the order of the file.
  std::span<const KeyEntry> entries() const { return entries_; }

 private:
  struct Slot {
    KeyDigest digest;
    std::uint32_t entry;
  };
  std::vector<Slot> slots_;           // sorted by digest
  std::vector<std::uint32_t> first_;  // by the top 16 bits of the digest: where its slots begin
  std::vector<KeyEntry> entries_;
};

KeyDigest digest_of_key(std::string_view api_key);
/// The line of the file for a new key, without its newline.
std::string key_line(std::string_view api_key, const KeyEntry& entry);

/// The key in "Bearer KEY" (any case of the word) or the bare value of x-api-key; empty when there is none.
std::string_view bearer_key(std::string_view authorization);

}  // namespace stillwatch::gateway
