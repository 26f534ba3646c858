// A decision of the audit log, made again from what the log says it rests on.
//
// Invariant: only lines whose commitment (`rc`) is in the decision's input ranges reach the engine, each once and in
// the order of the log; anything missing is said, with its number, and never filled in. The answer is about bytes: the
// verdict line under the same key gives the leaf's `vh`, or it does not.
// Threads: runs on the caller and `threads` workers. Cost: a replay of the ranges, and one HMAC a line.
// Spec: docs/reference/audit-log.md, "Leaves".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/key_book.h"
#include "ledger/leaf.h"
#include "replay/run.h"

namespace stillwatch::replay {

enum class DecisionAnswer : std::uint8_t { equal, different, not_replayable };

struct DecisionCheck {
  DecisionAnswer answer = DecisionAnswer::not_replayable;
  std::uint64_t inputs = 0;          // query leaves in the ranges
  std::uint64_t lines_matched = 0;   // lines of the query logs whose commitment is among them
  std::uint64_t lines_missing = 0;   // leaves without a line
  std::uint64_t keys_destroyed = 0;  // pseudonym keys without which lines cannot be told
  std::uint64_t lines_other = 0;     // lines that are no input of this decision
  std::vector<std::string> reasons;  // why it is not replayable, or what differs: sentences
  std::string recomputed;            // the verdict line, when one was made
};

struct DecisionCheckOptions {
  std::string ledger_folder;
  /// How the decision's run read its logs: logs, accounts, format, calibration, secret, settings. `out` is not used.
  Options run;
  std::string software_sha256;  // hexadecimal, of this program
  std::string scratch_folder;   // for the lines taken over and the recomputed outputs; the caller removes it
};

/// Error: a file cannot be read. What does not fit is an answer.
base::Result<DecisionCheck> check_decision(const ledger::DecisionLeaf& leaf, const DecisionCheckOptions& options,
                                           ledger::KeyBook& keys);

}  // namespace stillwatch::replay
