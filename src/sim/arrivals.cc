#include "sim/arrivals.h"

#include <algorithm>
#include <cmath>

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

constexpr int kWeekHours = 168;
constexpr int kRhythms = 6;
constexpr double kHoursSkippedMax = 24 * 500;  // beyond any world: the caller's end comes first

// Relative activity by hour of the day; hand-drawn after the daily curves of public LLM traces.
constexpr std::array<double, 24> kPeopleDay = {3, 2, 1, 1, 1, 1, 2, 4,  6,  8,  9, 9,
                                               8, 8, 9, 9, 9, 9, 9, 10, 11, 11, 9, 6};
constexpr std::array<double, 24> kOfficeDay = {0.3, 0.2, 0.1, 0.1, 0.1, 0.2, 0.5, 2, 7,   11,  12,  11,
                                               8,   9,   11,  11,  10,  7,   3,   2, 1.5, 1.2, 0.8, 0.5};
constexpr std::array<double, 24> kStudentDay = {3, 1.5, 0.5, 0.2, 0.2, 0.2, 0.5, 1, 3,  6,  8,  7,
                                                4, 6,   8,   8,   6,   5,   6,   8, 10, 11, 10, 7};
constexpr std::array<double, 24> kFlatDay = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
constexpr std::array<double, 24> kNightDay = {9,   11,  12,  10,  7,   4,   2,   0.5, 0.3, 0.3, 0.3, 0.3,
                                              0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.5, 0.8, 1,   2,   4,   7};
constexpr std::array<double, 24> kServiceDay = {4, 3, 3,  2,  2,  3, 4, 5, 8, 10, 10, 10,
                                                9, 9, 10, 10, 10, 9, 8, 8, 8, 8,  7,  5};

std::array<float, kWeekHours> make_week(const std::array<double, 24>& day, double saturday, double sunday) {
  std::array<float, kWeekHours> week{};
  double total = 0;
  for (int hour = 0; hour < kWeekHours; ++hour) {
    // 1970-01-01 was a Thursday: day 2 of this week is a Saturday.
    const int weekday = hour / 24;
    const double factor = weekday == 2 ? saturday : weekday == 3 ? sunday : 1.0;
    week[hour] = static_cast<float>(day[hour % 24] * factor);
    total += week[hour];
  }
  for (float& weight : week) weight = static_cast<float>(weight * kWeekHours / total);
  return week;
}

const std::array<std::array<float, kWeekHours>, kRhythms>& weeks() {
  static const std::array<std::array<float, kWeekHours>, kRhythms> kWeeks = {
      make_week(kPeopleDay, 0.85, 0.9), make_week(kOfficeDay, 0.15, 0.12), make_week(kStudentDay, 0.5, 0.9),
      make_week(kFlatDay, 1, 1),        make_week(kNightDay, 0.7, 0.7),    make_week(kServiceDay, 0.7, 0.65)};
  return kWeeks;
}

// Marsaglia and Tsang (2000), with the boost for shapes below one.
double draw_gamma(double shape, base::Random& random) {
  if (shape < 1) return draw_gamma(shape + 1, random) * std::pow(1 - random.uniform(), 1 / shape);
  const double d = shape - 1.0 / 3.0;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal();
    const double v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    const double u = 1 - random.uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace

GapShape make_gap_shape(bool weibull, double shape) {
  return {weibull, static_cast<float>(shape), static_cast<float>(weibull ? 1 / std::tgamma(1 + 1 / shape) : 1 / shape)};
}

GapShape draw_gap_shape(base::Random& random) {
  static constexpr double kGamma[] = {0.15, 0.25, 0.42, 0.6, 0.81, 0.9, 0.97, 1.1};
  static constexpr double kWeibull[] = {0.34, 0.4, 0.47, 0.54, 0.61, 0.75, 0.9};
  // Below a shape of 0.34 a single quiet account would send nothing for weeks, then thousands at once.
  const bool weibull = random.chance(0.27);
  const double shape =
      weibull ? kWeibull[random.below(std::size(kWeibull))] : kGamma[1 + random.below(std::size(kGamma) - 1)];
  return make_gap_shape(weibull, shape);
}

double draw_gap(const GapShape& shape, base::Random& random) {
  return shape.scale *
         (shape.weibull ? std::pow(random.exponential(), 1 / shape.shape) : draw_gamma(shape.shape, random));
}

double BusyClock::intensity(std::int64_t time_us) const {
  const std::int64_t local_hour = time_us / base::kHourUs + utc_offset_hours;
  if (active_days < 1) {
    const std::uint64_t draw = base::mix64(salt ^ base::mix64(static_cast<std::uint64_t>(local_hour / 24)));
    if (static_cast<double>(draw >> 11) * 0x1.0p-53 >= active_days) return 0;
  }
  return weeks()[static_cast<std::size_t>(rhythm)][static_cast<std::size_t>(local_hour % kWeekHours)] / active_days;
}

std::int64_t BusyClock::advance(std::int64_t time_us, double busy_hours) const {
  const double limit = kHoursSkippedMax;
  for (double skipped = 0; skipped < limit; ++skipped) {
    const double speed = intensity(time_us);
    const std::int64_t hour_end = (time_us / base::kHourUs + 1) * base::kHourUs;
    const double hours_left = static_cast<double>(hour_end - time_us) / static_cast<double>(base::kHourUs);
    if (speed > 0 && busy_hours <= hours_left * speed) {
      return time_us + static_cast<std::int64_t>(busy_hours / speed * static_cast<double>(base::kHourUs)) + 1;
    }
    busy_hours -= hours_left * speed;
    time_us = hour_end;
  }
  return time_us;
}

double lognormal(base::Random& random, double median, double sigma) {
  return median * std::exp(sigma * random.normal());
}

}  // namespace stillwatch::sim
