// The subcommands of `stillwatch`: each adds its flags to the parser and leaves in `run` what to do.
//
// Invariant: a command returns the exit code of docs/reference/commands.md and has printed its error.
#pragma once

#include <functional>

#include "base/result.h"

namespace CLI {
class App;
}

namespace stillwatch::app {

/// Set by the callback of the subcommand that was named; main calls it.
using Run = std::function<int()>;

void add_replay(CLI::App& app, Run& run);
void add_simulate(CLI::App& app, Run& run);
void add_evaluate(CLI::App& app, Run& run);
void add_explain(CLI::App& app, Run& run);
void add_serve(CLI::App& app, Run& run);
/// `config check`.
void add_config(CLI::App& app, Run& run);
/// `dry-run on|off`: the switch of a running gateway.
void add_dry_run(CLI::App& app, Run& run);
/// `keys add`
void add_keys(CLI::App& app, Run& run);
/// `secret backup`, `secret rotate`, `secret end-overlap`
void add_secret(CLI::App& app, Run& run);
/// `ledger verify`, `ledger prove` and the others of command_ledger.h
void add_ledger(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);
/// `bench closed-loop`; `bench` is the command that add_bench made.
void add_closed_loop(CLI::App& bench, Run& run);
/// `bench flood`; called by add_bench.
void add_bench_flood(CLI::App& bench, Run& run);
/// `bench load` and `bench upstream`; called by add_bench.
void add_bench_load(CLI::App& bench, Run& run);

/// Prints "stillwatch: MESSAGE" on standard error and gives the exit code.
int report_error(const base::Error& error);

}  // namespace stillwatch::app
