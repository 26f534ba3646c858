// Charts as inline SVG and HTML, without script: traffic over time and the hours of one campaign.
//
// Invariant: shapes are SVG stretched to the width there is, every label is HTML text beside them, so that
// text stays readable on a phone; each chart has a text alternative. No byte of a log reaches a chart.
// Threads: pure functions. Cost: one path a series, a few bytes a bar.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stillwatch::report {

/// Traffic in equal bins of whole hours; campaigns[i][bin] is part of total[bin].
struct Traffic {
  std::int64_t start_us = 0;
  std::int64_t bin_hours = 1;
  std::vector<std::uint64_t> total;
  std::vector<std::vector<std::uint64_t>> campaigns;
};

inline constexpr std::size_t kColours =
    6;  // distinct in light, dark and for colour-blind readers; further campaigns share one
inline constexpr std::size_t kTrafficBinsMax = 72;
inline constexpr std::size_t kStripColumnsMax = 120;

/// Colour class of a campaign by its place in the report: "k0" to "k5", then "kx".
std::string colour_class(std::size_t place);

/// One hourly series to be drawn: values from the hour that holds start_us.
struct Hourly {
  std::int64_t start_us = 0;
  const std::vector<std::uint32_t>* per_hour = nullptr;
};

/// Bins of 1, 3, 6, 24 or more hours, at most kTrafficBinsMax of them, aligned to UTC. What a campaign has
/// outside the total's span is left out.
Traffic make_traffic(const Hourly& total, const std::vector<Hourly>& campaigns);

/// "an hour", "3 hours", "a day".
std::string bin_in_words(std::int64_t bin_hours);

/// Bars, campaigns at the base; a second panel on its own scale when the campaigns are too small to see in the first.
/// marked_until_us: end of the shaded calibration period, 0 for none.
std::string traffic_chart(const Traffic& traffic, std::int64_t marked_until_us,
                          const std::vector<std::string>& names_escaped);

/// Hours of the day down, days across; darker is more.
std::string time_strip(const Hourly& hours, std::size_t place);

}  // namespace stillwatch::report
