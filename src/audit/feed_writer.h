// The part of a feed that makes leaves and writes them, one thing after the other.
//
// Invariant: what is under a new key is appended after the key is on the disk; a decision after the checkpoint that it
// names is signed. After an error of the disk the same step is done again until it works or the port says to give up;
// what is given up is counted. Internal to this module.
// Threads: one user; the counters from any. Cost: see record_feed.h.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/leaf_maker.h"
#include "audit/recalled_leaves.h"
#include "audit/record_feed.h"

namespace stillwatch::audit {

class FeedWriter {
 public:
  struct Parts {
    const FeedOptions* options = nullptr;
    ledger::KeyBook* keys = nullptr;
    ledger::Vault* vault = nullptr;  // may be null
    AuditLog* log = nullptr;
    std::function<std::int64_t()> now_ms;      // the ledger's clock
    std::function<bool()> wait_after_failure;  // false: give up
  };
  explicit FeedWriter(Parts parts);

  /// RecordFeed::recall.
  base::Result<bool> begin(const Recall& from);
  void forget() { recalled_.forget_records(); }

  void write(const Given& given);
  /// What was written is handed to the log.
  void flush();
  /// Everything written is committed and signed: the mark.
  base::Result<std::string> settle();
  base::Status run(const std::function<base::Status()>& work);

  struct Counters {
    std::atomic<std::uint64_t> records{0}, decisions{0}, deployments{0}, losses{0}, recalled{0}, unnamed{0},
        payloads{0}, payloads_failed{0}, failures{0}, given_up{0};
    std::atomic<bool> is_failing{false};
  };
  const Counters& counters() const { return counters_; }
  /// RecordFeed::wants_base, in this month (such as 202611). From any thread.
  bool wants_base(std::int32_t month) const;

 private:
  struct Pending {
    std::size_t end;  // in pending_bytes_
    std::int64_t time_ms;
  };

  bool insist(const std::function<base::Status()>& step);
  template <class Make>
  bool make(Make step, LeafMaker::Made& made, bool& is_refused);
  void write_record(const Record& record);
  void write_decision(const Decision& decision);
  void write_deployment(const Deployment& deployment);
  void write_loss(const Loss& loss);
  void take_base(const Base& base);
  void put();
  void look_up_inputs();
  base::Status read_inputs();

  const FeedOptions& options_;
  ledger::KeyBook& keys_;
  ledger::Vault* vault_;
  AuditLog& log_;
  std::function<std::int64_t()> now_ms_;
  std::function<bool()> wait_after_failure_;
  LeafMaker maker_;
  RecalledLeaves recalled_;
  std::string leaf_;
  std::vector<std::string> leaves_;
  std::string pending_bytes_;
  std::vector<Pending> pending_;
  std::vector<ledger::DecisionLeaf::Input> inputs_;
  FeedMark base_;         // where its decisions' inputs begin
  FeedMark start_;        // where `recalled_` was read from
  bool is_dirty_ = true;  // a record was written since `inputs_` were looked up
  std::string policy_bytes_;
  void show_base(std::int32_t month);
  mutable std::mutex shown_mutex_;
  std::int32_t shown_month_ = 0;  // of the base; 0: it is not what the engine went on from. These two under the mutex
  std::optional<ledger::Hash32> shown_state_;
  Counters counters_;
};

/// Event time of what was given.
std::int64_t time_of(const Given& given);

}  // namespace stillwatch::audit
