// `stillwatch evaluate`: verdicts against the truth, beside the baselines.
#include <cmath>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "quality/baselines.h"
#include "quality/evaluation.h"

namespace stillwatch::app {
namespace {

struct Options {
  std::string truth, baselines, accounts;
  std::vector<std::string> verdicts, only;
  double calibrate_days = 7, account_error = 1e-4, days = 0;
  bool oracle = false, json = false;
};

base::Result<std::string> evaluate(const Options& options) {
  if (options.verdicts.empty() && options.baselines.empty()) {
    return base::fail(base::Fault::caller, "nothing to judge: name --verdicts=FILE, or --baselines=LOG, or both");
  }
  if (!(options.calibrate_days > 0) || !(options.account_error > 0 && options.account_error < 1) ||
      !(options.days >= 0 && std::isfinite(options.days))) {
    return base::fail(base::Fault::caller,
                      "--calibrate-days must be above 0, --account-error between 0 and 1, --days 0 or more");
  }
  if (!options.only.empty() && options.baselines.empty())
    return base::fail(base::Fault::caller, "--baseline chooses among the baselines: name their log, --baselines=LOG");
  STILLWATCH_TRY(truth, quality::read_truth(options.truth));
  std::vector<quality::Detector> detectors;
  for (const std::string& path : options.verdicts) {
    STILLWATCH_TRY(detector, quality::read_verdicts(path, truth));
    detectors.push_back(std::move(detector));
  }
  if (!options.baselines.empty()) {
    quality::BaselineOptions baseline_options;
    baseline_options.calibrate_days = options.calibrate_days;
    baseline_options.account_error = options.account_error;
    baseline_options.oracle = options.oracle;
    baseline_options.only = options.only;
    std::string accounts = options.accounts;
    if (accounts.empty()) accounts = quality::with_any_compression(options.truth + "/accounts.ndjson").value_or("");
    STILLWATCH_TRY(baselines, quality::run_baselines(truth, options.baselines, accounts, baseline_options));
    for (quality::Detector& baseline : baselines) detectors.push_back(std::move(baseline));
  }
  STILLWATCH_TRY(evaluation, quality::evaluate(truth, detectors, {options.days}));
  return options.json ? quality::evaluation_json(evaluation) : quality::evaluation_table(evaluation);
}

}  // namespace

void add_evaluate(CLI::App& app, Run& run) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "evaluate",
      "How good verdicts are, against the truth of a simulated world\n\n"
      "  stillwatch evaluate --truth=world --verdicts=out/verdicts.ndjson\n"
      "  stillwatch evaluate --truth=world --verdicts=a/verdicts.ndjson --verdicts=b/verdicts.ndjson \\\n"
      "      --baselines=world/queries.ndjson.zst\n");
  command->add_option("--truth", options->truth, "Folder that simulate wrote: truth.ndjson and queries_truth.ndjson")
      ->required()
      ->type_name("DIR");
  command->add_option("--verdicts", options->verdicts, "Verdict files, one column each")->type_name("FILE");
  command
      ->add_option("--baselines", options->baselines,
                   "Query log: run simple and published detectors over it and show them beside")
      ->type_name("LOG");
  command
      ->add_option(
          "--baseline", options->only,
          fmt::format("Run only this one; may be given several times: {}", fmt::join(quality::baseline_names(), ", ")))
      ->type_name("NAME");
  command
      ->add_option("--accounts", options->accounts,
                   "Account records for the baselines (default: accounts.ndjson of the truth)")
      ->type_name("FILE");
  command
      ->add_option("--calibrate-days", options->calibrate_days,
                   "First days of the log that set the baselines' thresholds")
      ->capture_default_str();
  command
      ->add_option("--account-error", options->account_error,
                   "Share of calibration accounts that a baseline may exceed")
      ->capture_default_str();
  command->add_flag("--oracle", options->oracle,
                    "Also show each baseline with the best threshold that the truth could give at that error");
  command->add_option("--days", options->days,
                      "Length of the period judged (default: from summary.json beside the verdicts)");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] {
    run = [options] {
      const auto text = evaluate(*options);
      if (!text) return report_error(text.error());
      if (std::fwrite(text->data(), 1, text->size(), stdout) != text->size() || std::fflush(stdout) != 0) {
        return report_error({base::Fault::environment, "cannot write to standard output"});
      }
      return 0;
    };
  });
}

}  // namespace stillwatch::app
