// What a key book has in memory, and its steps on disk; of the .cc files of key_book.h only.
//
// Invariant: the index is written after the file that it names, and before a scope's file goes; so every state that a
// crash can leave is one that open() finishes. Threads: under KeyBook's mutex. Cost: see key_book.h.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/folder_lock.h"
#include "ledger/durable_files.h"
#include "ledger/key_book.h"
#include "ledger/key_file.h"

namespace stillwatch::ledger {

struct TagHash {
  // Tags are keyed hashes: any part of one is uniform.
  std::size_t operator()(const NameTag& tag) const {
    std::size_t out;
    static_assert(sizeof out <= sizeof tag);
    std::memcpy(&out, tag.data(), sizeof out);
    return out;
  }
};

/// A scope's file, read.
struct ScopeKeys {
  KeyFileHead head;
  std::vector<KeyRecord> records;
  std::unordered_map<NameTag, std::size_t, TagHash> by_tenant;
  std::optional<AppendFile> file;  // to append to; none of a read-only book
  bool unsynced = false;
  std::uint64_t used = 0;  // when, counted in uses
};

struct KeyBook::State {
  std::string folder;
  KeyBookOptions options;
  std::optional<base::FolderLock> lock;
  Key32 root, record_key, tag_key;
  std::map<KeyScope, IndexEntry> index;
  std::map<KeyScope, ScopeKeys> loaded;
  std::uint64_t uses = 0;
  std::int64_t last_us = 0;
  std::atomic<bool> has_unsynced = false;
  std::atomic<std::uint64_t> generation = 0;
  KeyBookCounts counts;
  mutable std::mutex mutex;

  base::Status open(KeyWrapper& master);
  base::Status open_root(KeyWrapper& master);
  base::Status open_index();
  base::Status finish_interrupted();
  base::Status must_write() const;
  Key32 derive(std::string_view purpose) const;
  std::int64_t now_us();
  std::string path_of(const KeyScope& scope) const { return folder + "/" + file_name_of(scope); }
  std::string book_path() const { return folder + "/book"; }
  std::string index_path() const { return folder + "/index"; }

  /// Null when the scope has no file and none shall be made. The pointer holds until the next load().
  base::Result<ScopeKeys*> load(const KeyScope& scope, bool make);
  base::Result<ScopeKeys> read(const KeyScope& scope, const IndexEntry& entry);
  base::Status make_scope(const KeyScope& scope);
  void let_go_of_oldest();
  base::Status write_index_with(const IndexEntry& entry);

  base::Result<KeyAnswer> answer(const KeyScope& scope, const NameTag& tenant, bool make);
  KeyAnswer answer_of(const KeyRecord& record) const;
  /// The index entry of a scope that was destroyed as a whole.
  const IndexEntry* gone(const KeyScope& scope) const;
  KeyFate fate_of(const IndexEntry& entry) const;
  base::Status sync();

  /// Rewrites a scope's file with tombstones in place of live records that go, and one more for a tenant without a key.
  /// After an error `keys` may be gone.
  base::Status bury(ScopeKeys& keys, std::string_view reason, const std::function<bool(const KeyRecord&)>& goes,
                    const NameTag* absent);
  base::Status bury_scope(const KeyScope& scope, std::string_view reason);
  base::Status remove_buried(const KeyScope& scope);
  base::Result<std::vector<std::string>> check();
};

}  // namespace stillwatch::ledger
