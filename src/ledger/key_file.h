// The bytes of the files of a key book: the root file, the index, and one file of keys a scope.
//
// Invariant: every bit is authenticated under the root key (of the root file: by a checksum), so that a changed one is
// found; a reader never trusts a length before that. Pure functions: bytes in, values out.
// Threads: pure functions. Cost: about 1 µs a record. Format: docs/reference/ledger-files.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/key_book.h"

namespace stillwatch::ledger {

using FileId = Id16;

inline constexpr std::size_t kKeyHeadBytes = 80;
inline constexpr std::size_t kKeyRecordBytes = 144;
inline constexpr std::size_t kReasonBytesMax = 55;         // what a tombstone has room for; longer reasons are cut
inline constexpr std::size_t kIndexBytesMax = 64U << 20;   // 600,000 scopes: 500 years of three classes
inline constexpr std::size_t kKeyFileBytesMax = 2U << 30;  // 14 million tenants in one day
inline constexpr std::size_t kRootFileBytesMax = 16U << 10;

/// The root file: what the master key wraps, and what tells whether it is the right one.
struct RootFile {
  std::string wrapped;
  Hash32 check{};
};
std::string write_root(const RootFile& root);
/// Input error that says what is wrong.
base::Result<RootFile> parse_root(std::string_view bytes);
/// What `check` must be for a root key.
Hash32 root_check(const Key32& root);

/// A file of keys begins with its head.
struct KeyFileHead {
  KeyScope scope;
  FileId file{};
};
std::string write_head(const KeyFileHead& head, const Key32& key);
base::Result<KeyFileHead> parse_head(std::string_view bytes, const Key32& key);

/// A key, or the tombstone of one.
struct KeyRecord {
  NameTag tenant{};
  KeyFate fate;
  Key32 key;  // zero unless live
};
void append_record(std::string& out, const KeyFileHead& head, const KeyRecord& record, const Key32& key);
/// Of exactly kKeyRecordBytes.
base::Result<KeyRecord> parse_record(std::string_view bytes, const KeyFileHead& head, const Key32& key);

/// What the index knows of a scope.
struct IndexEntry {
  KeyScope scope;
  FileId file{};
  bool destroyed = false;         // as a whole
  std::uint32_t records_min = 0;  // as many were there when the index was written
  std::int64_t destroyed_us = 0;
  std::string reason;
};
std::string write_index(const std::vector<IndexEntry>& entries, const Key32& key);
base::Result<std::vector<IndexEntry>> parse_index(std::string_view bytes, const Key32& key);

/// "content-2026-11-28.keys", "pseudonym-2026-11.keys"; and back, strictly.
std::string file_name_of(const KeyScope& scope);
std::optional<KeyScope> scope_named(std::string_view name);
/// At most kReasonBytesMax bytes, cut between characters, without control characters.
std::string cut_reason(std::string_view reason);

}  // namespace stillwatch::ledger
