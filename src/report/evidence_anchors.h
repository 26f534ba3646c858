// The anchors of a ledger: which checkpoint of each log stands in which anchor leaf, who cosigned, who stamped.
//
// Invariant: a checkpoint is given only when the anchor leaf commits to the manifest that holds it, and the leaf is
// under the anchor log's checkpoint that goes into the bundle: the newest with a quorum, else the newest.
// Threads: one user. Cost: one pass over the manifests. Spec: docs/reference/audit-log.md, "Anchor log".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/anchor.h"
#include "report/evidence.h"

namespace stillwatch::report {

/// Folders of shard logs of a ledger that have a checkpoint, oldest first in each shard.
base::Result<std::vector<std::string>> shard_log_names(const std::string& ledger_folder);

class EvidenceAnchors {
 public:
  static base::Result<EvidenceAnchors> read(const std::string& ledger_folder);

  /// The newest anchored checkpoint of a log; nothing when none is.
  std::optional<ledger::ManifestLog> checkpoint_of(const std::string& origin) const;
  /// Adds the anchor logs, leaves, manifests and stamps that the anchored logs of `input` need.
  /// `authorities`: name and PEM of its CA; stamps of others are left out.
  base::Status add_to(EvidenceInput& input, const std::vector<std::pair<std::string, std::string>>& authorities) const;

 private:
  struct Place {
    std::string anchor;  // "anchor-2026"
    std::uint64_t index = 0, size = 0;
  };
  struct Leaf {
    std::string bytes, manifest, salt;
    std::vector<ledger::ManifestLog> logs;
  };
  base::Status read_log(const std::string& name);
  base::Status read_leaf(const Place& place);
  base::Status add_stamps(EvidenceInput& input, const EvidenceLog& log, std::uint64_t index,
                          const std::vector<std::pair<std::string, std::string>>& authorities) const;

  std::string folder_;
  std::map<std::string, EvidenceLog> anchor_logs_;
  std::map<std::string, Place> places_;                           // by origin of the anchored log
  std::map<std::pair<std::string, std::uint64_t>, Leaf> leaves_;  // by anchor log and index
};

}  // namespace stillwatch::report
