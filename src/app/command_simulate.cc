// `stillwatch simulate`: a world file in, query logs and the truth about them out.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "app/progress_bar.h"
#include "app/world_prompts.h"
#include "sim/simulate.h"

namespace stillwatch::app {
namespace {

struct SimulateFlags {
  std::string world, out, prompts;
  std::uint64_t seed = 1;
  std::size_t threads = 0;
  double scale = 0;
  bool stream = false, json = false;
  std::vector<std::string> overrides;
};

int run_simulate(const SimulateFlags& flags) {
  ::signal(SIGPIPE, SIG_IGN);  // a reader that stops is an error with a message, not a silent end
  std::vector<std::string> overrides = flags.overrides;
  if (flags.scale > 0) overrides.push_back(fmt::format("world.scale={}", flags.scale));
  auto world = sim::load_world(flags.world, overrides);
  if (!world) return report_error(world.error());
  sim::SimulateOptions options;
  options.prompts = choose_prompts(flags.prompts, flags.world, *world);
  options.world = std::move(*world);
  options.seed = flags.seed;
  options.out = flags.out;
  options.threads = flags.threads != 0 ? flags.threads : sim::machine_threads();
  if (flags.stream) options.stream_to = STDOUT_FILENO;
  ProgressBar bar(true);
  // The share of the world's time, in millionths: the bar counts in whole units.
  options.progress = [&bar](const sim::SimulateProgress& progress) {
    bar.show("simulate", progress.records, static_cast<std::uint64_t>(1e6 * progress.share), 1'000'000);
  };
  const auto summary = sim::simulate(options);
  bar.finish();
  if (!summary) return report_error(summary.error());
  const double elapsed = std::max(1e-9, bar.seconds());
  const double mean_bytes =
      summary->records == 0 ? 0 : static_cast<double>(summary->bytes) / static_cast<double>(summary->records);
  std::FILE* const report_to = flags.stream ? stderr : stdout;
  if (flags.json) {
    std::fprintf(report_to, "%s\n",
                 fmt::format(R"({{"records":{},"hostile_records":{},"bytes":{},"accounts":{},"hostile_accounts":{},)"
                             R"("seconds":{:.3f},"threads":{}}})",
                             summary->records, summary->hostile_records, summary->bytes, summary->accounts,
                             summary->hostile_accounts, elapsed, options.threads)
                     .c_str());
    return 0;
  }
  std::fprintf(report_to, "%s\n",
               fmt::format("{} records ({} hostile) of {} accounts ({} hostile), {:.0f} bytes each, in {:.1f} s: "
                           "{:.0f} records/s on {} threads\n"
                           "{}{} has accounts.ndjson, truth.ndjson and queries_truth.ndjson{}",
                           summary->records, summary->hostile_records, summary->accounts, summary->hostile_accounts,
                           mean_bytes, elapsed, static_cast<double>(summary->records) / elapsed, options.threads,
                           flags.stream ? "Streamed. " : "", flags.out, flags.stream ? "" : ", and queries.ndjson.zst")
                   .c_str());
  return 0;
}

}  // namespace

void add_simulate(CLI::App& app, Run& run) {
  auto flags = std::make_shared<SimulateFlags>();
  CLI::App* command =
      app.add_subcommand("simulate",
                         "Write the log of a made-up world, and the truth about it\n\n"
                         "Example: stillwatch simulate --world=worlds/demo.toml --seed=1 --out=world\n"
                         "         stillwatch simulate --world=worlds/reference.toml --seed=1 --out=world "
                         "--set=campaign.*.attack_share=0.25\n");
  command->add_option("--world", flags->world, "world file (TOML)")->required();
  command->add_option("--out", flags->out, "folder for the output files; made when it is not there")->required();
  command->add_option("--seed", flags->seed, "another seed is another world of the same kind")->capture_default_str();
  command->add_option("--prompts", flags->prompts,
                      "folder of *.jsonl.zst with {\"source\",\"prompt\"} lines, instead of what the world says");
  command->add_option("--set", flags->overrides, "override SECTION.KEY=VALUE of the world; may be given again")
      ->allow_extra_args(false);
  command->add_option("--scale", flags->scale, "multiply the numbers of accounts")->check(CLI::PositiveNumber);
  command->add_option("--threads", flags->threads, "threads; the output does not depend on it (default: all cores)")
      ->check(CLI::Range(1, 256));
  command->add_flag("--stream", flags->stream,
                    "write records as plain NDJSON to standard output, only the other files to the folder");
  command->add_flag("--json", flags->json, "summary as JSON");
  command->callback([flags, &run] { run = [flags] { return run_simulate(*flags); }; });
}

}  // namespace stillwatch::app
