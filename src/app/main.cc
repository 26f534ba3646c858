// The `stillwatch` program: the one place that wires everything.
#include <csignal>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "app/commands.h"

int main(int argc, char** argv) {
  using namespace stillwatch;
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error with a message, as a full disk is
  CLI::App cli{
      "stillwatch finds distillation campaigns in the logs of an LLM API\n\n"
      "Example:\n  stillwatch replay queries.ndjson.zst --accounts=accounts.ndjson --out=report\n",
      "stillwatch"};
  cli.set_version_flag("--version", STILLWATCH_VERSION);
  cli.require_subcommand(1);
  app::Run run;
  // One line a command; the order is that of --help.
  app::add_replay(cli, run);
  app::add_simulate(cli, run);
  app::add_evaluate(cli, run);
  app::add_explain(cli, run);
  app::add_serve(cli, run);
  app::add_config(cli, run);
  app::add_dry_run(cli, run);
  app::add_keys(cli, run);
  app::add_secret(cli, run);
  app::add_ledger(cli, run);
  app::add_bench(cli, run);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return cli.exit(CLI::CallForHelp());
  } catch (const CLI::CallForAllHelp&) {
    return cli.exit(CLI::CallForAllHelp());
  } catch (const CLI::CallForVersion& version) {
    return cli.exit(version);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "stillwatch: %s\nRun 'stillwatch --help' or 'stillwatch COMMAND --help'.\n", error.what());
    return base::exit_code(base::Fault::caller);
  }
  return run ? run() : base::exit_code(base::Fault::caller);
}
