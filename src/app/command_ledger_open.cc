// `stillwatch ledger open`: the content of one request, for somebody, for a reason; the opening is logged first.
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "app/ledger_payload.h"
#include "base/json_text.h"

namespace stillwatch::app {
namespace {

using base::Fault;

struct Flags {
  LedgerFlags ledger;
  OpeningRequest request;
};

base::Result<int> open(Flags flags) {
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
  STILLWATCH_TRY(keys, open_ledger_keys(place, true));
  STILLWATCH_TRY(desk, audit::DeskLog::open(place.folder, place.signed_folder, now_ms()));
  STILLWATCH_TRY(opener, PayloadOpener::open(place, *keys.book, desk));
  STILLWATCH_TRY(id, parse_leaf_id(flags.request.record));
  STILLWATCH_TRY(found, find_leaf(place.folder, id));
  STILLWATCH_TRY(opened, opener.open(found, flags.request));
  if (opened.found != ledger::Found::opened) return base::fail(Fault::check, opened_sentence(opened));
  const ledger::Payload& payload = opened.payload;
  if (!flags.ledger.json) {
    STILLWATCH_CHECK(print_text(payload.prompt + "\n"));
    if (!payload.response.empty()) STILLWATCH_CHECK(print_text(payload.response + "\n"));
    return 0;
  }
  std::string out = "{\"v\":1,\"prompt\":";
  base::append_json_string(out, payload.prompt);
  out += ",\"response\":";
  base::append_json_string(out, payload.response);
  out += ",\"headers\":";
  base::append_json_string(out, payload.headers);
  STILLWATCH_CHECK(print_text(out + "}\n"));
  return 0;
}

}  // namespace

void add_ledger_open(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = ledger.add_subcommand("open",
                                            "Show the content of one request from the vault; who and why is logged\n\n"
                                            "  stillwatch ledger open --config=gateway.toml "
                                            "--record=5kx0q0m2b9GZ1rXvYt3uQA --reason=\"complaint 12\"\n");
  add_place_flags(*command, flags->ledger);
  add_key_flags(*command, flags->ledger);
  command->add_option("--record", flags->request.record, "Id of the request, as in stillwatch-leaf")
      ->required()
      ->type_name("ID");
  command->add_option("--reason", flags->request.why, "Why")->required();
  command->add_option("--who", flags->request.who, "Who wants it; else your user name");
  command->add_option("--case", flags->request.case_id, "The case that it is for");
  add_json_flag(*command, flags->ledger);
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return open(*flags); }); }; });
}

}  // namespace stillwatch::app
