// `stillwatch ledger replay-decision`: does a decision come out again from what the log says it rests on?
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "app/settings_file.h"
#include "base/event_time.h"
#include "base/json_text.h"
#include "base/temporary_folder.h"
#include "crypto/key_set.h"
#include "replay/decision_check.h"

namespace stillwatch::app {
namespace {

using base::Fault;
using replay::DecisionAnswer;

struct Flags {
  LedgerFlags ledger;
  std::string id, settings;
  replay::Options run;
};

/// What a gateway's own folders have, unless flags say otherwise.
base::Status take_gateway(const gateway::Configuration& gateway, Flags& flags, Settings& settings) {
  if (flags.settings.empty()) settings = gateway.run;
  if (flags.run.secret.empty()) flags.run.secret = gateway.state.secret_file;
  std::error_code code;
  const std::string accounts = gateway.state.folder + "/accounts.ndjson";
  if (flags.run.accounts.empty() && std::filesystem::exists(accounts, code)) flags.run.accounts = accounts;
  if (!flags.run.logs.empty()) return {};
  for (std::filesystem::directory_iterator entry(gateway.query_log.folder, code), end; !code && entry != end;
       entry.increment(code)) {
    if (entry->path().string().ends_with(".ndjson.zst")) flags.run.logs.push_back(entry->path().string());
  }
  if (code) {
    return base::fail(Fault::environment, fmt::format("cannot read {}: {}", gateway.query_log.folder, code.message()));
  }
  std::sort(flags.run.logs.begin(), flags.run.logs.end());
  return {};
}

std::string as_text(const FoundLeaf& found, const replay::DecisionCheck& check) {
  const auto& leaf = std::get<ledger::DecisionLeaf>(found.leaf);
  std::string out =
      fmt::format("entry {} of {}: {} {} {}{}\n{}: {} of {} inputs found", found.index, found.origin, leaf.subject,
                  leaf.level, leaf.rule, leaf.campaign ? " in " + *leaf.campaign : std::string(), name(check.answer),
                  check.inputs_matched, check.inputs);
  if (check.base_us != INT64_MIN) out += fmt::format("; from the state kept at {}", base::format_time(check.base_us));
  if (check.records_other > 0) out += fmt::format("; {} other records were kept from it", check.records_other);
  out += "\n";
  for (const std::string& reason : check.reasons) out += "- " + reason + "\n";
  for (const std::string& note : check.notes) out += "note: " + note + "\n";
  return out;
}

std::string as_json(const FoundLeaf& found, const replay::DecisionCheck& check) {
  std::string out = "{\"v\":1,\"log\":";
  base::append_json_string(out, found.origin);
  out += fmt::format(
      ",\"index\":{},\"answer\":\"{}\",\"inputs\":{},\"inputs_matched\":{},\"inputs_unnamed\":{},"
      "\"keys_destroyed\":{},\"records_other\":{},\"from_state\":{}",
      found.index, name(check.answer), check.inputs, check.inputs_matched, check.inputs_unnamed, check.keys_destroyed,
      check.records_other,
      check.base_us == INT64_MIN ? "null" : fmt::format("\"{}\"", base::format_time(check.base_us)));
  const auto texts = [&out](std::string_view key, const std::vector<std::string>& list) {
    out += fmt::format(",\"{}\":[", key);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out += ',';
      base::append_json_string(out, list[i]);
    }
    out += ']';
  };
  texts("reasons", check.reasons);
  texts("notes", check.notes);
  // The line is JSON itself.
  return out + ",\"verdict\":" + (check.recomputed.empty() ? "null" : check.recomputed) + "}\n";
}

int code_of(DecisionAnswer answer) {
  switch (answer) {
    case DecisionAnswer::equal: return 0;
    case DecisionAnswer::different: return base::exit_code(Fault::check);
    case DecisionAnswer::not_replayable: return base::exit_code(Fault::input);
  }
  return base::exit_code(Fault::ours);
}

base::Result<int> replay_decision(Flags flags) {
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
  STILLWATCH_TRY(id, parse_leaf_id(flags.id));
  STILLWATCH_TRY(found, find_leaf(place.folder, id));
  const auto* leaf = std::get_if<ledger::DecisionLeaf>(&found.leaf);
  if (leaf == nullptr) return base::fail(Fault::caller, "this is the id of a request, not of a decision");
  STILLWATCH_TRY(settings, read_settings(flags.settings));
  if (place.gateway) STILLWATCH_CHECK(take_gateway(*place.gateway, flags, settings));
  if (flags.run.logs.empty())
    return base::fail(Fault::caller, "name the query logs that the decision was made from with --log=FILE");
  if (flags.run.secret.empty()) flags.run.secret = default_secret_path();
  if (std::error_code code; !std::filesystem::exists(flags.run.secret, code)) {
    return base::fail(Fault::caller,
                      fmt::format("{} is not there: with another secret other verdicts come out", flags.run.secret));
  }
  STILLWATCH_TRY(keys, open_ledger_keys(place, true));
  STILLWATCH_TRY(scratch, base::TemporaryFolder::make());
  flags.run.out = scratch.path();
  flags.run.engine = settings.engine;
  flags.run.lateness_us = settings.lateness_us;
  flags.run.line_bytes_max = settings.line_bytes_max;
  flags.run.policy_hash = policy_hash(settings);
  flags.run.threads = std::max(1U, std::thread::hardware_concurrency());
  STILLWATCH_TRY(check, replay::check_decision(*leaf, {place.folder, flags.run}, *keys.book));
  STILLWATCH_CHECK(print_text(flags.ledger.json ? as_json(found, check) : as_text(found, check)));
  return code_of(check.answer);
}

}  // namespace

void add_ledger_replay_decision(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = ledger.add_subcommand(
      "replay-decision",
      "Make a decision again from its inputs, and compare\n\n"
      "  stillwatch ledger replay-decision 5kx0q0m2b9GZ1rXvYt3uQA --ledger=ledger --log=queries.ndjson.zst "
      "--accounts=accounts.ndjson\n"
      "  stillwatch ledger replay-decision 5kx0q0m2b9GZ1rXvYt3uQA --config=gateway.toml\n\n"
      "Code 0: equal. 1: different. 3: not replayable, because inputs were erased or are not there.");
  command->add_option("ID", flags->id, "Of the decision's entry")->required();
  add_place_flags(*command, flags->ledger);
  add_key_flags(*command, flags->ledger);
  command->add_option("--log", flags->run.logs, "Query logs, as they were given to the replay")->type_name("FILE");
  command->add_option("--accounts", flags->run.accounts, "Account records, as they were given")->type_name("FILE");
  command->add_option("--format", flags->run.format, "Format of the logs")->capture_default_str();
  command->add_option("--calibrate", flags->run.calibrate, "Log that it was calibrated on")->type_name("FILE");
  command->add_option("--settings", flags->settings, "What --config was of the replay")->type_name("FILE");
  command->add_option("--secret", flags->run.secret, "Deployment secret of the run")->type_name("FILE");
  add_json_flag(*command, flags->ledger);
  command->callback(
      [flags, &run] { run = [flags] { return finish_command([&] { return replay_decision(*flags); }); }; });
}

}  // namespace stillwatch::app
