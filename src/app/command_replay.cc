// `stillwatch replay`: logs in, verdicts and a report out.
#include <csignal>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "app/progress_bar.h"
#include "app/settings_file.h"
#include "app/truth_view.h"
#include "replay/run.h"
#include "report/report.h"

namespace stillwatch::app {
namespace {

std::atomic<bool> stop_requested{false};

extern "C" void request_stop(int) { stop_requested.store(true); }

struct Flags {
  replay::Options options;
  std::string config, truth;
  bool json = false, quiet = false;
};

report::Summary summarise(const Flags& flags, const replay::Outcome& outcome, const std::string& policy_hash) {
  report::Summary summary;
  summary.version = STILLWATCH_VERSION;
  summary.policy_hash = policy_hash;
  summary.logs = flags.options.logs;
  summary.first_us = outcome.engine.first_us;
  summary.last_us = outcome.engine.last_us;
  summary.calibrated_until_us = outcome.engine.calibrated_us;
  summary.dry_run = flags.options.engine.policy.dry_run;
  summary.records = outcome.records;
  summary.rejected = outcome.rejected;
  summary.duplicates = outcome.duplicates;
  summary.late = outcome.late;
  summary.shed = outcome.engine.shed;
  summary.unknown_fields = outcome.unknown_fields;
  summary.rejected_by_reason = outcome.rejected_by_reason;
  summary.accounts = outcome.accounts;
  summary.bytes = outcome.bytes;
  summary.calibration_groups = outcome.calibration_groups;
  summary.promised_false_campaigns_per_month = outcome.promised_false_campaigns_per_month;
  summary.threshold_log10_e = outcome.threshold_log10_e;
  summary.accounts_by_level = outcome.accounts_by_level;
  summary.end_users_by_level = outcome.end_users_by_level;
  summary.counters = outcome.counters;
  summary.queries_per_hour = outcome.queries_per_hour;
  return summary;
}

report::Report make_report(const Flags& flags, const replay::Outcome& outcome, const std::string& policy_hash) {
  report::Report report;
  report.summary = summarise(flags, outcome, policy_hash);
  for (const event::Campaign& campaign : outcome.campaigns) {
    report::CampaignView view;
    view.campaign = campaign;
    view.input_tokens = campaign.input_tokens;
    if (const auto models = outcome.models.find(campaign.id); models != outcome.models.end())
      view.models = models->second;
    if (const auto members = outcome.members.find(campaign.id); members != outcome.members.end()) {
      for (const replay::OpenedMember& member : members->second) {
        if (view.members.size() == report::kMembersShownMax) break;
        view.members.push_back({member.account, member.member, member.level});
      }
    }
    report.campaigns.push_back(std::move(view));
  }
  for (const replay::OpenedAlarm& alarm : outcome.alarms) report.alarms.push_back({alarm.alarm, alarm.value});
  return report;
}

tl::unexpected<base::Error> too_many_refused(const std::string& out, const std::string& file, std::uint64_t refused,
                                             std::uint64_t lines, double share_max) {
  const double share = 100 * static_cast<double>(refused) / static_cast<double>(lines);
  return base::fail(base::Fault::input,
                    fmt::format("{}{} of {} lines were refused ({:.2f} %, more than the {:.2f} % of "
                                "intake.reject_share_max); the outputs are complete for the others; read "
                                "{}/rejects.ndjson for file, line and reason",
                                file, refused, lines, share, 100 * share_max, out));
}

base::Result<int> replay_logs(Flags& flags) {
  STILLWATCH_TRY(settings, read_settings(flags.config));
  replay::Options& options = flags.options;
  options.engine = settings.engine;
  options.lateness_us = settings.lateness_us;
  options.line_bytes_max = settings.line_bytes_max;
  options.snapshot_seconds = settings.snapshot_seconds;
  options.policy_hash = policy_hash(settings);
  if (options.threads == 0) options.threads = std::max(1U, std::thread::hardware_concurrency());
  if (options.secret.empty()) options.secret = default_secret_path();
  ProgressBar bar(!flags.quiet);
  options.on_progress = [&](const replay::Progress& progress) {
    bar.show("replay", progress.records, progress.bytes_read, progress.bytes_total);
  };
  options.stop_requested = &stop_requested;
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  // Whoever reads standard output may leave; the outputs are made all the same.
  std::signal(SIGPIPE, SIG_IGN);
  if (!flags.truth.empty()) STILLWATCH_CHECK(find_truth(flags.truth));
  const std::string report_path = options.out + "/report.html";
  std::string printed;
  options.add_report = [&](const replay::Outcome& outcome, const std::string& verdicts,
                           replay::OutputSet& outputs) -> base::Status {
    report::Report report = make_report(flags, outcome, options.policy_hash);
    if (!flags.truth.empty()) {
      STILLWATCH_TRY(truth, truth_view(flags.truth, verdicts));
      report.truth = std::move(truth);
    }
    const std::string summary_json = report::render_summary_json(report);
    printed = flags.json ? summary_json : report::render_terminal(report, report_path);
    STILLWATCH_CHECK(outputs.write("report.html", report::render_html(report)));
    return outputs.write("summary.json", summary_json);
  };
  auto outcome = replay::run(options);
  bar.finish();
  if (!outcome) return base::fail(std::move(outcome).error());
  for (const std::string& warning : outcome->warnings)
    std::fprintf(stderr, "stillwatch: warning: %s\n", warning.c_str());
  const bool is_printed =
      std::fwrite(printed.data(), 1, printed.size(), stdout) == printed.size() && std::fflush(stdout) == 0;
  if (!outcome->problems.empty()) {
    for (std::size_t i = 1; i < outcome->problems.size(); ++i) report_error(outcome->problems[i]);
    base::Error first = outcome->problems.front();
    first.message += "; the outputs cover what could be read";
    return base::fail(std::move(first));
  }
  if (outcome->reject_share() > settings.reject_share_max)
    return too_many_refused(options.out, "", outcome->rejected, outcome->lines, settings.reject_share_max);
  if (outcome->account_reject_share() > settings.reject_share_max) {
    return too_many_refused(options.out, options.accounts + ": ", outcome->account_lines_rejected,
                            outcome->account_lines, settings.reject_share_max);
  }
  if (!is_printed) {
    return base::fail(base::Fault::environment,
                      fmt::format("cannot write to standard output; the outputs in {} are complete", options.out));
  }
  return 0;
}

}  // namespace

void add_replay(CLI::App& app, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      app.add_subcommand("replay",
                         "Read logs in event time and write verdicts, campaigns and a report\n\n"
                         "Example:\n  stillwatch replay queries.ndjson.zst --accounts=accounts.ndjson --out=report\n");
  replay::Options& options = flags->options;
  command->add_option("LOG", options.logs, "Query logs (plain, .zst or .gz), merged by time; - reads standard input")
      ->required();
  command->add_option("--accounts", options.accounts, "Account records");
  command->add_option("--out", options.out, "Folder for the results")->required();
  command->add_option("--config", flags->config, "Settings (TOML); see docs/reference/configuration.md");
  command->add_option("--format", options.format, "native, litellm, or map:FILE")->capture_default_str();
  command->add_option("--calibrate", options.calibrate, "Log to calibrate on, instead of the first days of LOG");
  command->add_option("--state", options.state, "Folder for snapshots: an interrupted run goes on where it stopped");
  command->add_option("--ledger", options.ledger.folder,
                      "Audit log (folder): a leaf for each record and verdict; made on first use");
  command->add_option("--ledger-host", options.ledger.host, "First part of the names of its logs")
      ->capture_default_str();
  command->add_option("--ledger-master-key", options.ledger.master_key_file,
                      "File that wraps its keys; made on first use. Default: keys/master in the audit log's folder");
  command->add_option("--secret", options.secret, "Deployment secret; created on first use");
  command->add_option("--threads", options.threads, "Worker threads; 0 means one a core")->default_val(0);
  command->add_option("--truth", flags->truth, "Folder with a simulated world's truth: adds error rates to the report");
  command->add_flag("--json", flags->json, "Print the summary as JSON");
  command->add_flag("--quiet", flags->quiet, "No progress bar");
  command->callback([flags, &run] {
    run = [flags] {
      auto code = replay_logs(*flags);
      return code ? *code : report_error(code.error());
    };
  });
}

}  // namespace stillwatch::app
