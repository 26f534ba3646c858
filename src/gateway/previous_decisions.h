// What the engine under the previous secret tells the audit log during an overlap: its decisions.
//
// Its records have their leaves by the observer under the current secret, made of other lines, so that these decisions
// name no inputs and cannot be made again; but each is a leaf. Decisions that come before the log can take them wait
// here: the observer of before starts first.
// Invariant: a decision is given to the log once; after kill -9 once more, and passed over where it is there already.
// Threads: any; in order, by the observer of before. Cost: as LedgerLink. Reference: docs/operate/secret.md.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "gateway/audit_port.h"

namespace stillwatch::gateway {

class PreviousDecisions final : public AuditPort {
 public:
  /// `link` outlives this.
  explicit PreviousDecisions(AuditPort& link) : link_(link) {}

  /// What its observer's snapshot counts on.
  const std::string& mark() const { return mark_; }
  /// The log takes them from now on, those that waited first.
  void begin();

  base::Result<bool> recall(std::string_view mark, bool is_anew) override;
  void caught_up() override {}
  bool wants_lines() const override { return false; }
  void lines(std::vector<audit::Record>& records, bool /*again*/) override { records.clear(); }
  void loss(audit::Loss /*loss*/, bool /*again*/) override {}
  void verdict(audit::Decision decision, bool again) override;
  void note(const engine::Engine& /*engine*/, bool /*again*/) override {}
  bool wants_state() const override { return false; }
  base::Status keep(const audit::KeptState& /*state*/, std::string_view /*names*/) override { return {}; }
  void remade() override {}
  base::Result<std::string> settle() override;
  bool wants_payloads() const override { return false; }

 private:
  AuditPort& link_;
  std::string mark_;
  std::mutex mutex_;
  bool has_begun_ = false;
  std::vector<audit::Decision> waiting_;
};

}  // namespace stillwatch::gateway
