// Strict reading of the numbers and lines that all text formats here are made of.
//
// Invariant: one number has one text: decimal digits, no sign, no leading zero, at most kTreeSizeMax.
// Threads: pure functions. Cost: linear.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tlog/tree.h"

namespace stillwatch::tlog {

inline std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t number_max = kTreeSizeMax) {
  // 19 digits hold 2^63 - 1 and cannot overflow 64 bits.
  if (text.empty() || text.size() > 19 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  if (number > number_max) return std::nullopt;
  return number;
}

/// Takes the next line, without its '\n', off `rest`. False, and nothing taken, when no whole line is left.
inline bool take_line(std::string_view& rest, std::string_view& line) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

}  // namespace stillwatch::tlog
