// The names, help texts and label values of every metric of the gateway: what is behind metric_labels.h.
//
// Invariant: label values are in the order of their enumeration, one for each.
// Threads: constants. Reference: docs/reference/metrics.md.
#pragma once

#include <span>
#include <string_view>

#include "gateway/metric_labels.h"

namespace stillwatch::gateway::metric {

/// Counters with one label, in the order of their slots; `values` has Family<...>::kLabels entries.
struct CounterFamily {
  std::string_view name, help, label;
  std::span<const std::string_view> values;
  std::size_t first;
};
struct PlainFamily {
  std::string_view name, help;
};

std::span<const CounterFamily> counter_families();
/// By Duration, Held, Gauge.
std::span<const PlainFamily> duration_families();
std::span<const PlainFamily> held_families();
std::span<const PlainFamily> gauge_families();

std::span<const std::string_view> upstream_events();
std::span<const std::string_view> alarm_kinds();
std::span<const std::string_view> remedy_states();

inline constexpr PlainFamily kRemedies{"stillwatch_remedies_total",
                                       "Requests that a remedy applied to, and whether it was done"};
inline constexpr PlainFamily kUpstreamEventsFamily{"stillwatch_upstream_events_total",
                                                   "What happened with requests to an upstream"};
inline constexpr PlainFamily kSubjects{"stillwatch_subjects", "Subjects that stand at a level now"};
inline constexpr PlainFamily kAlarmActive{"stillwatch_alarm_active", "1 while an alarm is on"};
inline constexpr PlainFamily kBuild{"stillwatch_build_info", "1, with the version that runs"};

}  // namespace stillwatch::gateway::metric
