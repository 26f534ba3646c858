#include "ledger/retention.h"

#include <fmt/format.h>

#include "base/event_time.h"

namespace stillwatch::ledger {
namespace {

constexpr std::array<std::string_view, kRetentionClasses> kNames = {"content",      "evidence", "flagged", "query_log",
                                                                    "engine_state", "verdicts", "reports", "entries"};

struct YearMonth {
  std::int64_t year;
  int month;
};

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": the proleptic Gregorian calendar by eras of 400 years.
YearMonth year_month_of(std::int64_t day) {
  const std::int64_t shifted = day + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const auto shifted_month = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month};
}

std::int64_t first_day_of(YearMonth when) {
  const std::int64_t year = when.month <= 2 ? when.year - 1 : when.year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (when.month > 2 ? when.month - 3 : when.month + 9) + 2) / 5;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

}  // namespace

std::string_view name_of(RetentionClass kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::optional<RetentionClass> retention_class_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<RetentionClass>(i);
  }
  return std::nullopt;
}

base::Status check_profile(const RetentionProfile& profile) {
  for (std::size_t i = 0; i < kRetentionClasses; ++i) {
    const auto kind = static_cast<RetentionClass>(i);
    const std::int32_t days_min = kind == RetentionClass::entries ? kEntryDaysMin : 0;
    if (profile.days[i] < days_min || profile.days[i] > kRetentionDaysMax) {
      return base::fail(base::Fault::caller, fmt::format("retention of {} is {} days; set it from {} to {}", kNames[i],
                                                         profile.days[i], days_min, kRetentionDaysMax));
    }
  }
  return {};
}

std::int64_t day_of(std::int64_t time_us) {
  const std::int64_t day = time_us / base::kDayUs;
  return time_us % base::kDayUs < 0 ? day - 1 : day;
}

std::int32_t month_of(std::int64_t day) {
  const YearMonth when = year_month_of(day);
  return static_cast<std::int32_t>(when.year * 100 + when.month);
}

std::int64_t first_day_of(std::int32_t month) { return first_day_of(YearMonth{month / 100, month % 100}); }

std::int64_t first_day_after(std::int32_t month) {
  const bool december = month % 100 == 12;
  return first_day_of(YearMonth{month / 100 + (december ? 1 : 0), december ? 1 : month % 100 + 1});
}

std::int64_t last_day_due(const RetentionProfile& profile, RetentionClass kind, std::int64_t now_us) {
  return day_of(now_us) - profile.of(kind) - 1;
}

std::int32_t last_month_due(const RetentionProfile& profile, std::int64_t now_us) {
  std::int64_t day = last_day_due(profile, RetentionClass::content, now_us);
  for (std::size_t i = 1; i < kRetentionClasses; ++i) {
    day = std::min(day, last_day_due(profile, static_cast<RetentionClass>(i), now_us));
  }
  // The month before the one of the first day that is not due.
  return month_of(first_day_of(month_of(day + 1)) - 1);
}

}  // namespace stillwatch::ledger
