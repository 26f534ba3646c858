// Checks every byte of a log's files against its signed checkpoint and against each other.
//
// Invariant: any flipped bit, missing byte or missing file up to the committed size is a finding that names the file
// and the offset (for entries: the index too). Reads only; a writer must not run on the folder (it takes the lock).
// Threads: one user. Cost: one pass over all files, about 0.5 µs an entry.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/log_store.h"

namespace stillwatch::ledger {

struct FsckFinding {
  std::string file;                    // relative to the log's folder
  std::uint64_t offset = 0;            // first byte that is wrong or missing, as near as can be told
  std::optional<std::uint64_t> index;  // entry
  std::string what;
};

struct FsckReport {
  std::string origin;
  std::uint64_t size = 0, signed_size = 0, index_min = 0;
  std::uint64_t entries_checked = 0, bytes_checked = 0;
  std::uint64_t tail_bytes = 0;       // behind what is committed: of a batch that a crash cut short
  std::vector<FsckFinding> findings;  // at most findings_max
  std::uint64_t findings_more = 0;
};

struct FsckOptions {
  std::string signed_path;   // as in LogStoreOptions
  bool check_leaves = true;  // each entry must be a leaf that read_leaf() takes
  std::size_t findings_max = 100;
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;  // entries
};

/// Environment error only when the folder cannot be read at all or a writer holds it.
base::Result<FsckReport> fsck(const std::string& folder, const FsckOptions& options = {});

}  // namespace stillwatch::ledger
