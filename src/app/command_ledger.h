// The subcommands of `stillwatch ledger`, one function each; add_ledger calls them in the order of --help.
// Invariant: as commands.h. Threads: main's.
#pragma once

#include "app/commands.h"

namespace stillwatch::app {

void add_ledger_verify(CLI::App& ledger, Run& run);
void add_ledger_fsck(CLI::App& ledger, Run& run);
/// `prove`, `keys`, `publish`
void add_ledger_proofs(CLI::App& ledger, Run& run);
/// `serve`, `witness`
void add_ledger_serve(CLI::App& ledger, Run& run);
/// `hold add`, `hold release`, `hold list`
void add_ledger_hold(CLI::App& ledger, Run& run);
void add_ledger_erase(CLI::App& ledger, Run& run);
void add_ledger_open(CLI::App& ledger, Run& run);
void add_ledger_export(CLI::App& ledger, Run& run);
void add_ledger_replay_decision(CLI::App& ledger, Run& run);

}  // namespace stillwatch::app
