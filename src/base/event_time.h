// Event time: microseconds since 1970-01-01T00:00:00Z, as RFC 3339 UTC text and back.
//
// Invariant: detection knows no other time; nothing here reads a clock.
// Threads: pure functions. Cost: tens of nanoseconds, no allocation (except format_time's string).
// Spec: RFC 3339 section 5.6, restricted to UTC ("Z" or a numeric offset, converted).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stillwatch::base {

inline constexpr std::int64_t kSecondUs = 1'000'000;
inline constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
inline constexpr std::int64_t kHourUs = 60 * kMinuteUs;
inline constexpr std::int64_t kDayUs = 24 * kHourUs;

/// Microseconds since the epoch; nothing for anything that is not RFC 3339 with at most six
/// fractional digits, or a date that does not exist. Years 1970-2261.
std::optional<std::int64_t> parse_time(std::string_view text);

/// Bytes that write_time writes at most: "2026-04-22T08:15:30.123456Z".
inline constexpr std::size_t kTimeTextBytes = 27;

/// Writes RFC 3339 UTC to out (at least kTimeTextBytes) and returns the length. The fraction is left out
/// when zero and has six digits otherwise.
std::size_t write_time(std::int64_t time_us, char* out);

std::string format_time(std::int64_t time_us);

/// Hour of the day, 0-23 UTC.
constexpr int hour_of_day(std::int64_t time_us) {
  return static_cast<int>((time_us % kDayUs + kDayUs) % kDayUs / kHourUs);
}

}  // namespace stillwatch::base
