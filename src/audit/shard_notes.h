// The newest checkpoint of every shard log, and of those that ended and are not anchored yet.
//
// Invariant: a checkpoint is in every manifest until one with a newer size of its log, or of the log after it, was
// anchored: so the final checkpoint of a month is anchored too. Threads: any. Cost: one note a log under a mutex.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/anchor.h"

namespace stillwatch::audit {

class ShardNotes {
 public:
  /// What is on the disk of one shard. The first time the newest two logs (older ones were anchored long ago), later
  /// all that have come since. `origin_prefix`: "<host>/audit/<shard>".
  base::Status take_up(std::size_t shard, const std::string& ledger_folder, const std::string& shard_name,
                       const std::string& origin_prefix);
  /// A checkpoint was published.
  void put(std::size_t shard, const std::string& origin, const std::string& note);

  /// For a manifest.
  base::Result<std::vector<ledger::ManifestLog>> all() const;
  /// These are anchored now: logs among them that have ended are forgotten.
  void anchored(const std::vector<ledger::ManifestLog>& logs);
  /// The present log's; an empty note when it has none yet.
  struct Newest {
    std::string origin, note;
  };
  Newest newest(std::size_t shard) const;

 private:
  struct Entry {
    std::size_t shard = 0;
    std::string note;
    bool has_ended = false;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;               // by origin; these two under the mutex
  std::map<std::size_t, std::set<std::string>> done_;  // origins of a shard that need no further anchor
};

}  // namespace stillwatch::audit
