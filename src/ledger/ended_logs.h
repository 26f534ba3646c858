// Logs of a ledger that have ended and are followed by another: whose entries go when they are past their time.
//
// Invariant: entries go in two steps, minimum index first and files second, and hashes never, so that every proof still
// verifies. The caller logs the `erase` leaf between the two: whatever stops it, the next look finds a log that is
// raised and still has files, so that a leaf may be written twice and is never left out.
// Threads: one user; readers, and writers of other logs, go on. Cost: a log is opened, and one entry read.
// Spec: C2SP tlog-tiles, "Pruning".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace stillwatch::ledger {

struct EndedLog {
  std::string folder, origin;
  std::uint64_t size = 0;
  std::int64_t last_day = 0;  // of its `close` leaf; not told when `is_raised`
  bool is_raised = false;     // its minimum index is its size: only files are still to go
};

/// Those of all shards that still have files of entries, oldest first in each shard.
base::Result<std::vector<EndedLog>> ended_logs(const std::string& ledger_folder);
/// The day of its oldest record, for holds: reads all entries.
base::Result<std::int64_t> first_day_of(const EndedLog& log);
/// From now on no reader gives an entry. Environment error when something else works on the log, such as fsck.
base::Status raise_minimum(const EndedLog& log);
/// Removes the files of entries of a log whose minimum index was raised.
base::Status remove_entries(const EndedLog& log);

}  // namespace stillwatch::ledger
