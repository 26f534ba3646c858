// `stillwatch ledger erase`: a customer, a record, or what is past its time; says what was destroyed and what remains.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "audit/desk_log.h"
#include "audit/erasure_leaves.h"
#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "base/json_text.h"
#include "intake/identity_search.h"
#include "ledger/erasure.h"

namespace stillwatch::app {
namespace {

using base::Fault;
namespace fs = std::filesystem;

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
  std::error_code code;
  for (fs::directory_iterator entry(place.gateway->query_log.folder, code), end; !code && entry != end;
       entry.increment(code)) {
    if (entry->path().string().find(".ndjson") != std::string::npos)
      add(entry->path().string(), ledger::FileRule::lines, ledger::RetentionClass::query_log);
  }
  add_findings(place.gateway->state.folder);
  // It has fingerprints of the customer's requests; the gateway makes it again from the query log.
  add(place.gateway->state.folder + "/observer.snapshot", ledger::FileRule::remove,
      ledger::RetentionClass::engine_state);
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

std::string as_json(const ledger::ErasureResult& result) {
  std::string out = fmt::format(
      "{{\"v\":1,\"complete\":{},\"keys\":{},\"records\":{},\"lines\":{},\"files_rewritten\":{},\"files_removed\":{},"
      "\"keys_held\":{},\"records_held\":{},\"lines_held\":{},\"files_held\":{},\"held_by\":[",
      result.complete, result.keys.size(), result.records, result.lines, result.files_rewritten, result.files_removed,
      result.keys_held, result.records_held, result.lines_held, result.files_held);
  const auto texts = [&out](const std::vector<std::string>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out += ',';
      base::append_json_string(out, list[i]);
    }
  };
  texts(result.held_by);
  out += "],\"remains\":[";
  texts(result.remains);
  return out + "]}\n";
}

base::Result<ledger::ErasureOrder> order_of(const Flags& flags, const LedgerPlace& place, const ledger::KeyBook& keys) {
  ledger::ErasureOrder order;
  order.who = flags.who.empty() ? default_operator() : flags.who;
  order.why = flags.why;
  order.tenant = flags.account;
  order.files = files_of(flags, place);
  // Decisions that rest on a state which knows him cannot be made again from then on; the leaf says so.
  STILLWATCH_TRY(states, audit::states_to_erase(place.folder, keys, [&](std::string_view names) {
                   return intake::may_name(names, intake::IdKind::account, flags.account);
                 }));
  order.files.insert(order.files.end(), states.begin(), states.end());
  if (flags.record.empty()) {
    order.kind = ledger::OrderKind::customer;
    order.names = {flags.account};
    return order;
  }
  order.kind = ledger::OrderKind::record;
  STILLWATCH_TRY(id, parse_leaf_id(flags.record));
  STILLWATCH_TRY(found, find_leaf(place.folder, id));
  const auto* query = std::get_if<ledger::QueryLeaf>(&found.leaf);
  if (query == nullptr)
    return base::fail(Fault::caller, "this is the id of a decision, which has no content of its own");
  order.record.id = id;
  if (query->payload_key) order.record.key = *query->payload_key;
  order.line_id = "req_" + ledger::base64url(id);  // as a gateway writes it
  return order;
}

base::Result<int> erase(const Flags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
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
  STILLWATCH_TRY(order, order_of(flags, place, *keys.book));
  STILLWATCH_TRY(result, eraser.erase(std::move(order)));
  std::string places;
  STILLWATCH_CHECK(log_erasure(desk, result, places));
  STILLWATCH_CHECK(eraser.acknowledge(result.order));
  STILLWATCH_CHECK(desk.anchor(now_ms()));
  STILLWATCH_CHECK(print_text(flags.ledger.json ? as_json(result) : as_text(result, places)));
  return result.complete ? 0 : base::exit_code(Fault::check);
}

}  // namespace

void add_ledger_erase(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = ledger.add_subcommand(
      "erase",
      "Erase a customer, or one record; the gateway must be stopped\n\n"
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
