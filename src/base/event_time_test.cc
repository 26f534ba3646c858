#include "base/event_time.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace stillwatch::base {
namespace {

TEST(EventTime, RoundTripsAgainstTheCLibrary) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::int64_t time_us = static_cast<std::int64_t>(random() % (9'000'000'000ULL * 1'000'000ULL));
    const std::string text = format_time(time_us);
    ASSERT_EQ(parse_time(text), time_us) << text;
    const std::time_t seconds = time_us / kSecondUs;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char expected[32];
    std::strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &parts);
    ASSERT_EQ(text.substr(0, 19), expected);
  }
}

TEST(EventTime, AcceptsOffsetsAndFractions) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:01.5Z"), 1'500'000);
  EXPECT_EQ(parse_time("1970-01-01T02:00:00+02:00"), 0);
  EXPECT_EQ(parse_time("1969-12-31T23:59:59Z"), std::nullopt);
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(1), "1970-01-01T00:00:00.000001Z");
}

TEST(EventTime, RefusesWhatIsNotATime) {
  for (const char* text : {"", "2026", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
                           "2026-01-01T00:00:00", "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+2:00", "20x6-01-01T00:00:00Z"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace stillwatch::base
