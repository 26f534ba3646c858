// `stillwatch ledger serve` and `ledger witness`: the log's pages without a gateway, and a witness for others' logs.
#include <csignal>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "audit/desk_log.h"
#include "audit/log_pages.h"
#include "audit/witness_service.h"

namespace stillwatch::app {
namespace {

std::vector<http::ListenAddress> listen_addresses(const std::vector<std::string>& texts) {
  std::vector<http::ListenAddress> out;
  for (const std::string& text : texts) out.push_back({text, false});
  return out;
}

/// Signals are taken by the thread that waits; those made after this inherit the mask.
void hold_signals(sigset_t& signals) {
  std::signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

struct ServeFlags {
  LedgerFlags ledger;
  std::vector<std::string> listen = {"127.0.0.1:9465"};
  bool is_for_auditor = false;
};

base::Result<int> serve(const ServeFlags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
  STILLWATCH_TRY(host, audit::ledger_host(place.folder));
  audit::PagesSettings settings;
  settings.listen = listen_addresses(flags.listen);
  settings.audience = flags.is_for_auditor ? audit::Audience::auditor : audit::Audience::everyone;
  sigset_t signals;
  hold_signals(signals);
  audit::Counters counters;
  STILLWATCH_TRY(pages, audit::LogPages::start(place.folder, host, settings, counters));
  std::fprintf(stderr, "stillwatch: serving the logs of %s on port %u\n", host.c_str(), pages->port());
  int number = 0;
  do {
    if (sigwait(&signals, &number) != 0) number = 0;
  } while (number == 0 || number == SIGHUP);
  pages->stop();
  return 0;
}

struct WitnessFlags {
  audit::WitnessServiceSettings settings;
  std::vector<std::string> listen = {"127.0.0.1:9466"};
};

base::Result<int> witness(WitnessFlags flags) {
  flags.settings.listen = listen_addresses(flags.listen);
  sigset_t signals;
  hold_signals(signals);
  STILLWATCH_TRY(service, audit::WitnessService::start(flags.settings));
  std::fprintf(stderr, "stillwatch: witness on port %u; its key, for the policies of logs:\n", service->port());
  STILLWATCH_CHECK(print_text(service->vkey() + "\n"));
  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number != SIGHUP) break;
    // On an error everything stays as it was.
    if (const auto reloaded = service->reload(); !reloaded) (void)report_error(reloaded.error());
  }
  service->stop();
  return 0;
}

}  // namespace

void add_ledger_serve(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = ledger.add_subcommand("serve",
                                            "Serve the anchor log over HTTP: checkpoints, tiles, entries, proofs\n\n"
                                            "  stillwatch ledger serve --ledger=ledger --listen=127.0.0.1:9465\n");
  add_place_flags(*command, flags->ledger);
  command->add_option("--listen", flags->listen, "Address; may be given again")
      ->type_name("HOST:PORT|unix:PATH")
      ->capture_default_str();
  command->add_flag("--auditor", flags->is_for_auditor,
                    "All logs: whoever reaches the address learns how much traffic there is");
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return serve(*flags); }); }; });

  auto other = std::make_shared<WitnessFlags>();
  command = ledger.add_subcommand(
      "witness",
      "Cosign the checkpoints of other organisations' logs\n\n"
      "  stillwatch ledger witness --state=witness --name=w1.example.org --policy=logs.txt --listen=0.0.0.0:9466\n\n"
      "SIGHUP reads the policy again, SIGTERM stops.");
  command->add_option("--state", other->settings.folder, "Folder for key and state; begun when it is empty")
      ->required()
      ->type_name("DIR");
  command->add_option("--name", other->settings.name, "Name of its key; yours for good")->required();
  command->add_option("--policy", other->settings.policy_file, "tlog-policy file; its `log` lines are cosigned")
      ->required()
      ->type_name("FILE");
  command->add_option("--listen", other->listen, "Address; may be given again")
      ->type_name("HOST:PORT|unix:PATH")
      ->capture_default_str();
  command->callback([other, &run] { run = [other] { return finish_command([&] { return witness(*other); }); }; });
}

}  // namespace stillwatch::app
