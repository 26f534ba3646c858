#include "engine/calibration_drift.h"

#include "stats/binomial.h"

namespace stillwatch::engine {

CalibrationDrift calibration_drift(std::span<const detect::GroupFinding> findings,
                                   const detect::Calibration& calibration) {
  constexpr double kShareAbove = 0.25;  // by what the tail's start is
  CalibrationDrift drift;
  for (const detect::GroupFinding& finding : findings) {
    const bool is_finding = finding.strength.log10_e >= calibration.threshold_log10_e();
    if (!finding.measures.testable || is_finding) continue;
    ++drift.groups;
    if (finding.score > calibration.tail_start(finding.kind)) ++drift.above;
  }
  if (drift.groups > 0) drift.log10_p = stats::log10_binomial_upper_tail(drift.above, drift.groups, kShareAbove);
  return drift;
}

}  // namespace stillwatch::engine
