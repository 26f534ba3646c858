// A decision of the audit log, made again from what the log says it rests on.
//
// Invariant: only records whose commitment (`rc`) is in the decision's input ranges reach the engine, each as often as
// it is there, and the engine goes on from the kept state that the decision names; what is missing is said, with its
// number, and never filled in. The answer is about bytes: a verdict line
// under the same key gives the leaf's `vh`, or none does.
// Threads: runs on the caller and `run.threads` workers. Cost: a replay of the logs since that state, the earlier ones
// only read where they are among those given; an HMAC a record.
// Spec: docs/reference/audit-log.md, "Leaves".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/key_book.h"
#include "ledger/leaf.h"
#include "replay/run.h"

namespace stillwatch::replay {

enum class DecisionAnswer : std::uint8_t { equal, different, not_replayable };
/// "equal", "different", "not replayable".
std::string_view name(DecisionAnswer answer);

struct DecisionCheck {
  DecisionAnswer answer = DecisionAnswer::not_replayable;
  std::uint64_t inputs = 0;          // query leaves in the ranges
  std::uint64_t inputs_matched = 0;  // of which the logs given have the record
  std::uint64_t inputs_unnamed = 0;  // written without a commitment: their customer was erased before
  std::uint64_t keys_destroyed = 0;  // pseudonym keys of accounts in the logs given, by account and month
  std::uint64_t records_other = 0;   // records that are no input of this decision
  std::uint64_t records_lost = 0;    // that gap leaves in the ranges tell of
  std::vector<std::string> reasons;  // why it is not replayable, or what differs: sentences
  std::vector<std::string> notes;    // what else a reader must know
  std::string recomputed;            // the verdict line, when one was found
  std::int64_t base_us = INT64_MIN;  // where the state stands that it went on from; without one the beginning
};

struct DecisionCheckOptions {
  std::string ledger_folder;
  /// How the decision's run read its logs: logs, accounts, format, calibrate, secret, settings, policy_hash. `out` is a
  /// scratch folder, which the caller removes; it holds the recomputed verdicts afterwards.
  Options run;
};

/// Error: a file cannot be read. What does not fit is an answer.
base::Result<DecisionCheck> check_decision(const ledger::DecisionLeaf& leaf, const DecisionCheckOptions& options,
                                           ledger::KeyBook& keys);

}  // namespace stillwatch::replay
