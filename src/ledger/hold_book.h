// Legal holds: what may not be erased, for which case, by whose order.
//
// Invariant: a hold ends only by its name; the file names no customer, only keyed hashes under the root key of the key
// book, and a changed byte of it is found. A file that cannot be read stops every erasure. Threads: one user; erasure
// asks on its own thread; several processes may change the file. Cost: the file is read at the start, and read again
// and rewritten at each change. Format: docs/reference/ledger-files.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/folder_lock.h"
#include "base/result.h"
#include "ledger/key_book.h"

namespace stillwatch::ledger {

struct Hold {
  std::string name;               // what releases it: 1-64 of A-Z a-z 0-9 . _ -
  std::string case_id;            // of the matter; at most 128 bytes
  std::string who, why;           // at most 256 bytes each
  std::vector<NameTag> subjects;  // tenants; none means everybody
  std::int64_t from_day = 0;      // days of the records, both included
  std::int64_t until_day = 0;
  std::int64_t placed_us = 0;
  std::int64_t released_us = 0;  // 0 while it holds
  std::string released_by, released_why;
  bool holds() const { return released_us == 0; }
};

struct HoldRequest {
  std::string name, case_id, who, why;
  std::vector<std::string> subjects;  // tenants, as the vault and the pseudonyms name them; none: everybody
  std::int64_t from_day = 0, until_day = 0;
};

/// What to log as a `hold` leaf.
struct HoldChange {
  Hold hold;
  bool released = false;
  Hash32 terms{};          // SHA-256 of the hold's line in the file, as it was placed
  std::uint64_t keys = 0;  // live keys that it keeps from erasure, at this time
};

class HoldBook {
 public:
  /// The file is made at the first hold.
  static base::Result<HoldBook> open(const std::string& path, KeyBook& book);

  /// Caller error for a name that was used before, or a field that is empty or too long.
  base::Result<HoldChange> place(const HoldRequest& request);
  /// Caller error when there is no such hold, or it was released already.
  base::Result<HoldChange> release(std::string_view name, std::string_view who, std::string_view why);

  /// The first hold that keeps something of these names on a day from `from_day` to `until_day`; nothing when none
  /// does.
  const Hold* keeping(const std::vector<NameTag>& tags, std::int64_t from_day, std::int64_t until_day) const;
  /// All holds on these days, whoever they name: what is erased for everybody at once must be asked so.
  std::vector<const Hold*> keeping_any(std::int64_t from_day, std::int64_t until_day) const;
  const std::vector<Hold>& holds() const { return holds_; }

 private:
  HoldBook(std::string path, KeyBook& book) : path_(std::move(path)), book_(&book) {}
  base::Status read();
  base::Result<base::FolderLock> begin_change();
  base::Status write(const std::vector<Hold>& holds) const;
  std::string path_;
  KeyBook* book_;
  std::vector<Hold> holds_;
  std::string unsettled_;  // name of a hold whose writing failed
};

/// The bytes of a hold file and back; errors name the line. `key` authenticates the whole file.
std::string write_holds(const std::vector<Hold>& holds, const Key32& key);
base::Result<std::vector<Hold>> parse_holds(std::string_view bytes, const Key32& key);

}  // namespace stillwatch::ledger
