// What a shard's logs hold already, for a feed that goes on after a restart; and the mark that says since when.
//
// Invariant: each leaf found is matched once: a thing that is given twice and stands there once is written once more.
// Leaves with an id of their own are told apart by it, others by their bytes without the time.
// Threads: one user. Cost: a scan of the logs since the mark, about 1 GB/s; 16 bytes a leaf.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "ledger/leaf.h"

namespace stillwatch::audit {

/// A place in the logs of a shard, and what was deployed there.
struct FeedMark {
  std::string base_origin;  // where the feed began: what its decisions rest on starts there. Empty: with the first log
  std::uint64_t base_index = 0;
  std::optional<ledger::Hash32> base_state;  // that the inputs from there on are applied to; none: the beginning
  std::string origin;                        // everything given before is before this place. Empty: nothing was
  std::uint64_t index = 0;
  std::string policy;  // bytes of the last policy leaf, empty when there was none
};
std::string text_of(const FeedMark& mark);
/// Input error for anything that text_of() did not make.
base::Result<FeedMark> parse_mark(std::string_view text);

struct ShardLog {
  std::string folder, origin;
  std::uint64_t size = 0;  // that its checkpoint covers
};
/// The logs of one shard, oldest first.
base::Result<std::vector<ShardLog>> logs_of_shard(const std::string& ledger_folder, std::string_view shard);
/// The month of a log, as 202611, by its origin; 0 when that has none.
std::int32_t month_of_log(std::string_view origin);

class RecalledLeaves {
 public:
  /// Reads from the mark's place on; without one all. False: the mark is of no log here.
  base::Result<bool> read(const std::vector<ShardLog>& logs, const FeedMark& mark);
  /// Decisions alone, from one mark (from the first log on when it is of none here) to another (null: to the end).
  base::Status read_decisions(const std::vector<ShardLog>& logs, const FeedMark& from, const FeedMark* until);
  /// True, and one less, when such a leaf is there.
  bool take(const ledger::Id16& id);
  bool take_alike(std::string_view leaf);
  std::size_t size() const { return size_; }
  /// Something but decisions is there that was not given again yet.
  bool has_records() const { return size_ > decisions_; }
  /// Decisions may come later than the records that they rest on.
  void forget_records();

 private:
  struct IdHash {
    std::size_t operator()(const ledger::Id16& id) const;
  };
  void add(std::string_view leaf);
  base::Status scan(const ShardLog& log, std::uint64_t from, std::uint64_t to, bool decisions_only);
  std::unordered_map<ledger::Id16, std::uint32_t, IdHash> counts_;
  std::unordered_map<ledger::Id16, std::uint32_t, IdHash> decision_counts_;
  std::size_t size_ = 0, decisions_ = 0;  // of all, and of decisions
};

}  // namespace stillwatch::audit
