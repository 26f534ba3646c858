// How long each kind of content is kept, and what is due at a time.
//
// Invariant: pure functions of settings and a time that is given; nothing here reads a clock or deletes anything. A day
// is due only when all of it is past its time. Threads: plain values. Cost: a few operations.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace stillwatch::ledger {

/// What is kept, by how long. The first three are payloads in the vault and have keys of their own by day.
enum class RetentionClass : std::uint8_t {
  content,       // payloads of requests that nobody suspects
  evidence,      // payloads that a decision rests on
  flagged,       // payloads of accounts that were acted on
  query_log,     // records of the gateway's query log
  engine_state,  // snapshots of the engine
  verdicts,      // verdict, campaign and member files
  reports,       // reports and evidence bundles
  entries,       // leaves of the log itself: entry bundles are pruned, hash tiles stay
};
inline constexpr std::size_t kRetentionClasses = 8;
inline constexpr std::size_t kPayloadClasses = 3;

constexpr bool is_payload(RetentionClass kind) { return static_cast<std::size_t>(kind) < kPayloadClasses; }
std::string_view name_of(RetentionClass kind);
std::optional<RetentionClass> retention_class_named(std::string_view name);

/// Whole days by class, after the end of the day of the record.
struct RetentionProfile {
  std::array<std::int32_t, kRetentionClasses> days{30, 396, 731, 396, 30, 396, 731, 396};
  std::int32_t& of(RetentionClass kind) { return days[static_cast<std::size_t>(kind)]; }
  std::int32_t of(RetentionClass kind) const { return days[static_cast<std::size_t>(kind)]; }
};

/// Six months, below which the leaves of the log may not be pruned (Regulation (EU) 2024/1689, Article 19).
inline constexpr std::int32_t kEntryDaysMin = 183;
inline constexpr std::int32_t kRetentionDaysMax = 36'525;  // 100 years: more is a slip of the pen

/// Caller error naming the class that is out of bounds.
base::Status check_profile(const RetentionProfile& profile);

/// Days since 1970-01-01 of a time; before it negative.
std::int64_t day_of(std::int64_t time_us);
/// The month of a day as 202611; days outside 1970-2260 count as the nearest one inside.
std::int32_t month_of_day(std::int64_t day);
/// The first day of a month, and of the one after it.
std::int64_t first_day_of(std::int32_t month);
std::int64_t first_day_after(std::int32_t month);

/// The last day whose records of this class are all past their time. Days after it are not due.
std::int64_t last_day_due(const RetentionProfile& profile, RetentionClass kind, std::int64_t now_us);
/// The last month whose pseudonym keys nothing needs any more: all of its days are due in every class.
std::int32_t last_month_due(const RetentionProfile& profile, std::int64_t now_us);

}  // namespace stillwatch::ledger
