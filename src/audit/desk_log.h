// The log of what people do with a ledger by commands: holds, erasures, openings, exports. It has a writer of its own,
// so that a command works beside a running gateway, which has the shard's.
//
// Invariant: what append() returned is in the log and under a signed checkpoint. The anchor log takes its checkpoints
// as those of every shard: written by the service when one runs, by anchor() when none does.
// Threads: one user; one process at a time. Cost: about ten syncs a leaf. Spec: docs/reference/audit-log.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/anchor.h"
#include "ledger/leaf.h"

namespace stillwatch::audit {

inline constexpr std::string_view kDeskShard = "desk";  // no shard of a service may be called so

struct DeskPlace {
  std::string log, origin;  // "shard-desk-2026-11", and its origin
  std::uint64_t index = 0;
};

class DeskLog {
 public:
  /// Continues or begins the log of this month. Environment error when another command has it, or `folder` holds no
  /// ledger. `signed_folder` as in Settings.
  static base::Result<DeskLog> open(const std::string& folder, const std::string& signed_folder, std::int64_t now_ms);
  DeskLog(DeskLog&&) noexcept;
  ~DeskLog();

  /// The time to put into a leaf: never before that of the last one.
  std::int64_t leaf_time_ms(std::int64_t now_ms);
  base::Result<DeskPlace> append(const ledger::Leaf& leaf, std::int64_t now_ms);
  const std::string& origin() const;
  const std::string& vkey() const;
  std::string log_name() const;

  /// Anchors all logs of the ledger once. False: a running service has the anchor log, and does it itself.
  base::Result<bool> anchor(std::int64_t now_ms);

 private:
  struct State;
  explicit DeskLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The part before "/audit/" or "/anchor/" in the origins of a ledger's logs. Environment error when it has none.
base::Result<std::string> ledger_host(const std::string& folder);
/// The newest checkpoints of the desk log, for a manifest: this month's, and the month's before.
base::Result<std::vector<ledger::ManifestLog>> desk_checkpoints(const std::string& folder);

}  // namespace stillwatch::audit
