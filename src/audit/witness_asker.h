// Asks the witnesses of a policy to cosign a checkpoint of the anchor log.
//
// Invariant: only signatures by a key of the policy over exactly this checkpoint are taken; whatever else a witness
// answers is counted and changes nothing. All are asked at once; none can hold the others up beyond the timeout.
// Threads: one user. Cost: one connection a witness and interval. Spec: C2SP tlog-witness, tlog-policy.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "audit/counters.h"
#include "audit/settings.h"
#include "base/result.h"
#include "http/client.h"
#include "ledger/log_reader.h"
#include "tlog/policy.h"

namespace stillwatch::audit {

class WitnessAsker {
 public:
  /// Input error that names the line of the policy file; caller error when a witness of it has no address.
  static base::Result<WitnessAsker> create(WitnessSettings settings, Counters& counters, AlarmBook& alarms);

  /// Asks for the checkpoint that `log` has read. `now_ms` for alarms and to see clocks that differ.
  /// Gives the note with all good cosignatures; Fault::check with what is missing when they meet no quorum.
  base::Result<std::string> ask(const ledger::LogReader& log, std::int64_t now_ms);

 private:
  struct Asked;
  WitnessAsker(WitnessSettings settings, Counters& counters, AlarmBook& alarms, tlog::Policy policy)
      : settings_(std::move(settings)), counters_(counters), alarms_(alarms), policy_(std::move(policy)) {}
  void read_policy_again();
  /// One request to each; those with a conflict are left in it with the size to try.
  void ask_round(const ledger::LogReader& log, std::int64_t now_ms, std::vector<Asked>& round,
                 std::vector<tlog::NoteSignature>& signatures);
  void take_answer(const ledger::LogReader& log, std::int64_t now_ms, Asked& asked, const http::FetchAnswer& answer,
                   std::vector<tlog::NoteSignature>& signatures);
  void disagree(const tlog::Policy::Witness& witness, std::string_view what, std::int64_t now_ms);

  WitnessSettings settings_;
  Counters& counters_;
  AlarmBook& alarms_;
  tlog::Policy policy_;
  std::map<std::string, std::uint64_t> sizes_;  // last cosigned, by origin and witness key; a guess that 409 corrects
  std::int64_t last_met_ms_ = 0;                // 0: not asked yet
};

}  // namespace stillwatch::audit
