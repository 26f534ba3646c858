// `stillwatch ledger`: the audit log for whoever checks it, keeps it, or is asked for evidence.
#include "app/command_ledger.h"

#include <CLI/CLI.hpp>

namespace stillwatch::app {

void add_ledger(CLI::App& app, Run& run) {
  CLI::App* ledger = app.add_subcommand("ledger",
                                        "The audit log: check it, prove from it, hold, erase, export\n\n"
                                        "  stillwatch ledger verify ledger\n"
                                        "  stillwatch ledger export --ledger=ledger --case=c-000001 --findings=report "
                                        "--reason=\"matter 7\" --out=case.tar\n");
  ledger->require_subcommand(1);
  add_ledger_verify(*ledger, run);
  add_ledger_prove_and_keys(*ledger, run);
}

}  // namespace stillwatch::app
