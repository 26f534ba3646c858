// The audit log of a gateway: its settings, its feed, and what is wrong with it.
//
// Invariant: no call of the port waits but in recovery and for settle(), which is bounded; what finds no room is told
// in a gap leaf. Threads: open() and stop() by one; the port by the observer's; the rest from any.
// Cost: see audit/record_feed.h. Reference: docs/reference/gateway-configuration.md, section [ledger].
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "audit/record_feed.h"
#include "gateway/audit_port.h"
#include "gateway/configuration.h"

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
  /// `clock`: the ledger's.
  static base::Result<std::unique_ptr<LedgerLink>> open(const settings::Ledger& from, std::string policy_hash,
                                                        audit::Clock clock = audit::wall_clock_ms);

  base::Result<bool> recall(std::string_view mark) override;
  void caught_up() override;
  void lines(std::vector<audit::Record>& records, bool again) override;
  void loss(audit::Loss loss, bool again) override { give(audit::Given(std::move(loss)), again); }
  void verdict(audit::Decision decision, bool again) override { give(audit::Given(std::move(decision)), again); }
  void note(const engine::Engine& engine, bool again) override;
  bool wants_state() const override { return feed_->wants_base(); }
  base::Status keep(const audit::KeptState& state, std::string_view names) override;
  base::Result<std::string> settle() override;
  bool wants_payloads() const override { return feed_->vault() != nullptr; }

  audit::RecordFeed& feed() { return *feed_; }
  /// Whether a gateway that serves nothing without a record should serve now.
  bool has_room() const { return feed_->has_room(); }
  /// By one thread: it remembers what it saw.
  LedgerTrouble look();
  base::Status stop();
  ~LedgerLink() override;

 private:
  explicit LedgerLink(std::unique_ptr<audit::RecordFeed> feed);
  void end_housekeeping();
  void give(audit::Given given, bool again);

  std::unique_ptr<audit::RecordFeed> feed_;
  std::string policy_hash_;
  std::int64_t behind_ms_max_ = 0;
  bool is_noted_ = false, is_calibrated_ = false;
  std::uint64_t overflowed_seen_ = 0;
  std::string folder_;
  ledger::RetentionProfile retention_;
  struct Housekeeping;  // a thread that applies the retention once an hour
  std::unique_ptr<Housekeeping> housekeeping_;
  std::atomic<bool> retention_failing_{false};
};

}  // namespace stillwatch::gateway
