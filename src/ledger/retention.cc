#include "ledger/retention.h"

#include <fmt/format.h>

#include "base/event_time.h"

namespace stillwatch::ledger {
namespace {

constexpr std::array<std::string_view, kRetentionClasses> kNames = {"content",      "evidence", "flagged", "query_log",
                                                                    "engine_state", "verdicts", "reports", "entries"};

// The years that event time knows: 1970-2261.
constexpr std::int64_t kDayMax = 106'000;

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

std::int32_t month_of_day(std::int64_t day) {
  const std::string date = base::format_time(std::clamp<std::int64_t>(day, 0, kDayMax) * base::kDayUs);
  const auto digit = [&](std::size_t at) { return date[at] - '0'; };
  return ((digit(0) * 10 + digit(1)) * 10 + digit(2)) * 1'000 + digit(3) * 100 + digit(5) * 10 + digit(6);
}

std::int64_t first_day_of(std::int32_t month) {
  return day_of(base::parse_time(fmt::format("{:04}-{:02}-01T00:00:00Z", month / 100, month % 100)).value_or(0));
}

std::int64_t first_day_after(std::int32_t month) {
  return first_day_of(month % 100 == 12 ? month + 100 - 11 : month + 1);
}

std::int64_t last_day_due(const RetentionProfile& profile, RetentionClass kind, std::int64_t now_us) {
  return day_of(now_us) - profile.of(kind) - 1;
}

std::int32_t last_month_due(const RetentionProfile& profile, std::int64_t now_us) {
  std::int64_t day = last_day_due(profile, RetentionClass::content, now_us);
  for (std::size_t i = 1; i < kRetentionClasses; ++i) {
    day = std::min(day, last_day_due(profile, static_cast<RetentionClass>(i), now_us));
  }
  const std::int32_t month = month_of_day(day + 1);  // of the first day that is not due
  return month % 100 == 1 ? month - 100 + 11 : month - 1;
}

}  // namespace stillwatch::ledger
