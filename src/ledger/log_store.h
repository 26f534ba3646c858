// One transparency log on disk, written: recover, append durably, sign, close.
//
// Invariants: what append() returned is on the disk and survives anything; a signed size is never taken back and never
// signed with another root; after an error the store is closed to further writes until reopen(), which is the same code
// as a start. Order of a commit: entries, fdatasync; new state written aside, fdatasync, rename, fsync of the folder
// (the commit point); `signed` replaced in the same way after comparing with what was signed last; then `checkpoint`.
// Threads: one user; one process a folder (a lock; a second writer is refused).
// Cost: three syncs a batch, two more a checkpoint; hashing about 0.3 µs an entry. Start: the last segment is hashed
// again, at most 65,536 entries. Spec: C2SP tlog-tiles; the files are described in docs/internals/ledger.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/ed25519.h"
#include "ledger/leaf.h"

namespace stillwatch::ledger {

/// Seed of a log's key.
using KeySeed = crypto::Ed25519Seed;

struct LogStoreOptions {
  std::string signed_path;  // the last signed checkpoint; empty: `signed` in the folder. Better on other storage
};

class LogStore {
 public:
  /// A new, empty log. The folder is made; caller error when a log is there already.
  /// `origin` is also the key's name (C2SP signed-note: not empty, no white space, no '+').
  static base::Result<LogStore> create(const std::string& folder, std::string_view origin, const KeySeed& seed,
                                       const LogStoreOptions& options = {});
  /// Continues a log. Environment error that names file and offset when bytes up to the committed size are damaged or
  /// missing, when the state is older than the last signed checkpoint, when another writer has the folder; caller error
  /// when the seed is not the log's.
  static base::Result<LogStore> open(const std::string& folder, const KeySeed& seed,
                                     const LogStoreOptions& options = {});
  LogStore(LogStore&&) noexcept;
  LogStore& operator=(LogStore&&) noexcept;
  ~LogStore();

  /// Appends all or nothing and commits; gives the index of the first. Caller error, nothing written, for an entry over
  /// kEntryBytesMax or a closed log. After any other error: whether they are in is known after reopen(), from size().
  base::Result<std::uint64_t> append(std::span<const std::string_view> entries);
  /// The same, and the log takes no further entries: the same commit says so. All files are synced.
  base::Result<std::uint64_t> append_and_close(std::span<const std::string_view> entries);
  /// Signs the committed size and publishes it as `checkpoint`; nothing is written when it is signed already.
  /// Gives the signed note.
  base::Result<std::string> sign();
  /// After an error: recovers as open() does, keeping the folder's lock.
  base::Status reopen();
  /// Drops whole segments of entries before `index_min`, which becomes the minimum index (rounded down to a segment; of
  /// a closed log up to its size). Hashes stay, so that every proof still verifies. Gives the new minimum index.
  base::Result<std::uint64_t> prune(std::uint64_t index_min);

  const std::string& folder() const;
  const std::string& origin() const;
  const std::string& vkey() const;
  std::uint64_t size() const;         // committed
  std::uint64_t signed_size() const;  // of the last signed checkpoint; 0 also when none was signed
  Hash32 root() const;                // of size()
  bool is_closed() const;
  bool is_broken() const;  // an error happened; reopen() first

  struct Counters {
    std::uint64_t entries = 0, entry_bytes = 0, batches = 0, checkpoints = 0;  // since this object was made
    std::uint64_t syncs = 0;                                                   // fsync and fdatasync
    std::uint64_t tail_bytes_cut = 0;  // written but not committed, cut off at a start
    std::uint64_t failures = 0, reopened = 0;
  };
  const Counters& counters() const;

 private:
  struct Impl;
  explicit LogStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Hash by which the next log's `open` leaf names this one: SHA-256 of a checkpoint's text without its signatures.
Hash32 checkpoint_text_hash(std::string_view note);

}  // namespace stillwatch::ledger
