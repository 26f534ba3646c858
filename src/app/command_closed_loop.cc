// `stillwatch bench closed-loop`: what a campaign keeps, and what it pays, when verdicts ban.
#include <cstdio>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/closed_loop.h"
#include "app/commands.h"
#include "app/progress_bar.h"
#include "app/settings_file.h"
#include "app/world_prompts.h"
#include "sim/simulate.h"

namespace stillwatch::app {
namespace {

struct Flags {
  std::string world, prompts, config, respond = "verify";
  std::vector<std::string> overrides;
  std::uint64_t seed = 1;
  std::size_t replacements = 0, evade_after = 0, threads = 0;
  int search_runs = 6;
  bool json = false, quiet = false;
};

struct Figures {
  ClosedLoopResult left_alone, banned;
  HalfYield half;
  double hours_to_first_ban = -1;

  double ratio(double a, double b) const { return b > 0 ? a / b : 0; }
  double yield_kept() const {
    return ratio(static_cast<double>(banned.hostile_answers), static_cast<double>(left_alone.hostile_answers));
  }
  static double per_thousand(const ClosedLoopResult& result) {
    return result.hostile_answers == 0
               ? 0
               : 1000 * static_cast<double>(result.hostile_accounts) / static_cast<double>(result.hostile_answers);
  }
  // Without bans half of the accounts bring half of the harvest in the same time.
  double cost_of_half() const {
    return ratio(static_cast<double>(half.accounts_spent), static_cast<double>(left_alone.hostile_accounts) / 2);
  }
};

void print_json(const Flags& flags, const Figures& f) {
  std::string half = "null";
  if (flags.search_runs > 0) {
    half = fmt::format(R"({{"reached":{},"budget":{},"accounts_spent":{},"cost":{:.3f},"runs":{}}})", f.half.reached,
                       f.half.budget, f.half.accounts_spent, f.cost_of_half(), f.half.runs);
  }
  std::printf(
      "%s\n",
      fmt::format(
          R"({{"bench":"closed-loop","seed":{},"replacements_max":{},"evade_after":{},"respond":"{}","records":{},)"
          R"("answers_left_alone":{},"answers_banned":{},"yield_kept":{:.4f},"accounts_left_alone":{},)"
          R"("accounts_spent":{},"replacements":{},"hostile_banned":{},"accounts_per_1000_answers_left_alone":{:.3f},)"
          R"("accounts_per_1000_answers":{:.3f},"honest_accounts":{},"honest_banned":{},"evasion_steps":{},)"
          R"("hours_to_first_ban":{:.2f},"half_yield":{}}})",
          flags.seed, flags.replacements, flags.evade_after, flags.respond, f.banned.records,
          f.left_alone.hostile_answers, f.banned.hostile_answers, f.yield_kept(), f.left_alone.hostile_accounts,
          f.banned.hostile_accounts, f.banned.replacements, f.banned.hostile_banned,
          Figures::per_thousand(f.left_alone), Figures::per_thousand(f.banned), f.banned.honest_accounts,
          f.banned.honest_banned, f.banned.evasions, f.hours_to_first_ban, half)
          .c_str());
}

void print_table(const Flags& flags, const Figures& f) {
  std::string out;
  const auto row = [&](std::string_view what, const std::string& alone, const std::string& banned) {
    out += fmt::format("{:<38} {:>12} {:>12}\n", what, alone, banned);
  };
  row("", "left alone", "with bans");
  row("hostile answers", fmt::format("{}", f.left_alone.hostile_answers), fmt::format("{}", f.banned.hostile_answers));
  row("  of those without bans", "100.0 %", fmt::format("{:.1f} %", 100 * f.yield_kept()));
  row("hostile accounts spent", fmt::format("{}", f.left_alone.hostile_accounts),
      fmt::format("{}", f.banned.hostile_accounts));
  row("  of these replacements", "", fmt::format("{}", f.banned.replacements));
  row("  banned", "", fmt::format("{}", f.banned.hostile_banned));
  row("accounts per 1,000 answers", fmt::format("{:.2f}", Figures::per_thousand(f.left_alone)),
      fmt::format("{:.2f}", Figures::per_thousand(f.banned)));
  row(fmt::format("honest accounts banned of {}", f.banned.honest_accounts), "",
      fmt::format("{}", f.banned.honest_banned));
  row("hours from start to first ban", "",
      f.hours_to_first_ban < 0 ? "never" : fmt::format("{:.1f}", f.hours_to_first_ban));
  out += "\nsteps of evasion:";
  if (f.banned.evasions == 0) out += " none";
  for (std::size_t i = 0; i < f.banned.evasions && i <= sim::kEvasionNames.size(); ++i) {
    out += i == sim::kEvasionNames.size()
               ? fmt::format(" (and {} more times)", f.banned.evasions - i)
               : fmt::format("{} {}", i == 0 ? "" : ",",
                             sim::kEvasionNames[static_cast<std::size_t>(sim::evasion_step(i))]);
  }
  out += '\n';
  if (flags.search_runs == 0) {
    out += "cost of half of the answers: not searched\n";
  } else if (!f.half.reached) {
    out += fmt::format(
        "cost of half of the answers: not to be had with {} accounts and a budget of {} replacements: more than {:.1f} "
        "times\n",
        f.banned.hostile_accounts, flags.replacements,
        f.ratio(static_cast<double>(f.banned.hostile_accounts),
                static_cast<double>(f.left_alone.hostile_accounts) / 2));
  } else {
    out += fmt::format(
        "cost of half of the answers: {} accounts (budget {}, bisection, {} runs) against {:.0f} without bans: {:.1f} "
        "times\n",
        f.half.accounts_spent, f.half.budget, f.half.runs, static_cast<double>(f.left_alone.hostile_accounts) / 2,
        f.cost_of_half());
  }
  std::fputs(out.c_str(), stdout);
}

base::Result<int> bench_closed_loop(const Flags& flags) {
  STILLWATCH_TRY(world, sim::load_world(flags.world, flags.overrides));
  STILLWATCH_TRY(settings, read_settings(flags.config));
  ClosedLoopOptions options;
  options.world = std::move(world);
  options.seed = flags.seed;
  options.prompts = choose_prompts(flags.prompts, flags.world, options.world);
  options.threads = static_cast<unsigned>(flags.threads != 0 ? flags.threads : sim::machine_threads());
  options.engine = settings.engine;
  options.replacements = flags.replacements;
  options.evade_after = flags.evade_after;
  for (int level = 0; level <= static_cast<int>(event::Level::suspend); ++level) {
    if (event::name(static_cast<event::Level>(level)) == flags.respond)
      options.respond = static_cast<event::Level>(level);
  }
  if (options.world.campaigns.empty())
    return base::fail(base::Fault::caller, flags.world + " has no campaign: there is nothing to ban");
  ProgressBar bar(!flags.quiet);
  const auto progress = [&](double share) {
    bar.show("closed loop", 0, static_cast<std::uint64_t>(1e6 * share), 1'000'000);
  };
  Figures figures;
  options.bans = false;
  STILLWATCH_TRY(left_alone, run_closed_loop(options, progress));
  options.bans = true;
  STILLWATCH_TRY(banned, run_closed_loop(options, progress));
  if (flags.search_runs > 0) {
    STILLWATCH_TRY(half, cost_of_half(options, left_alone.hostile_answers, banned, flags.search_runs, progress));
    figures.half = half;
  }
  bar.finish();
  figures.left_alone = left_alone;
  figures.banned = banned;
  if (banned.first_ban_us) {
    double start_day = 400;
    for (const sim::CampaignSettings& campaign : options.world.campaigns)
      start_day = std::min(start_day, campaign.start_day);
    figures.hours_to_first_ban =
        static_cast<double>(*banned.first_ban_us - options.world.world.start_us) / static_cast<double>(base::kHourUs) -
        24 * start_day;
  }
  if (flags.json) {
    print_json(flags, figures);
  } else {
    print_table(flags, figures);
  }
  return 0;
}

}  // namespace

void add_closed_loop(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = bench.add_subcommand(
      "closed-loop",
      "Verdicts ban, the campaign replaces accounts and changes its ways: what it keeps and what it pays\n\n"
      "Example:\n  stillwatch bench closed-loop --world=worlds/redteam_base.toml --replacements=400 "
      "--evade-after=50\n");
  command->add_option("--world", flags->world, "World file (TOML) with a campaign")->required();
  command->add_option("--seed", flags->seed, "The same seed gives the same figures")->capture_default_str();
  command->add_option("--replacements", flags->replacements, "Spare accounts of each campaign")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("--evade-after", flags->evade_after, "Banned accounts between two steps of evasion; 0: none")
      ->capture_default_str();
  command->add_option("--respond", flags->respond, "Verdicts of this level or above ban")
      ->capture_default_str()
      ->check(CLI::IsMember({"observe", "notice", "verify", "throttle", "restrict", "suspend"}));
  command->add_option("--search", flags->search_runs, "Runs to find the budget that keeps half; 0: do not search")
      ->capture_default_str()
      ->check(CLI::Range(0, 30));
  command->add_option("--set", flags->overrides, "Override SECTION.KEY=VALUE of the world; may be given again")
      ->allow_extra_args(false);
  command->add_option("--prompts", flags->prompts, "Folder of prompts, instead of what the world says");
  command->add_option("--config", flags->config, "Settings (TOML); see docs/reference/configuration.md");
  command->add_option("--threads", flags->threads, "Threads; the figures do not depend on it (default: all cores)")
      ->check(CLI::Range(1, 256));
  command->add_flag("--json", flags->json, "Print JSON");
  command->add_flag("--quiet", flags->quiet, "No progress bar");
  command->callback([flags, &run] {
    run = [flags] {
      auto code = bench_closed_loop(*flags);
      return code ? *code : report_error(code.error());
    };
  });
}

}  // namespace stillwatch::app
