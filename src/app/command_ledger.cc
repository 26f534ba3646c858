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
  // One line a command; the order is that of --help.
  add_ledger_verify(*ledger, run);
  add_ledger_fsck(*ledger, run);
  add_ledger_proofs(*ledger, run);
  add_ledger_export(*ledger, run);
  add_ledger_replay_decision(*ledger, run);
  add_ledger_open(*ledger, run);
  add_ledger_hold(*ledger, run);
  add_ledger_erase(*ledger, run);
  add_ledger_serve(*ledger, run);
}

}  // namespace stillwatch::app
