#include "audit/witness_asker.h"

#include <fmt/format.h>

#include "audit/fetch_all.h"
#include "base/files.h"
#include "tlog/add_checkpoint.h"
#include "tlog/cosignature.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

constexpr std::size_t kAnswerBytesMax = 64U << 10;  // some signature lines. More: as if it had not answered

base::Result<tlog::Policy> read_policy(const std::string& path) {
  STILLWATCH_TRY(text, base::read_file(path, tlog::kPolicyBytesMax));
  auto policy = tlog::Policy::parse(text);
  if (!policy) return base::fail(policy.error().fault, path + ": " + policy.error().message);
  for (const tlog::Policy::Witness& witness : policy->witnesses) {
    if (witness.url.empty()) {
      return base::fail(Fault::caller,
                        fmt::format("{}: the witness {} has no address; put it after its key", path, witness.name));
    }
  }
  return policy;
}

}  // namespace

struct WitnessAsker::Asked {
  std::size_t witness = 0;  // number in the policy
  std::uint64_t old_size = 0;
  bool again = false;  // it said 409 with a size that may be right
};

base::Result<WitnessAsker> WitnessAsker::create(WitnessSettings settings, Counters& counters, AlarmBook& alarms) {
  tlog::Policy policy;
  if (!settings.policy_file.empty()) {
    STILLWATCH_TRY(read, read_policy(settings.policy_file));
    policy = std::move(read);
  }
  return WitnessAsker(std::move(settings), counters, alarms, std::move(policy));
}

void WitnessAsker::read_policy_again() {
  auto fresh = read_policy(settings_.policy_file);
  if (fresh) {
    policy_ = std::move(*fresh);
  } else {
    ++counters_.policy_failures;
  }
}

void WitnessAsker::disagree(const tlog::Policy::Witness& witness, std::string_view what, std::int64_t now_ms) {
  ++counters_.witness_disagreements;
  alarms_.raise(AlarmKind::witness_disagrees, witness.name,
                fmt::format("the witness {} {}; find out at once who else signs with this log's key, or whether the "
                            "log was rolled back",
                            witness.name, what),
                now_ms);
}

void WitnessAsker::take_answer(const ledger::LogReader& log, std::int64_t now_ms, Asked& asked,
                               const http::FetchAnswer& answer, std::vector<tlog::NoteSignature>& signatures) {
  const tlog::Policy::Witness& witness = policy_.witnesses[asked.witness];
  std::uint64_t& known = sizes_[log.origin() + '\n' + witness.key.text()];
  if (answer.status == 409) {
    const auto size = tlog::parse_witness_size(answer.body);
    if (!size) {
      ++counters_.witness_refusals;
      return;
    }
    if (*size > log.size()) return disagree(witness, "has cosigned a larger log under this name", now_ms);
    ++counters_.witness_conflicts;
    known = *size;
    asked.again = *size != asked.old_size;
    asked.old_size = *size;
    return;
  }
  if (answer.status == 422) return disagree(witness, "says that this log does not extend what it has cosigned", now_ms);
  const auto lines =
      answer.status == 200 ? tlog::parse_signature_lines(answer.body) : base::fail(Fault::check, "it refused");
  if (!lines) {
    ++counters_.witness_refusals;
    return;
  }
  const auto note = tlog::parse_note(log.checkpoint());
  for (const tlog::NoteSignature& line : *lines) {
    if (!line.is_of(witness.key)) continue;  // of a key that we do not know, which the specification allows
    const auto time_s = note ? tlog::verify_cosignature(witness.key, note->text, line) : std::nullopt;
    if (!time_s) {
      ++counters_.witness_bad_signatures;
      continue;
    }
    const std::uint64_t now_s = static_cast<std::uint64_t>(now_ms) / 1'000;
    const std::uint64_t apart_s = *time_s > now_s ? *time_s - now_s : now_s - *time_s;
    if (apart_s > kWitnessSkewMs / 1'000) ++counters_.witness_skews;
    ++counters_.witness_cosignatures;
    known = log.size();
    signatures.push_back(line);
    alarms_.end(AlarmKind::witness_disagrees, witness.name);
    return;
  }
}

void WitnessAsker::ask_round(const ledger::LogReader& log, std::int64_t now_ms, std::vector<Asked>& round,
                             std::vector<tlog::NoteSignature>& signatures) {
  std::vector<http::FetchRequest> requests;
  std::vector<Asked> sent;
  for (Asked& asked : round) {
    tlog::AddCheckpoint body;
    body.old_size = asked.old_size;
    body.checkpoint = log.checkpoint();
    auto proof = log.consistency_proof(asked.old_size);
    if (!proof) continue;  // our own disk; the log's writer says so too
    body.proof = std::move(*proof);
    http::FetchRequest request;
    request.url = policy_.witnesses[asked.witness].url;
    if (!request.url.ends_with('/')) request.url += '/';
    request.url += "add-checkpoint";
    request.method = "POST";
    request.fields.add("content-type", "text/plain; charset=utf-8");
    request.body = body.text();
    request.tls.ca_file = settings_.tls_ca_file;
    request.timeout_ms = settings_.timeout_ms;
    request.answer_bytes_max = kAnswerBytesMax;
    requests.push_back(std::move(request));
    asked.again = false;
    sent.push_back(asked);
  }
  counters_.witness_requests += requests.size();
  const auto answers = fetch_all(std::move(requests));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    if (answers[i]) {
      take_answer(log, now_ms, sent[i], *answers[i], signatures);
    } else {
      ++counters_.witness_unreachable;
    }
  }
  std::erase_if(sent, [](const Asked& asked) { return !asked.again; });
  round = std::move(sent);
}

base::Result<std::string> WitnessAsker::ask(const ledger::LogReader& log, std::int64_t now_ms) {
  if (last_met_ms_ == 0) last_met_ms_ = now_ms;
  if (!settings_.policy_file.empty()) read_policy_again();
  std::vector<Asked> round;
  for (std::size_t i = 0; i < policy_.witnesses.size(); ++i) {
    round.push_back({i, sizes_[log.origin() + '\n' + policy_.witnesses[i].key.text()]});
  }
  std::vector<tlog::NoteSignature> signatures;
  ask_round(log, now_ms, round, signatures);
  if (!round.empty()) ask_round(log, now_ms, round, signatures);
  STILLWATCH_TRY(note, tlog::add_signatures(log.checkpoint(), signatures));
  // Policies name witnesses for years; the log's own key changes with each year's log.
  tlog::Policy policy = policy_;
  STILLWATCH_TRY(own_key, tlog::VerifierKey::parse(log.vkey()));
  policy.logs = {{std::move(own_key), ""}};
  STILLWATCH_TRY(witnessed, tlog::open_witnessed(policy, note));
  if (witnessed.quorum_met) {
    ++counters_.quorums_met;
    last_met_ms_ = now_ms;
    alarms_.end(AlarmKind::quorum_missing, settings_.policy_file);
    return note;
  }
  ++counters_.quorums_missed;
  const std::string missing =
      fmt::format("{} of {} witnesses have cosigned, which is not the quorum of {}", witnessed.cosignatures.size(),
                  policy_.witnesses.size(), settings_.policy_file);
  if (now_ms - last_met_ms_ >= settings_.alarm_after_ms) {
    alarms_.raise(AlarmKind::quorum_missing, settings_.policy_file,
                  missing + "; ask their operators, or name others there. The log goes on, unwitnessed", now_ms);
  }
  return base::fail(Fault::check, missing, true);
}

}  // namespace stillwatch::audit
