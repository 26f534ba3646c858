#include "replay/decision_check.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "audit/commitments.h"
#include "audit/kept_states.h"
#include "base/event_time.h"
#include "ledger/log_reader.h"
#include "ledger/retention.h"

namespace stillwatch::replay {
namespace {

using base::Fault;

struct HashOfHash {
  std::size_t operator()(const ledger::Hash32& hash) const {
    std::size_t out = 0;
    for (std::size_t i = 0; i < sizeof out; ++i) out = out << 8 | hash[i];
    return out;
  }
};

/// How often a record is still to come: as one that was read, and as one that intake had refused.
struct Wanted {
  std::uint64_t read = 0, refused = 0;
};

bool is_refused(const ledger::QueryLeaf& leaf) {
  const auto says_so = [](const ledger::QueryLeaf::Score& score) { return score.detector == "unreadable"; };
  return std::any_of(leaf.scores.begin(), leaf.scores.end(), says_so);
}

/// What the engine is given of a refused line.
event::Query refused_of(const event::Query& query) {
  event::Query out;
  out.time_us = query.time_us;
  out.account = query.account;
  out.line_bytes = query.line_bytes;
  out.flags = static_cast<std::uint8_t>(event::kFlagRejected | (query.flags & event::kFlagShed));
  return out;
}

class Checker {
 public:
  Checker(const ledger::DecisionLeaf& leaf, const DecisionCheckOptions& options, ledger::KeyBook& keys)
      : leaf_(leaf), options_(options), keys_(keys) {}

  base::Result<DecisionCheck> check() {
    if (leaf_.inputs.empty())
      reason(
          "it names no inputs: the engine of before a rotation of the deployment secret decided it, whose records "
          "have no entries");
    STILLWATCH_CHECK(read_inputs());
    if (leaf_.state) STILLWATCH_CHECK(read_base(*leaf_.state));
    if (!out_.reasons.empty()) return std::move(out_);
    compare_deployment();
    STILLWATCH_CHECK(recompute());
    if (out_.reasons.empty()) judge();
    return std::move(out_);
  }

 private:
  void reason(std::string text) { out_.reasons.push_back(std::move(text)); }
  void note(std::string text) { out_.notes.push_back(std::move(text)); }

  base::Status read_base(const ledger::Hash32& hash);
  void leave_out_earlier_logs(std::vector<std::string>& logs) const;
  base::Status read_inputs();
  base::Status read_range(const ledger::LogReader& reader, const ledger::DecisionLeaf::Input& range);
  void compare_deployment();
  base::Status recompute();
  base::Status choose(std::vector<event::Query>& batch, const std::vector<crypto::Sha256Digest>& digests,
                      const event::OpenId& open);
  base::Status take_verdict(const event::Verdict& verdict, std::string_view line, const event::OpenId& open);
  void judge();
  void tell_difference();
  base::Result<const ledger::Pseudonyms*> names_of(std::string_view account, std::int64_t time_us);

  const ledger::DecisionLeaf& leaf_;
  const DecisionCheckOptions& options_;
  ledger::KeyBook& keys_;
  DecisionCheck out_;
  std::unordered_map<ledger::Hash32, Wanted, HashOfHash> wanted_;
  std::optional<audit::KeptState> base_;
  std::string base_names_;
  std::map<std::pair<std::string, std::int32_t>, ledger::Pseudonyms> names_;
  bool is_software_same_ = false;
  bool is_found_ = false;
  std::optional<event::Verdict> nearest_;  // about the same subject at the same time
};

base::Result<const ledger::Pseudonyms*> Checker::names_of(std::string_view account, std::int64_t time_us) {
  const std::string tenant(audit::tenant_of(account));
  const auto key = std::make_pair(tenant, ledger::month_of_day(ledger::day_of(time_us)));
  if (const auto found = names_.find(key); found != names_.end()) return &found->second;
  STILLWATCH_TRY(names, ledger::Pseudonyms::look_up(keys_, tenant, time_us));
  if (names.fate().state == ledger::KeyState::destroyed) ++out_.keys_destroyed;
  return &names_.emplace(key, std::move(names)).first->second;
}

base::Status Checker::read_base(const ledger::Hash32& hash) {
  const audit::KeptStates states(options_.ledger_folder);
  if (!states.has(hash)) {
    STILLWATCH_TRY(erased, audit::erased_names(options_.ledger_folder));
    reason(erased.contains(ledger::name_of(hash))
               ? "inputs were erased: the state of the engine that it rests on"
               : "the state of the engine that it rests on is missing, and no entry says that it was erased");
    return {};
  }
  auto state = states.read(hash);
  auto names = states.read_names(hash, keys_);
  for (const base::Error* error : {state ? nullptr : &state.error(), names ? nullptr : &names.error()}) {
    if (error == nullptr) continue;
    if (error->fault != Fault::check) return base::fail(*error);
    reason(error->message);
  }
  if (!state || !names) return {};
  out_.base_us = state->time_us;
  base_ = std::move(*state);
  base_names_ = std::move(*names);
  return {};
}

/// A gateway's files sort by name as they were written; the state says in which one it stood.
void Checker::leave_out_earlier_logs(std::vector<std::string>& logs) const {
  const auto name_of = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
  const auto is_it = [&](const std::string& path) { return name_of(path) == base_->log_file; };
  const auto found = std::find_if(logs.begin(), logs.end(), is_it);
  if (base_->log_file.empty() || found == logs.end()) return;
  const std::string folder = std::filesystem::path(*found).parent_path().string();
  std::erase_if(logs, [&](const std::string& path) {
    return std::filesystem::path(path).parent_path() == folder && name_of(path) < base_->log_file;
  });
}

base::Status Checker::read_inputs() {
  std::map<std::string, ledger::LogReader> readers;
  std::error_code code;
  const std::string top = options_.ledger_folder + "/logs";
  for (std::filesystem::directory_iterator entry(top, code), end; !code && entry != end; entry.increment(code)) {
    if (!entry->path().filename().string().starts_with("shard-")) continue;
    auto reader = ledger::LogReader::open(entry->path().string());
    if (reader) readers.emplace(reader->origin(), std::move(*reader));
  }
  if (code) return base::fail(Fault::environment, fmt::format("cannot read {}: {}", top, code.message()));
  for (const ledger::DecisionLeaf::Input& range : leaf_.inputs) {
    const auto reader = readers.find(range.log);
    if (reader == readers.end()) {
      reason(fmt::format("the log {}, of which entries {} to {} are inputs, is not here", range.log, range.from,
                         range.to));
    } else if (range.to > reader->second.size()) {
      reason(fmt::format("the log {} has no entry {} yet", range.log, range.to - 1));
    } else if (range.from < reader->second.index_min()) {
      reason(fmt::format("entries {} to {} of {} are past their retention and deleted", range.from,
                         std::min(range.to, reader->second.index_min()) - 1, range.log));
    } else {
      STILLWATCH_CHECK(read_range(reader->second, range));
    }
  }
  return {};
}

base::Status Checker::read_range(const ledger::LogReader& reader, const ledger::DecisionLeaf::Input& range) {
  std::optional<base::Error> failed;
  STILLWATCH_CHECK(reader.scan_proven(range.from, range.to, [&](std::uint64_t index, std::string_view bytes) {
    const auto leaf = ledger::read_leaf(bytes);
    if (!leaf) {
      failed = base::Error{Fault::check, fmt::format("entry {} of {} is no leaf", index, range.log)};
      return false;
    }
    if (const auto* gap = std::get_if<ledger::GapLeaf>(&*leaf)) out_.records_lost += gap->leaves;
    const auto* query = std::get_if<ledger::QueryLeaf>(&*leaf);
    if (query == nullptr) return true;
    ++out_.inputs;
    if (query->record == ledger::Hash32{})
      ++out_.inputs_unnamed;
    else
      ++(is_refused(*query) ? wanted_[query->record].refused : wanted_[query->record].read);
    return true;
  }));
  if (failed) return base::fail(std::move(*failed));
  return {};
}

void Checker::compare_deployment() {
  const auto software = audit::software_hash();
  is_software_same_ = software && ledger::name_of(*software) == leaf_.software;
  if (!is_software_same_) note("another build of the software made it than this one");
  const auto configuration = audit::configuration_hash(options_.run.policy_hash);
  if (!configuration || ledger::name_of(*configuration) != leaf_.configuration) {
    note("it was made under another configuration than the one given now; give its own with --config");
  }
  if (!options_.run.accounts.empty()) note("the file of accounts is an input that the log does not commit to");
}

base::Status Checker::choose(std::vector<event::Query>& batch, const std::vector<crypto::Sha256Digest>& digests,
                             const event::OpenId& open) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    STILLWATCH_TRY(names, names_of(open(batch[i].account), batch[i].time_us));
    const auto wanted = names->are_live() ? wanted_.find(audit::record_commitment(*names, digests[i])) : wanted_.end();
    if (wanted == wanted_.end() || wanted->second.read + wanted->second.refused == 0) {
      ++out_.records_other;
      continue;
    }
    ++out_.inputs_matched;
    // A line that repeats one of a log that is gone by now looks like the first.
    const bool is_read = (batch[i].flags & event::kFlagRejected) == 0 && wanted->second.read > 0;
    if (is_read || wanted->second.refused == 0)
      --wanted->second.read;
    else
      --wanted->second.refused, batch[i] = refused_of(batch[i]);
    if (kept != i) batch[kept] = batch[i];
    ++kept;
  }
  batch.resize(kept);
  return {};
}

base::Status Checker::take_verdict(const event::Verdict& verdict, std::string_view line, const event::OpenId& open) {
  if (is_found_ || verdict.time_us / 1'000 != leaf_.time_ms || event::name(verdict.kind) != leaf_.subject) return {};
  std::string account;
  if (verdict.kind != event::SubjectKind::campaign)
    account = open(verdict.kind == event::SubjectKind::account ? verdict.subject : verdict.account);
  STILLWATCH_TRY(names, names_of(account, verdict.time_us));
  if (!names->are_live() || names->account(audit::tenant_of(account)) != leaf_.account) return {};
  is_found_ = audit::verdict_commitment(*names, line) == leaf_.verdict;
  // Of several end users of one account the one that fits best stays.
  const bool fits = event::name(verdict.level) == leaf_.level && verdict.rule == leaf_.rule;
  if (is_found_ || !nearest_ || fits) {
    nearest_ = verdict;
    out_.recomputed = line;
  }
  return {};
}

base::Status Checker::recompute() {
  Options run = options_.run;
  run.ledger = {};
  run.state.clear();
  run.add_report = nullptr;
  run.choose = [this](std::vector<event::Query>& batch, const std::vector<crypto::Sha256Digest>& digests,
                      const event::OpenId& open) { return choose(batch, digests, open); };
  run.on_verdict = [this](const event::Verdict& verdict, std::string_view line, const event::OpenId& open) {
    return take_verdict(verdict, line, open);
  };
  if (base_) {
    run.base = &*base_;
    run.base_names = std::move(base_names_);
    run.calibrate.clear();
    leave_out_earlier_logs(run.logs);
  }
  auto result = replay::run(run);
  if (!result && base_ && result.error().fault == Fault::check) {
    reason(result.error().message);
    return {};
  }
  if (!result) return base::fail(std::move(result).error());
  const Outcome outcome = std::move(*result);
  for (const base::Error& problem : outcome.problems) return base::fail(problem);
  const bool is_calibrated = !outcome.calibration_bytes.empty();
  if (leaf_.calibration &&
      (!is_calibrated || ledger::name_of(audit::calibration_hash(outcome.calibration_bytes)) != *leaf_.calibration)) {
    note("the calibration that comes out is another than it was made under");
  }
  return {};
}

void Checker::judge() {
  const std::uint64_t missing = out_.inputs - out_.inputs_matched;
  if (out_.inputs == 0) return reason("no record is among its inputs");
  if (missing > 0) {
    reason(fmt::format("inputs were erased, or are not in the logs given: {} of {} records{}", missing, out_.inputs,
                       out_.keys_destroyed == 0
                           ? std::string()
                           : fmt::format("; {} keys that tell records are destroyed", out_.keys_destroyed)));
    return;
  }
  if (out_.records_lost > 0)
    note(fmt::format("gap entries among its inputs tell of {} records that were not logged", out_.records_lost));
  out_.answer = is_found_ ? DecisionAnswer::equal : DecisionAnswer::different;
  if (!is_found_) tell_difference();
}

void Checker::tell_difference() {
  const auto differs = [this](std::string_view what, std::string_view now, std::string_view then) {
    if (now != then) reason(fmt::format("{}: \"{}\" comes out, the log says \"{}\"", what, now, then));
  };
  if (!nearest_) {
    return reason(fmt::format("no verdict about this {} comes out at {}", leaf_.subject,
                              base::format_time(leaf_.time_ms * 1'000)));
  }
  differs("level", event::name(nearest_->level), leaf_.level);
  differs("class", event::name(nearest_->class_), leaf_.class_);
  differs("rule", nearest_->rule, leaf_.rule);
  differs("campaign", nearest_->campaign == 0 ? "" : event::campaign_name(nearest_->campaign),
          leaf_.campaign.value_or(""));
  differs("dry run", nearest_->dry_run ? "true" : "false", leaf_.is_dry_run ? "true" : "false");
  if (out_.reasons.empty()) reason("the verdict's strength, channels, reasons or policy differ");
}

}  // namespace

std::string_view name(DecisionAnswer answer) {
  constexpr std::array<std::string_view, 3> kNames{"equal", "different", "not replayable"};
  return kNames[static_cast<std::size_t>(answer)];
}

base::Result<DecisionCheck> check_decision(const ledger::DecisionLeaf& leaf, const DecisionCheckOptions& options,
                                           ledger::KeyBook& keys) {
  return Checker(leaf, options, keys).check();
}

}  // namespace stillwatch::replay
