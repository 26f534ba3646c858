#include "ledger/retention.h"

#include <gtest/gtest.h>

#include "base/event_time.h"

namespace stillwatch::ledger {
namespace {

std::int64_t at(std::string_view text) { return base::parse_time(text).value(); }

TEST(Retention, MonthsAndDaysAreThoseOfTheCalendar) {
  EXPECT_EQ(day_of(at("1970-01-01T23:59:59.999999Z")), 0);
  EXPECT_EQ(day_of(-1), -1);
  EXPECT_EQ(month_of_day(day_of(at("2026-11-30T23:00:00Z"))), 202611);
  EXPECT_EQ(month_of_day(day_of(at("2024-02-29T00:00:00Z"))), 202402);
  EXPECT_EQ(first_day_of(202612), day_of(at("2026-12-01T00:00:00Z")));
  EXPECT_EQ(first_day_after(202612), day_of(at("2027-01-01T00:00:00Z")));
  for (std::int64_t day = 0; day < 40'000; ++day) {
    const std::int32_t month = month_of_day(day);
    ASSERT_LE(first_day_of(month), day);
    ASSERT_LT(day, first_day_after(month));
    ASSERT_EQ(month_of_day(first_day_of(month)), month);
  }
}

TEST(Retention, ADayIsDueOnlyWhenAllOfItIsPastItsTime) {
  RetentionProfile profile;
  profile.of(RetentionClass::content) = 30;
  const std::int64_t day = day_of(at("2026-10-01T12:00:00Z"));
  // Its last record may be from the end of the day: due 30 days after that.
  EXPECT_LT(last_day_due(profile, RetentionClass::content, at("2026-10-31T23:59:59Z")), day);
  EXPECT_EQ(last_day_due(profile, RetentionClass::content, at("2026-11-01T00:00:00Z")), day);
  profile.of(RetentionClass::content) = 0;
  EXPECT_EQ(last_day_due(profile, RetentionClass::content, at("2026-10-02T00:00:00Z")), day);
}

TEST(Retention, AMonthOfPseudonymsIsDueWhenNothingOfItIsKept) {
  RetentionProfile profile;
  profile.days.fill(10);
  profile.of(RetentionClass::flagged) = 40;
  EXPECT_EQ(last_month_due(profile, at("2026-11-10T00:00:00Z")), 202609);  // the 1st of October is still kept
  EXPECT_EQ(last_month_due(profile, at("2026-12-10T00:00:00Z")), 202609);
  EXPECT_EQ(last_month_due(profile, at("2026-12-11T00:00:00Z")), 202610);
  EXPECT_EQ(last_month_due(profile, at("2027-02-09T12:00:00Z")), 202611);
  EXPECT_EQ(last_month_due(profile, at("2027-02-10T00:00:00Z")), 202612);
  for (std::int64_t now = at("2026-01-01T00:00:00Z"); now < at("2028-06-01T00:00:00Z"); now += base::kDayUs) {
    const std::int64_t last_due = last_day_due(profile, RetentionClass::flagged, now);
    const std::int32_t month = last_month_due(profile, now);
    ASSERT_LE(first_day_after(month) - 1, last_due);
    ASSERT_GT(first_day_after(month_of_day(first_day_after(month))) - 1, last_due);
  }
}

TEST(Retention, TheLawsSixMonthsForTheLogAreAFloor) {
  RetentionProfile profile;
  EXPECT_TRUE(check_profile(profile).has_value());
  profile.of(RetentionClass::entries) = 182;
  const auto refused = check_profile(profile);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().fault, base::Fault::caller);
  EXPECT_NE(refused.error().message.find("entries"), std::string::npos);
  profile.of(RetentionClass::entries) = 183;
  EXPECT_TRUE(check_profile(profile).has_value());
  profile.of(RetentionClass::content) = -1;
  EXPECT_FALSE(check_profile(profile).has_value());
}

TEST(Retention, NamesGoThereAndBack) {
  for (std::size_t i = 0; i < kRetentionClasses; ++i) {
    const auto kind = static_cast<RetentionClass>(i);
    EXPECT_EQ(retention_class_named(name_of(kind)), kind);
  }
  EXPECT_FALSE(retention_class_named("contents").has_value());
}

}  // namespace
}  // namespace stillwatch::ledger
