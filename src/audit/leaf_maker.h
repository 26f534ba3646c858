// Records, verdicts, deployments and losses as bytes of leaves.
//
// Invariant: the same things under the same keys give the same bytes. A tenant whose keys are destroyed gets leaves
// without names and commitments. New keys are in the book, not on the disk: sync it before a leaf is appended.
// Threads: one user. Cost: about 4 µs a record, most of it two HMACs; names of kNamesMax tenants at hand, ~300 B each.
// Spec: docs/reference/audit-log.md, "Leaves".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "audit/record_feed.h"
#include "ledger/leaf.h"
#include "ledger/pseudonym.h"

namespace stillwatch::audit {

class LeafMaker {
 public:
  /// Beyond, all are forgotten and looked up again, 100 ns each.
  static constexpr std::size_t kNamesMax = 1U << 17;
  static constexpr std::size_t kModelBytesMax = 128;  // names of models have < 64; a client may send any text there

  LeafMaker(ledger::KeyBook& keys, ledger::Vault* vault, bool derives_ids)
      : keys_(keys), vault_(vault), derives_ids_(derives_ids) {}

  /// One finished leaf. `out` is replaced.
  struct Made {
    ledger::Id16 id{};
    bool is_named = true;      // false: the tenant's keys are destroyed
    bool has_payload = false;  // sealed; in the vault after its commit()
    bool payload_failed = false;
  };
  base::Result<Made> make(const Record& record, std::string& out);
  /// `state`: what the inputs were applied to; none: the beginning.
  base::Result<Made> make(const Decision& decision, const std::vector<ledger::DecisionLeaf::Input>& inputs,
                          const std::optional<ledger::Hash32>& state, std::string& out);
  /// Leaves to write for what is deployed now: a `calibration` when it is new, and a `policy`. Nothing when all is as
  /// it was.
  base::Status deploy(const Deployment& deployment, const ledger::RetentionProfile* retention, std::int64_t time_ms,
                      std::vector<std::string>& out);
  /// What the last policy leaf in the log said, so that it is not repeated after a restart.
  void take_deployed(const ledger::PolicyLeaf& leaf) { deployed_ = leaf; }
  const std::optional<ledger::PolicyLeaf>& deployed() const { return deployed_; }

  /// Keys may have been destroyed.
  void forget_names() { names_.clear(); }

 private:
  struct Names {
    ledger::Pseudonyms names;
    ledger::Id16 account{};
  };
  base::Result<Names*> names_of(std::string_view account, std::int64_t time_us);
  ledger::Id16 unnamed_id(std::string_view what, std::string_view bytes) const;
  void seal(const Record& record, std::string_view tenant, ledger::QueryLeaf& leaf, Made& made);

  ledger::KeyBook& keys_;
  ledger::Vault* vault_;
  bool derives_ids_;
  std::unordered_map<std::string, Names> names_;  // by account and month
  std::uint64_t generation_ = 0;                  // of the keys that these are of
  std::string name_key_;
  ledger::QueryLeaf query_;
  std::optional<ledger::PolicyLeaf> deployed_;
};

/// A gap leaf's bytes.
base::Status make_gap(std::int64_t time_ms, const Loss& loss, std::string& out);

}  // namespace stillwatch::audit
