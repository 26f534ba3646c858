#include "report/charts.h"

#include <fmt/format.h>

#include "base/event_time.h"
#include "report/words.h"

namespace stillwatch::report {
namespace {

constexpr double kHeight = 1000;  // user units of a panel; the page stretches it
constexpr double kBarStep = 10;
constexpr double kVisibleShare = 0.12;  // below this share of the axis the campaigns get a panel of their own

std::int64_t floor_to(std::int64_t value, std::int64_t step) { return value - ((value % step) + step) % step; }

std::uint64_t highest(const std::vector<std::uint64_t>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

// The top of the axis and its step: 2 to 5 steps of 1, 2 or 5 times a power of ten.
std::pair<double, double> axis(std::uint64_t value_max) {
  const double top = std::max<double>(static_cast<double>(value_max), 1);
  double step = std::pow(10, std::floor(std::log10(top)));
  if (top / step < 2)
    step /= 5;
  else if (top / step < 5)
    step /= 2;
  if (step < 1) step = 1;
  double steps = std::ceil(top / step);
  if (steps > 5) {
    step *= 2;
    steps = std::ceil(top / step);
  }
  return {steps * step, step};
}

// One unit for the whole axis.
std::string axis_label(double value, double top) {
  if (value == 0) return "0";
  if (top >= 2e9) return fmt::format("{:g} bn", value / 1e9);
  if (top >= 2e6) return fmt::format("{:g} M", value / 1e6);
  if (top >= 1e4) return fmt::format("{:g} k", value / 1e3);
  return grouped(static_cast<std::uint64_t>(value));
}

// One path of upright bars that stand on `floor` (summed so far) in units of the axis.
std::string bars(const std::vector<std::uint64_t>& values, std::vector<std::uint64_t>& floor, double top,
                 std::string_view css) {
  std::string path;
  const double gap = values.size() > 60 ? 1.2 : 1.8;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) continue;
    const double base = kHeight - static_cast<double>(floor[i]) / top * kHeight;
    const double height = static_cast<double>(values[i]) / top * kHeight;
    fmt::format_to(std::back_inserter(path), "M{:.1f} {:.1f}h{:.1f}v-{:.1f}h-{:.1f}z",
                   static_cast<double>(i) * kBarStep + gap / 2, base, kBarStep - gap, height, kBarStep - gap);
    floor[i] += values[i];
  }
  return path.empty() ? "" : fmt::format("<path class=\"{}\" d=\"{}\"/>", css, path);
}

std::string time_labels(std::int64_t start_us, std::int64_t span_us) {
  std::string out = "<div class=\"xaxis\" aria-hidden=\"true\">";
  const std::int64_t unit = span_us > 3 * base::kDayUs ? base::kDayUs : 6 * base::kHourUs;
  const std::int64_t step = std::max<std::int64_t>(1, (span_us / unit + 6) / 7) * unit;
  int count = 0;
  for (std::int64_t time = floor_to(start_us + unit - 1, unit); time < start_us + span_us; time += step) {
    const double left = 100 * static_cast<double>(time - start_us) / static_cast<double>(span_us);
    if (left > 87) break;  // a label needs an eighth of a phone
    const bool midnight = time % base::kDayUs == 0;
    const std::string text =
        unit == base::kDayUs || midnight ? day_and_month(time) : base::format_time(time).substr(11, 5);
    fmt::format_to(std::back_inserter(out), "<span{} style=\"left:{:.2f}%\">{}</span>",
                   count++ % 2 == 1 ? " class=\"second\"" : "", left, text);
  }
  return out + "</div>";
}

struct Panel {
  std::string shapes;
  double top, step;
};

std::string panel_html(const Panel& panel, std::size_t bins, std::string_view label, std::string_view css) {
  const double width = static_cast<double>(bins) * kBarStep;
  std::string lines, labels;
  for (long mark = 0; mark <= std::lround(panel.top / panel.step); ++mark) {
    const double value = static_cast<double>(mark) * panel.step;
    const double y = 100 - value / panel.top * 100;
    if (value > 0)
      fmt::format_to(std::back_inserter(lines), "<path class=\"grid\" d=\"M0 {:.1f}H{:.0f}\"/>", y * kHeight / 100,
                     width);
    fmt::format_to(std::back_inserter(labels), "<span style=\"top:{:.2f}%\">{}</span>", y,
                   axis_label(value, panel.top));
  }
  return fmt::format(
      "<div class=\"plot {}\"><div class=\"yaxis\" aria-hidden=\"true\">{}</div>"
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">{}{}"
      "<path class=\"base\" d=\"M0 {:.0f}H{:.0f}\"/></svg></div>",
      css, labels, width, kHeight, label, lines, panel.shapes, kHeight, width);
}

}  // namespace

std::string colour_class(std::size_t place) { return place < kColours ? fmt::format("k{}", place) : "kx"; }

std::string bin_in_words(std::int64_t bin_hours) {
  if (bin_hours == 1) return "an hour";
  if (bin_hours == 24) return "a day";
  if (bin_hours % 24 == 0) return fmt::format("{} days", bin_hours / 24);
  return fmt::format("{} hours", bin_hours);
}

Traffic make_traffic(const Hourly& total, const std::vector<Hourly>& campaigns) {
  Traffic out;
  const auto hours = static_cast<std::int64_t>(total.per_hour->size());
  constexpr std::array<std::int64_t, 4> kSteps{1, 3, 6, 24};
  constexpr auto kBins = static_cast<std::int64_t>(kTrafficBinsMax);
  out.bin_hours = kSteps.back();
  for (const std::int64_t step : kSteps) {
    if (hours / step + 1 <= kBins) {
      out.bin_hours = step;
      break;
    }
  }
  while (hours / out.bin_hours + 1 > kBins) out.bin_hours += 24;
  const std::int64_t bin_us = out.bin_hours * base::kHourUs;
  // Bins longer than a day start at the log's first day; shorter ones at their own multiples.
  out.start_us = out.bin_hours > 24 ? floor_to(total.start_us, base::kDayUs) : floor_to(total.start_us, bin_us);
  const std::int64_t first_hour = floor_to(total.start_us, base::kHourUs);
  const auto bins =
      hours == 0 ? 0 : static_cast<std::size_t>((first_hour + (hours - 1) * base::kHourUs - out.start_us) / bin_us + 1);
  const auto fill = [&](const Hourly& series) {
    std::vector<std::uint64_t> values(bins, 0);
    const std::int64_t start = floor_to(series.start_us, base::kHourUs);
    for (std::size_t i = 0; i < series.per_hour->size(); ++i) {
      const std::int64_t offset = start + static_cast<std::int64_t>(i) * base::kHourUs - out.start_us;
      if (offset >= 0 && static_cast<std::size_t>(offset / bin_us) < bins)
        values[static_cast<std::size_t>(offset / bin_us)] += (*series.per_hour)[i];
    }
    return values;
  };
  out.total = fill(total);
  for (const Hourly& campaign : campaigns) out.campaigns.push_back(fill(campaign));
  return out;
}

std::string traffic_chart(const Traffic& traffic, std::int64_t marked_until_us,
                          const std::vector<std::string>& names_escaped) {
  const std::size_t bins = traffic.total.size();
  if (bins == 0) return "<p class=\"note\">No traffic was read.</p>";
  const std::int64_t bin_us = traffic.bin_hours * base::kHourUs;
  const std::int64_t span_us = static_cast<std::int64_t>(bins) * bin_us;
  std::vector<std::uint64_t> campaign_sum(bins, 0), rest = traffic.total;
  for (const auto& series : traffic.campaigns) {
    for (std::size_t i = 0; i < bins; ++i) campaign_sum[i] += series[i];
  }
  for (std::size_t i = 0; i < bins; ++i) rest[i] -= std::min(rest[i], campaign_sum[i]);

  const auto stack = [&](double top, bool with_rest) {
    std::vector<std::uint64_t> floor(bins, 0);
    std::string shapes;
    if (marked_until_us > traffic.start_us) {
      const double share =
          std::min(1.0, static_cast<double>(marked_until_us - traffic.start_us) / static_cast<double>(span_us));
      shapes += fmt::format("<path class=\"marked\" d=\"M0 0h{:.1f}v{:.0f}H0z\"/>",
                            share * static_cast<double>(bins) * kBarStep, kHeight);
    }
    for (std::size_t i = 0; i < traffic.campaigns.size(); ++i)
      shapes += bars(traffic.campaigns[i], floor, top, "fill " + colour_class(i));
    if (with_rest) shapes += bars(rest, floor, top, "rest");
    return shapes;
  };

  std::vector<std::uint64_t> stacked(bins);
  for (std::size_t i = 0; i < bins; ++i) stacked[i] = rest[i] + campaign_sum[i];
  const auto [top, step] = axis(highest(stacked));
  const std::uint64_t campaign_peak = highest(campaign_sum);
  const std::string every = bin_in_words(traffic.bin_hours);
  std::string alternative =
      fmt::format("Requests by {} from {} to {}: at most {}", every, date_and_time(traffic.start_us),
                  date_and_time(traffic.start_us + span_us), grouped(highest(stacked)));
  alternative +=
      campaign_peak > 0 ? fmt::format(", of which campaigns at most {} in one bar.", grouped(campaign_peak)) : ".";

  std::string legend;
  for (std::size_t i = 0; i < names_escaped.size(); ++i) {
    if (i < kColours)
      fmt::format_to(std::back_inserter(legend), "<li><i class=\"{}\"></i>{}</li>", colour_class(i), names_escaped[i]);
  }
  if (names_escaped.size() > kColours) {
    fmt::format_to(std::back_inserter(legend), "<li><i class=\"kx\"></i>{} further</li>",
                   names_escaped.size() - kColours);
  }
  legend +=
      fmt::format("<li><i class=\"rest\"></i>{}</li>", names_escaped.empty() ? "All traffic" : "All other traffic");
  if (marked_until_us > traffic.start_us) legend += "<li><i class=\"marked\"></i>Calibration period</li>";

  std::string out = fmt::format(
      "<figure class=\"traffic\"><figcaption><span class=\"unit\">Requests, one bar {}, UTC</span><ul "
      "class=\"legend\">{}</ul></figcaption>",
      every == "an hour" || every == "a day" ? every : "each " + every, legend);
  out += panel_html({stack(top, true), top, step}, bins, alternative, "tall");
  if (campaign_peak > 0 && static_cast<double>(campaign_peak) < kVisibleShare * top) {
    const auto [own_top, own_step] = axis(campaign_peak);
    out += time_labels(traffic.start_us, span_us);
    out += "<p class=\"unit\">The campaigns alone, on their own scale</p>";
    out += panel_html(
        {stack(own_top, false), own_top, own_step}, bins,
        fmt::format("Requests of the campaigns alone by {}: at most {} in one bar.", every, grouped(campaign_peak)),
        "low");
  }
  out += time_labels(traffic.start_us, span_us);

  out +=
      "<details><summary>The same in numbers</summary><div class=\"scroll tall\"><table><thead><tr><th>From "
      "(UTC)</th><th class=\"n\">Requests</th>"
      "<th class=\"n\">Campaigns</th></tr></thead><tbody>";
  for (std::size_t i = 0; i < bins; ++i) {
    fmt::format_to(std::back_inserter(out), "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                   date_and_time(traffic.start_us + static_cast<std::int64_t>(i) * bin_us), grouped(stacked[i]),
                   grouped(campaign_sum[i]));
  }
  return out + "</tbody></table></div></details></figure>";
}

std::string time_strip(const Hourly& hours, std::size_t place) {
  if (hours.per_hour->empty()) return "<p class=\"note\">No hourly figures were kept.</p>";
  constexpr int kShades = 5;
  const std::int64_t first_hour = floor_to(hours.start_us, base::kHourUs),
                     first_day = floor_to(hours.start_us, base::kDayUs);
  const auto count = static_cast<std::int64_t>(hours.per_hour->size());
  const std::int64_t days = (first_hour + (count - 1) * base::kHourUs - first_day) / base::kDayUs + 1;
  const std::int64_t days_a_column =
      (days + static_cast<std::int64_t>(kStripColumnsMax) - 1) / static_cast<std::int64_t>(kStripColumnsMax);
  const auto columns = static_cast<std::size_t>((days + days_a_column - 1) / days_a_column);
  std::vector<std::uint64_t> cells(columns * 24, 0);
  std::uint64_t sum = 0, night = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t time = first_hour + i * base::kHourUs;
    const auto column = static_cast<std::size_t>((time - first_day) / (base::kDayUs * days_a_column));
    const std::uint32_t value = (*hours.per_hour)[static_cast<std::size_t>(i)];
    cells[column * 24 + static_cast<std::size_t>(base::hour_of_day(time))] += value;
    sum += value;
    if (base::hour_of_day(time) < 6) night += value;
  }
  const std::uint64_t most = highest(cells);
  std::array<std::string, kShades> paths;
  for (std::size_t at = 0; at < cells.size(); ++at) {
    if (cells[at] == 0) continue;
    // Square root: quiet hours stay visible beside a burst.
    const double share = std::sqrt(static_cast<double>(cells[at]) / static_cast<double>(most));
    const auto shade = std::min<std::size_t>(kShades - 1, static_cast<std::size_t>(share * kShades));
    fmt::format_to(std::back_inserter(paths[shade]), "M{} {}h.92v.9h-.92z", at / 24, at % 24);
  }
  std::string shapes;
  for (std::size_t shade = 0; shade < kShades; ++shade) {
    if (!paths[shade].empty()) shapes += fmt::format("<path class=\"s{}\" d=\"{}\"/>", shade, paths[shade]);
  }
  std::string out = fmt::format(
      "<figure class=\"strip {}\"><div class=\"plot\"><div class=\"yaxis\" aria-hidden=\"true\"><span "
      "style=\"top:2%\">00</span><span style=\"top:27%\">06</span>"
      "<span style=\"top:52%\">12</span><span style=\"top:77%\">18</span></div>"
      "<svg viewBox=\"0 0 {} 24\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Requests by day and hour of "
      "the day: {} days, at most {} in one cell, "
      "{} of all between 00 and 06 UTC.\"><path class=\"empty\" d=\"M0 0h{}v24H0z\"/>{}</svg></div>",
      colour_class(place), columns, days, grouped(most),
      percent(sum == 0 ? 0 : static_cast<double>(night) / static_cast<double>(sum)), columns, shapes);
  out += time_labels(first_day, static_cast<std::int64_t>(columns) * days_a_column * base::kDayUs);
  out += fmt::format(
      "<figcaption class=\"unit\"><span>Days across, hours of the day (UTC) down</span><span class=\"scale\">0 <i "
      "class=\"s0\"></i><i class=\"s1\"></i><i class=\"s2\"></i>"
      "<i class=\"s3\"></i><i class=\"s4\"></i> {} requests{}</span></figcaption></figure>",
      grouped(most), days_a_column == 1 ? " an hour" : fmt::format(" by hour, {} days a column", days_a_column));
  return out;
}

}  // namespace stillwatch::report
