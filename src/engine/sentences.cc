#include "engine/sentences.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/event_time.h"

namespace stillwatch::engine {

std::string date_in_words(std::int64_t time_us) {
  constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                     "May",       "June",     "July",     "August",
                                                     "September", "October",  "November", "December"};
  const std::string text = base::format_time(time_us);  // 2026-04-22T08:15:30Z
  const auto month = static_cast<std::size_t>((text[5] - '0') * 10 + (text[6] - '0') - 1);
  const int day = (text[8] - '0') * 10 + (text[9] - '0');
  return fmt::format("{} {} {}, {} UTC", day, kMonths[month], text.substr(0, 4), text.substr(11, 5));
}

std::string with_commas(std::uint64_t number) {
  std::string out = fmt::format("{}", number);
  for (std::size_t at = out.size(); at > 3;) out.insert(at -= 3, ",");
  return out;
}

std::string some(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", with_commas(number), number == 1 ? one : many);
}

std::string rate_in_words(std::uint64_t events, std::uint64_t trials) {
  if (events == 0 || trials == 0) return "none";
  const double each = static_cast<double>(trials) / static_cast<double>(events);
  if (each < 3) return fmt::format("{:.0f} of 100", 100 / each);
  // Two digits that matter.
  const double step = std::pow(10, std::max(0.0, std::floor(std::log10(each)) - 1));
  return "about 1 in " + with_commas(static_cast<std::uint64_t>(std::floor(each / step) * step));
}

std::string chance_in_words(double log10_rarity) {
  constexpr std::array<std::string_view, 13> kChances{"",
                                                      "one in 10",
                                                      "one in 100",
                                                      "one in 1,000",
                                                      "one in 10,000",
                                                      "one in 100,000",
                                                      "one in a million",
                                                      "one in 10 million",
                                                      "one in 100 million",
                                                      "one in a billion",
                                                      "one in 10 billion",
                                                      "one in 100 billion",
                                                      "one in a trillion"};
  if (!(log10_rarity >= 1)) return "";
  return std::string(kChances[static_cast<std::size_t>(std::min(log10_rarity, kChances.size() - 1.0))]);
}

}  // namespace stillwatch::engine
