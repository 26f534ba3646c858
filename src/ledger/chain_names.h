// Names of the logs of one chain: a month, and a number when a month has more than one.
//
// Internal to this module. Invariant: one log has one name, and names sort as their logs follow each other.
// Threads: plain values. Cost: none.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::ledger {

struct LogName {
  std::string month;         // "2026-11"
  std::uint32_t number = 1;  // of the log within the month

  auto operator<=>(const LogName&) const = default;
  /// "2026-11", "2026-11-2".
  std::string text() const;
  /// The log that follows in `month`, or in this one's when that is not over.
  LogName next(const std::string& next_month) const;
  /// Of `text` behind `prefix`; nothing unless text() gives it back.
  static std::optional<LogName> parse(std::string_view text, std::string_view prefix);
};

/// The logs that files or folders in `folder` are named after (prefix, name, suffix), sorted. None when it is missing.
base::Result<std::vector<LogName>> log_names(const std::string& folder, std::string_view prefix,
                                             std::string_view suffix);

}  // namespace stillwatch::ledger
