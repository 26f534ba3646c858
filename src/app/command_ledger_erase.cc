// `stillwatch ledger erase`: a customer, a record, or what is past its time; says what was destroyed and what remains.
// A gateway that runs does it itself, and is only told to.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <simdjson.h>
#include <CLI/CLI.hpp>

#include "app/admin_call.h"
#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "audit/desk_log.h"
#include "audit/erasure_leaves.h"
#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "base/json_text.h"
#include "gateway/erasure_files.h"
#include "gateway/ledger_desk.h"
#include "ledger/erasure.h"

namespace stillwatch::app {
namespace {

using base::Fault;
namespace fs = std::filesystem;

constexpr auto kLook = std::chrono::milliseconds(200);

struct Flags {
  LedgerFlags ledger;
  std::string account, record, why, who;
  std::vector<std::string> lines, findings;
};

/// What outside of the vault holds the customer's lines, or is made of them.
std::vector<ledger::ErasureFile> files_of(const Flags& flags, const LedgerPlace& place) {
  std::vector<ledger::ErasureFile> files;
  const auto add = [&](const std::string& path, ledger::FileRule rule, ledger::RetentionClass retention) {
    std::error_code code;
    if (fs::exists(path, code)) files.push_back({path, rule, retention, 0, 0});
  };
  const auto add_findings = [&](const std::string& folder) {
    for (const char* name : {"/verdicts.ndjson", "/members.ndjson", "/accounts.ndjson"})
      add(folder + name, ledger::FileRule::lines, ledger::RetentionClass::verdicts);
    add(folder + "/report.html", ledger::FileRule::remove, ledger::RetentionClass::reports);
  };
  for (const std::string& path : flags.lines) add(path, ledger::FileRule::lines, ledger::RetentionClass::query_log);
  for (const std::string& folder : flags.findings) add_findings(folder);
  if (!place.gateway) return files;
  for (ledger::ErasureFile& file :
       gateway::files_of_stopped(place.gateway->state.folder, place.gateway->query_log.folder))
    files.push_back(std::move(file));
  return files;
}

base::Status log_erasure(audit::DeskLog& desk, const ledger::ErasureResult& result, std::string& places) {
  for (ledger::EraseLeaf& leaf : audit::erasure_leaves(result, now_ms())) {
    leaf.time_ms = desk.leaf_time_ms(now_ms());
    STILLWATCH_TRY(place, desk.append(leaf, now_ms()));
    places += fmt::format("{}entry {} of {}", places.empty() ? "" : ", ", place.index, place.origin);
  }
  return {};
}

std::string as_text(const ledger::ErasureResult& result, const std::string& places) {
  std::string out =
      fmt::format("destroyed: {} keys, {} contents, {} lines in {} files; {} files removed\n", result.keys.size(),
                  result.records, result.lines, result.files_rewritten, result.files_removed);
  if (!result.held_by.empty()) {
    out += fmt::format("HELD by {}: {} keys, {} contents, {} lines, {} files; ordered again when it is released\n",
                       fmt::join(result.held_by, ", "), result.keys_held, result.records_held, result.lines_held,
                       result.files_held);
  }
  const auto states = std::count_if(result.removed.begin(), result.removed.end(),
                                    [](const std::string& path) { return audit::state_of_path(path).has_value(); });
  if (states > 0)
    out += fmt::format("removed: {} states of the engine; decisions that rest on them cannot be made again\n", states);
  if (result.overwrites_failed > 0)
    out +=
        fmt::format("{} times old bytes could not be overwritten before they were let go\n", result.overwrites_failed);
  out += "logged: " + places + "\nwhat remains:\n";
  for (const std::string& sentence : result.remains) out += "- " + sentence + "\n";
  return out;
}

audit::ErasureRequest request_of(const Flags& flags) {
  return {flags.account, flags.record, flags.who.empty() ? default_operator() : flags.who, flags.why};
}

std::string as_json(const audit::ErasureRequest& request) {
  std::string out = "{\"account\":";
  base::append_json_string(out, request.account);
  const auto add = [&out](std::string_view name, const std::string& text) {
    if (text.empty()) return;
    out += fmt::format(",\"{}\":", name);
    base::append_json_string(out, text);
  };
  add("record", request.record);
  add("reason", request.why);
  add("who", request.who);
  return out + "}";
}

/// What a gateway answers about an order.
struct Told {
  std::string state, problem, order;
  ledger::ErasureResult result;  // its counts and texts
  std::uint64_t keys = 0;
};

base::Result<Told> read_told(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const auto is_wrong = [] { return base::fail(Fault::environment, "the gateway's answer is not what was expected"); };
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) return is_wrong();
  Told told;
  const auto text = [&](const char* name, std::string& to) {
    std::string_view value;
    if (root[name].get(value) == simdjson::SUCCESS) to = value;
  };
  const auto number = [&](const char* name, std::uint64_t& to) {
    if (root[name].get(to) != simdjson::SUCCESS) to = 0;
  };
  const auto list = [&](const char* name, std::vector<std::string>& to) {
    simdjson::dom::array values;
    if (root[name].get(values) != simdjson::SUCCESS) return;
    for (const simdjson::dom::element one : values) {
      if (std::string_view value; one.get(value) == simdjson::SUCCESS) to.emplace_back(value);
    }
  };
  text("state", told.state);
  text("problem", told.problem);
  text("order", told.order);
  if (told.state.empty() || told.order.empty()) return is_wrong();
  ledger::ErasureResult& result = told.result;
  if (root["complete"].get(result.complete) != simdjson::SUCCESS) result.complete = false;
  number("keys", told.keys);
  number("records", result.records);
  number("lines", result.lines);
  number("files_rewritten", result.files_rewritten);
  number("files_removed", result.files_removed);
  number("keys_held", result.keys_held);
  number("records_held", result.records_held);
  number("lines_held", result.lines_held);
  number("files_held", result.files_held);
  number("overwrites_failed", result.overwrites_failed);
  list("held_by", result.held_by);
  list("remains", result.remains);
  return told;
}

/// The gateway has the keys: it carries the order out, and this waits for its end.
base::Result<int> erase_in_gateway(const Flags& flags, const gateway::Configuration& gateway) {
  if (!flags.lines.empty() || !flags.findings.empty()) {
    return base::fail(
        Fault::caller,
        "a gateway that runs erases from its own files only; erase from others (--lines, --findings) while "
        "it is stopped");
  }
  STILLWATCH_TRY(address, admin_address(gateway));
  const std::string path = "/v1/admin/ledger/erasures";
  STILLWATCH_TRY(placed, call_admin(address, "POST", path, as_json(request_of(flags))));
  STILLWATCH_TRY(order, read_told(placed));
  std::string problem;
  for (;;) {
    STILLWATCH_TRY(body, call_admin(address, "GET", path + "?order=" + order.order, {}));
    STILLWATCH_TRY(told, read_told(body));
    if (told.problem != problem && !told.problem.empty())
      std::fprintf(stderr, "stillwatch: it goes on trying: %s\n", told.problem.c_str());
    problem = told.problem;
    if (told.state == "done") {
      told.result.keys.resize(told.keys);
      const std::string text = flags.ledger.json
                                   ? "{\"v\":1," + body.substr(1) + "\n"
                                   : as_text(told.result, "in the gateway's own log, order " + told.order);
      STILLWATCH_CHECK(print_text(text));
      return told.result.complete ? 0 : base::exit_code(Fault::check);
    }
    std::this_thread::sleep_for(kLook);
  }
}

base::Result<int> erase(const Flags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
  if (place.gateway && is_in_use(place)) return erase_in_gateway(flags, *place.gateway);
  STILLWATCH_TRY(keys, open_ledger_keys(place, false));
  STILLWATCH_TRY(desk, audit::DeskLog::open(place.folder, place.signed_folder, now_ms()));
  std::unique_ptr<ledger::Vault> vault;
  std::error_code code;
  if (fs::exists(audit::vault_folder(place.folder), code)) {
    STILLWATCH_TRY(opened, ledger::Vault::open(audit::vault_folder(place.folder), *keys.book, {}));
    vault = std::move(opened);
  }
  STILLWATCH_TRY(holds, ledger::HoldBook::open(audit::holds_path(place.folder), *keys.book));
  STILLWATCH_TRY(eraser, ledger::Eraser::open(audit::orders_folder(place.folder), *keys.book, vault.get(), holds));
  // Orders that a crash or a full disk stopped come first: none is forgotten.
  STILLWATCH_TRY(unfinished, eraser.open_orders());
  for (ledger::ErasureOrder& order : unfinished) {
    STILLWATCH_TRY(result, eraser.resume(std::move(order)));
    std::string places;
    STILLWATCH_CHECK(log_erasure(desk, result, places));
    STILLWATCH_CHECK(eraser.acknowledge(result.order));
    std::fprintf(stderr, "stillwatch: an erasure that was ordered before is finished: %s\n", places.c_str());
  }
  STILLWATCH_TRY(order, audit::erasure_order(place.folder, *keys.book, request_of(flags)));
  order.files = files_of(flags, place);
  STILLWATCH_CHECK(gateway::add_states(place.folder, *keys.book, order));
  STILLWATCH_TRY(result, eraser.erase(std::move(order)));
  if (place.gateway) result.remains.emplace_back("engine: nothing; the next start makes it again from what is left");
  std::string places;
  STILLWATCH_CHECK(log_erasure(desk, result, places));
  STILLWATCH_CHECK(eraser.acknowledge(result.order));
  STILLWATCH_CHECK(desk.anchor(now_ms()));
  STILLWATCH_CHECK(
      print_text(flags.ledger.json ? "{\"v\":1," + gateway::erasure_fields(result) + "}\n" : as_text(result, places)));
  return result.complete ? 0 : base::exit_code(Fault::check);
}

}  // namespace

void add_ledger_erase(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = ledger.add_subcommand(
      "erase",
      "Erase a customer, or one record; with --config also while the gateway runs\n\n"
      "  stillwatch ledger erase --config=gateway.toml --account=acct_7f3a --reason=\"request of 3 May\"\n"
      "  stillwatch ledger erase --ledger=ledger --account=acct_7f3a --reason=\"request of 3 May\" "
      "--lines=queries.ndjson.zst --lines=accounts.ndjson --findings=report\n\n"
      "Proofs stay valid. What a hold keeps is left and said; then the code is 1.");
  add_place_flags(*command, flags->ledger);
  add_key_flags(*command, flags->ledger);
  command->add_option("--account", flags->account, "The customer, as in the logs; of --record the one that it is of")
      ->required()
      ->type_name("ID");
  command->add_option("--record", flags->record, "Only this request")->type_name("ID");
  command->add_option("--reason", flags->why, "Why; stays in the ledger: no names")->required();
  command->add_option("--who", flags->who, "Who orders it; else your user name");
  command->add_option("--lines", flags->lines, "NDJSON files with lines of the customer, plain or .zst")
      ->type_name("FILE");
  command->add_option("--findings", flags->findings, "Folders that replays wrote")->type_name("DIR");
  add_json_flag(*command, flags->ledger);
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return erase(*flags); }); }; });
}

}  // namespace stillwatch::app
