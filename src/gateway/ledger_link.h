// The audit log of a gateway: its settings, its feed, and what is wrong with it.
//
// Invariant: no call of the port waits but in recovery and for settle(), which is bounded; what finds no room is told
// in a gap leaf. A folder that cannot be written at the start is tried again and again; what came meanwhile is told in
// a gap leaf too, the first one after that. Threads: open() and stop() by one; the port by the observer's; the rest
// from any. Cost: see audit/record_feed.h. Reference: docs/reference/gateway-configuration.md, section [ledger].
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "audit/record_feed.h"
#include "gateway/audit_port.h"
#include "gateway/configuration.h"
#include "gateway/previous_decisions.h"

namespace stillwatch::gateway {

/// The feed's options as [ledger] says. The master key is opened or made.
base::Result<audit::FeedOptions> feed_options(const settings::Ledger& from);

/// What is wrong with the audit log now, for the alarms of the same names.
struct LedgerTrouble {
  bool is_failing = false;  // its disk refuses, or what is past its time could not be erased
  bool is_behind = false;   // leaves wait for longer than the setting, or the queue has overflowed since the last look
  bool has_no_quorum = false, has_no_stamp = false, has_fork = false;
};

/// Finishes erasures that a crash left, destroys keys and bodies that are past their time, and logs it. On the feed's
/// thread: leaves wait meanwhile. Costs a look at the names of key files when nothing is due.
base::Status apply_retention(audit::RecordFeed& feed, const std::string& folder,
                             const ledger::RetentionProfile& profile, std::int64_t now_us);

class LedgerLink final : public AuditPort {
 public:
  /// With `on_overflow = "pass"` it is also given when the folder cannot be written now: start_problem() says why.
  /// Never when the log in it is not the one that was signed last, or another program has it. `clock`: the ledger's.
  static base::Result<std::unique_ptr<LedgerLink>> open(const settings::Ledger& from, std::string policy_hash,
                                                        audit::Clock clock = audit::wall_clock_ms);
  const std::string& start_problem() const { return start_problem_; }

  /// For the observer under the previous secret, which starts before recall().
  AuditPort& previous();

  base::Result<bool> recall(std::string_view mark, bool is_anew) override;
  void caught_up() override;
  bool wants_lines() const override { return true; }
  void lines(std::vector<audit::Record>& records, bool again) override;
  void loss(audit::Loss loss, bool again) override { give(audit::Given(std::move(loss)), again); }
  void verdict(audit::Decision decision, bool again) override { give(audit::Given(std::move(decision)), again); }
  void note(const engine::Engine& engine, bool again) override;
  bool wants_state() const override { return feed() != nullptr && feed()->wants_base(); }
  base::Status keep(const audit::KeptState& state, std::string_view names) override;
  void remade() override { is_noted_ = false; }
  base::Result<std::string> settle() override;
  bool wants_payloads() const override { return feed() != nullptr && feed()->vault() != nullptr; }

  /// Null until the folder could be opened.
  audit::RecordFeed* feed() const { return open_feed_.load(std::memory_order_acquire); }
  /// Whether a gateway that serves nothing without a record should serve now.
  bool has_room() const { return feed() != nullptr && feed()->has_room(); }
  /// By one thread: it remembers what it saw.
  LedgerTrouble look();
  base::Status stop();
  ~LedgerLink() override;

 private:
  LedgerLink();
  void end_housekeeping();
  void give(audit::Given given, bool again);
  void lose(std::int64_t time_us, std::uint64_t records, bool again);
  base::Status open_now();
  base::Status open_late();
  base::Result<bool> recall_feed();
  void keep_house();

  settings::Ledger settings_;
  std::unique_ptr<audit::RecordFeed> feed_;
  std::atomic<audit::RecordFeed*> open_feed_{nullptr};
  audit::Clock clock_ = audit::wall_clock_ms;
  std::string start_problem_;
  std::string mark_;  // of recall()
  bool is_anew_ = false;
  std::unique_ptr<PreviousDecisions> previous_;  // none: there is no overlap
  std::mutex late_mutex_;
  audit::Loss lost_;  // before it was open
  std::string policy_hash_;
  std::int64_t behind_ms_max_ = 0;
  bool is_noted_ = false, is_calibrated_ = false;
  std::uint64_t overflowed_seen_ = 0;
  ledger::RetentionProfile retention_;
  struct Housekeeping;  // a thread that applies the retention once an hour, and opens a folder that could not be
  std::unique_ptr<Housekeeping> housekeeping_;
  std::atomic<bool> retention_failing_{false};
};

}  // namespace stillwatch::gateway
