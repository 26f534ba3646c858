#include "app/truth_view.h"

#include <fmt/format.h>

#include "quality/evaluation.h"

namespace stillwatch::app {

base::Status find_truth(const std::string& truth_folder) {
  if (quality::with_any_compression(truth_folder + "/truth.ndjson")) return {};
  return base::fail(base::Fault::caller,
                    fmt::format("{}/truth.ndjson is missing; --truth names the folder that `stillwatch simulate --out` "
                                "wrote",
                                truth_folder));
}

base::Result<report::TruthView> truth_view(const std::string& truth_folder, const std::string& verdicts_path) {
  STILLWATCH_TRY(truth, quality::read_truth(truth_folder));
  STILLWATCH_TRY(detector, quality::read_verdicts(verdicts_path, truth));
  STILLWATCH_TRY(evaluation, quality::evaluate(truth, {std::move(detector)}));
  const quality::Scores& scores = evaluation.detectors.front();
  report::TruthView out;
  for (const quality::ErrorResult& stratum : scores.strata) {
    out.strata.push_back(
        {stratum.name, stratum.accounts, stratum.alerted, stratum.actioned, stratum.actioned_upper_95});
  }
  for (const quality::TheftResult& family : scores.families) {
    out.families.push_back({family.name, family.accounts, family.actioned, family.queries, family.prevented_queries,
                            family.hours_to_first_alert.value_or(-1)});
  }
  return out;
}

}  // namespace stillwatch::app
