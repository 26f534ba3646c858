// How good verdicts are, against the truth of a simulated world. Every figure is defined in
// docs/reference/evaluation.md.
//
// Invariant: a verdict at time t counts for requests strictly after t: an engine that needs the request
// itself to decide did not prevent it. Nothing here reads a clock; equal files give equal figures.
// Threads: pure once the truth is read. Cost: hostile requests are streamed once for all detectors, a binary
// search each; memory is that of the verdicts.
// Source: section "Evaluation" of the detection design; bounds are Clopper-Pearson (stats/binomial.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "quality/truth.h"

namespace stillwatch::quality {

/// Honest accounts that share a stratum or a language.
struct ErrorResult {
  std::string name;
  std::uint64_t accounts = 0, alerted = 0, actioned = 0;
  double actioned_upper_95 = 1;
  std::uint64_t units = 0, units_actioned = 0;  // independent units, where the truth names them
  double units_upper_95 = 1;
};

/// One true campaign, one family, or all of them.
struct TheftResult {
  std::string name, family;
  std::uint64_t accounts = 0, alerted = 0, actioned = 0;
  std::uint64_t queries = 0, prevented_queries = 0, output_tokens = 0, prevented_tokens = 0;
  std::optional<double> hours_to_first_alert, hours_to_half, hours_to_90;  // nothing: never
  double best_iou = 0;                                                     // with a found campaign of class distiller
  std::uint64_t fragments = 0;  // found distiller campaigns in which it has the most accounts
};

struct Scores {
  std::string name;
  TheftResult overall;
  std::vector<TheftResult> families, campaigns;
  ErrorResult benign;  // all honest accounts
  std::vector<ErrorResult> strata, languages;
  std::uint64_t alerted_hostile = 0, alerted_benign = 0, actioned_hostile = 0, actioned_benign = 0;
  std::uint64_t found_distillers = 0, found_matched = 0, found_false = 0;
  std::uint64_t found_resellers = 0, found_resellers_benign = 0, found_others = 0;
  std::uint64_t true_campaigns = 0, true_found = 0;
  double fragmentation = 0;  // mean fragments of the true campaigns that have any
  double horizon_days = 0;
  std::optional<double> false_per_month_and_million, false_upper_95, promised_false_campaigns;
  std::uint64_t bad_lines = 0, other_subjects = 0, unknown_accounts = 0;
  std::vector<TestNote> tests;                    // of a baseline
  std::map<std::string, std::uint64_t> left_out;  // what its bounds left out
  std::map<std::string, std::uint64_t> peaks;     // the most that it held at a time of what is bounded
};

struct Evaluation {
  std::uint64_t benign = 0, hostile = 0, queries = 0, output_tokens = 0, bad_lines = 0;
  std::vector<Scores> detectors;
};

struct EvaluationOptions {
  double horizon_days = 0;  // 0: from the summary.json beside the verdicts, else from the times seen
};

base::Result<Evaluation> evaluate(const Truth& truth, const std::vector<Detector>& detectors,
                                  const EvaluationOptions& options = {});

/// A table with one column a detector.
std::string evaluation_table(const Evaluation& evaluation);
/// One JSON object, stable keys (docs/reference/evaluation.md).
std::string evaluation_json(const Evaluation& evaluation);

}  // namespace stillwatch::quality
