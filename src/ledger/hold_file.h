// The lines of a hold file, and back.
//
// Invariant: the last line authenticates all the others; nothing of them is used before it fits.
// Threads: pure functions. Cost: about 1 µs a hold. Format: docs/reference/ledger-files.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/hold_book.h"

namespace stillwatch::ledger {

inline constexpr std::size_t kHoldFileBytesMax = 16U << 20;  // 1,000 holds of 500 subjects. Longer: refused
inline constexpr std::size_t kHoldNameBytesMax = 64;
inline constexpr std::size_t kHoldCaseBytesMax = 128;
inline constexpr std::size_t kHoldTextBytesMax = 256;
inline constexpr std::size_t kHoldSubjectsMax = 10'000;
inline constexpr std::int64_t kHoldDayMax = 106'000;  // in 2260, the last whole year of event time

/// One hold as a line, without its newline.
std::string hold_line(const Hold& hold);
/// Lines of holds, not yet known to be ours; input error that names the line.
base::Result<std::vector<Hold>> parse_hold_lines(std::string_view lines);

/// The days that a scope's keys are of.
std::int64_t first_day_of_scope(const KeyScope& scope);
std::int64_t last_day_of_scope(const KeyScope& scope);

}  // namespace stillwatch::ledger
