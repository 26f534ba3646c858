// `stillwatch serve`, `config check` and `dry-run`: the gateway, its configuration, and the switch for everything.
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

#include <fmt/format.h>
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include "app/admin_call.h"
#include "app/commands.h"
#include "gateway/configuration_check.h"
#include "gateway/service.h"

namespace stillwatch::app {
namespace {

/// Two descriptors a request in flight: as many as the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const std::string& configuration) {
  raise_descriptor_limit();
  std::signal(SIGPIPE, SIG_IGN);
  // Taken by this thread alone; those that start() makes inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto service = gateway::Service::start(configuration);
  if (!service) return report_error(service.error());
  std::fprintf(stderr, "stillwatch: serving on port %u, admin on port %u\n", (*service)->port(),
               (*service)->admin_port());
  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number != SIGHUP) break;
    // On an error everything stays as it was.
    if (const auto reloaded = (*service)->reload(); !reloaded) (void)report_error(reloaded.error());
  }
  const auto stopped = (*service)->stop();
  return stopped ? 0 : report_error(stopped.error());
}

int check_configuration(const std::string& path) {
  const auto configuration = gateway::read_configuration(path);
  if (!configuration) return report_error(configuration.error());
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  bool failed = false;
  for (const gateway::Finding& finding :
       gateway::check(*configuration, static_cast<std::int64_t>(now.tv_sec) * base::kSecondUs)) {
    std::fprintf(stderr, "stillwatch: %s%s\n", finding.error ? "" : "warning: ", finding.message.c_str());
    failed = failed || finding.error;
  }
  if (failed) return base::exit_code(base::Fault::caller);
  std::printf("%s: can be started\n", path.c_str());
  return 0;
}

struct DryRunOptions {
  std::string admin = "127.0.0.1:9464", token_file, state = "on";
};

base::Result<std::string> switch_dry_run(const DryRunOptions& options) {
  if (options.state != "on" && options.state != "off")
    return base::fail(base::Fault::caller, "say `on` (nothing is done to any request) or `off`");
  return call_admin({options.admin, options.token_file}, "POST", "/v1/admin/dry-run",
                    options.state == "on" ? R"({"on":true})" : R"({"on":false})");
}

}  // namespace

void add_serve(CLI::App& app, Run& run) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("serve",
                                         "Gateway and decision API in front of, or beside, an LLM server\n\n"
                                         "  stillwatch serve --config=gateway.toml\n\n"
                                         "SIGHUP reads the configuration again, SIGTERM lets requests end and stops.");
  command->add_option("--config", *path, "Configuration; deploy/gateway.toml explains every setting")
      ->required()
      ->type_name("FILE");
  command->callback([path, &run] { run = [path] { return serve(*path); }; });
}

void add_config(CLI::App& app, Run& run) {
  auto path = std::make_shared<std::string>();
  CLI::App* config = app.add_subcommand("config",
                                        "The configuration of `serve`\n\n"
                                        "  stillwatch config check gateway.toml");
  config->require_subcommand(1);
  CLI::App* check =
      config->add_subcommand("check", "Say whether a configuration can be started, and all that is wrong");
  check->add_option("FILE", *path, "Configuration")->required();
  check->callback([path, &run] { run = [path] { return check_configuration(*path); }; });
}

void add_dry_run(CLI::App& app, Run& run) {
  auto options = std::make_shared<DryRunOptions>();
  CLI::App* command = app.add_subcommand("dry-run",
                                         "Put every remedy of a running gateway into dry run, or end that\n\n"
                                         "  stillwatch dry-run on\n"
                                         "  stillwatch dry-run off --admin=127.0.0.1:9464 --token=admin.token");
  command->add_option("STATE", options->state, "on: nothing is done to any request, at once; off")->required();
  command->add_option("--admin", options->admin, "Admin address of the gateway")->type_name("HOST:PORT|unix:PATH");
  command->add_option("--token", options->token_file, "File with the admin token")->type_name("FILE");
  command->callback([options, &run] {
    run = [options] {
      const auto answer = switch_dry_run(*options);
      if (!answer) return report_error(answer.error());
      std::printf("%s\n", answer->c_str());
      return 0;
    };
  });
}

}  // namespace stillwatch::app
