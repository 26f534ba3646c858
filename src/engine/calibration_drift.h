// Whether honest traffic still looks like what was calibrated on: for an alarm, never for a verdict.
//
// Invariant: three quarters of the benign groups of calibration stayed below the tail's start; if today's groups that
// are no finding are drawn alike, a quarter of them at most is above it. Far more of them means that a threshold made
// from that calibration promises what it cannot keep. Threads: pure function. Cost: linear in groups.
// Source: binomial upper tail, stats/binomial.h.
#pragma once

#include <cstdint>
#include <span>

#include "detect/calibration.h"
#include "detect/findings.h"

namespace stillwatch::engine {

struct CalibrationDrift {
  std::uint32_t groups = 0;  // testable, and no finding
  std::uint32_t above = 0;   // of these, above the start of the tail
  double log10_p = 0;        // that so many are, if nothing has changed

  /// One in ten thousand: closings are hourly and look at the same groups, so a year has some hundred independent
  /// looks.
  bool is_drifted() const { return log10_p < -4; }
};

CalibrationDrift calibration_drift(std::span<const detect::GroupFinding> findings,
                                   const detect::Calibration& calibration);

}  // namespace stillwatch::engine
