#include "sim/arrivals.h"

#include <gtest/gtest.h>

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

constexpr std::int64_t kStart = 1'772'323'200'000'000;

TEST(Arrivals, GapsHaveMeanOneAndBurstyOnesVaryMore) {
  for (const auto& [weibull, shape] : {std::pair{true, 0.5}, {true, 0.9}, {false, 0.25}, {false, 0.8}, {false, 2.0}}) {
    base::Random random(3);
    const GapShape gaps = make_gap_shape(weibull, shape);
    double sum = 0, squares = 0;
    constexpr int kDraws = 200'000;
    for (int i = 0; i < kDraws; ++i) {
      const double gap = draw_gap(gaps, random);
      ASSERT_GE(gap, 0);
      sum += gap;
      squares += gap * gap;
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(mean, 1, 0.05) << shape;
    const double variation = std::sqrt(squares / kDraws - mean * mean) / mean;
    EXPECT_EQ(variation > 1, shape < 1) << shape;
  }
}

TEST(Arrivals, AWeekOfBusyTimeIsAWeek) {
  for (const Rhythm rhythm :
       {Rhythm::people, Rhythm::office, Rhythm::student, Rhythm::flat, Rhythm::night, Rhythm::service}) {
    const BusyClock clock{rhythm, -5, 1, 9};
    const std::int64_t after = clock.advance(kStart, 168);
    EXPECT_NEAR(static_cast<double>(after - kStart), static_cast<double>(7 * base::kDayUs),
                static_cast<double>(base::kMinuteUs));
  }
}

TEST(Arrivals, OfficesSleepAtNightAndOnSundays) {
  const BusyClock clock{Rhythm::office, 0, 1, 9};
  EXPECT_LT(clock.intensity(kStart + 10 * base::kHourUs), 0.5);  // 2026-03-01 was a Sunday
  EXPECT_GT(clock.intensity(kStart + base::kDayUs + 10 * base::kHourUs), 2);
  EXPECT_LT(clock.intensity(kStart + base::kDayUs + 3 * base::kHourUs), 0.1);
}

TEST(Arrivals, DaysOffKeepTheMeanRate) {
  base::Random random(5);
  double events = 0;
  for (std::uint64_t salt = 1; salt <= 300; ++salt) {
    const BusyClock clock{Rhythm::people, 0, 0.5, salt};
    for (std::int64_t at = clock.advance(kStart, 4 * random.exponential()); at < kStart + 28 * base::kDayUs;
         at = clock.advance(at, 4 * random.exponential()))
      ++events;
  }
  EXPECT_NEAR(events / 300, 28 * 6, 8);
}

}  // namespace
}  // namespace stillwatch::sim
