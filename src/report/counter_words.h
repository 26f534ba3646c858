// What the counters of a run mean, and what to do about them.
//
// Invariant: a counter without words is shown by its name alone, never left out. Threads: pure functions. Cost: a
// look-up.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace stillwatch::report {

/// One sentence on what happened, one on what to do; empty for an unknown name.
std::string_view counter_meaning(std::string_view name);
/// The counters that say that a bound was met: not zero, and no mere statistic of the run.
std::map<std::string, std::uint64_t> bounds_met(const std::map<std::string, std::uint64_t>& counters);

}  // namespace stillwatch::report
