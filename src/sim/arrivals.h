// When things happen: bursty gaps in a clock that runs with people's days and weeks.
//
// Gaps are Weibull or Gamma in "busy time"; busy time runs fast in busy hours of the week and stands still
// on days off. Shapes are quantiles of the clients of a production service: ServeGen (arXiv 2505.09999), fitted
// windows of its language workload: 73 % Gamma with shape 0.15 / 0.42 / 0.81 / 0.97, 27 % Weibull with shape
// 0.27 / 0.34 / 0.47 / 0.61 (10 / 25 / 50 / 75 % quantile); CV of gaps 1.03 / 1.27 / 2.5 / 5.2 (25 / 50 / 75 / 90 %).
// Invariant: times only move forward. Threads: pure. Cost: one power function a gap and 1 ns an hour skipped.
#pragma once

#include <array>
#include <cstdint>

#include "base/random.h"

namespace stillwatch::sim {

enum class Rhythm : std::uint8_t { people, office, student, flat, night, service };

/// The shape of one client's gaps, mean one.
struct GapShape {
  bool weibull = true;
  float shape = 0.7F;
  float scale = 1;  // makes the mean one
};
GapShape make_gap_shape(bool weibull, double shape);
/// A client's shape, as often as ServeGen's clients have it.
GapShape draw_gap_shape(base::Random& random);
double draw_gap(const GapShape& shape, base::Random& random);

/// One account's clock.
struct BusyClock {
  Rhythm rhythm = Rhythm::people;
  std::int8_t utc_offset_hours = 0;
  float active_days = 1;   // share of days with any activity
  std::uint64_t salt = 0;  // decides which days are off
  /// The time at which `busy_hours` more hours of mean activity have passed.
  std::int64_t advance(std::int64_t time_us, double busy_hours) const;
  /// Activity now, mean one over a week.
  double intensity(std::int64_t time_us) const;
};

double lognormal(base::Random& random, double median, double sigma);

}  // namespace stillwatch::sim
