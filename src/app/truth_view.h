// What the truth says about a run's verdicts, for its report: the one bridge between `quality` and `report`.
//
// Invariant: figures are those of `stillwatch evaluate`. Threads: one caller. Cost: one pass over the hostile requests.
#pragma once

#include <string>

#include "base/result.h"
#include "report/report.h"

namespace stillwatch::app {

/// Caller error when the folder has no truth.
base::Status find_truth(const std::string& truth_folder);
/// `truth_folder` is what `simulate --out` wrote; `verdicts_path` the verdicts to judge.
base::Result<report::TruthView> truth_view(const std::string& truth_folder, const std::string& verdicts_path);

}  // namespace stillwatch::app
