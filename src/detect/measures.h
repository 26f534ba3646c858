// Layer L3: what a group does together, as numbers in which a work queue differs from a crowd.
//
// Question 2 of the design, harvest: does one list of work flow through these accounts? People, tenants and students
// who share a product or an assignment differ from each other (in hours, volume, choice of templates), repeat and edit;
// a queue dealt out over accounts makes them exchangeable. Every measure is of requests after linking, and none reads
// language, country or the meaning of a text.
// Invariant: larger always means "more like a harvest". Threads: pure functions. Cost: linear in members.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "detect/account_state.h"

namespace stillwatch::detect {

enum class Measure : std::uint8_t {
  breadth,            // log2 of the effective number of templates (perplexity over 32 buckets)
  template_evenness,  // -log2 of how much members' mixes of templates differ (an effect size, see evenness())
  hour_evenness,      // the same for the hours of the day
  volume_evenness,    // the same for requests per active day
  night_share,        // share of hits in the group's quietest 8 hours, 1 = as busy as the rest
  division,           // 0 when no two members send the same prompt, -1 when each sends all of them
  single_turn,        // share of hits that open no conversation
  output_length,      // log2 of output tokens per hit against the whole traffic, 0 when shorter: judges are short
  exclusivity,        // share of the requests with the group's templates that come from members
  concentration,      // share of members' requests that carry the group's templates
  content_breadth,    // log2 of the effective number of contents of all requests (perplexity over 64 buckets)
  content_evenness,   // as template_evenness, of what all requests are about
  single_turn_all,    // share of all requests that open no conversation
  output_length_all,  // as output_length, of all requests
  params_pinned,      // share of all requests with the commonest parameter vector
  fresh_repeats,      // share of an account's new prompts that another had sent within two hours: sampling, roll-outs
};
inline constexpr std::size_t kMeasures = 16;
std::string_view name(Measure measure);

/// Value of a measure that cannot be taken, such as the evenness of a single template; it counts for nobody.
inline constexpr double kAbsentMeasure = -1000;

constexpr std::array<double, kMeasures> absent_measures() {
  std::array<double, kMeasures> all{};
  all.fill(kAbsentMeasure);
  return all;
}

struct Measures {
  std::array<double, kMeasures> value = absent_measures();
  std::uint64_t queries = 0, hits = 0, outsider_hits = 0;
  std::uint32_t members = 0, members_tested = 0;  // tested: with enough hits to say something
  std::uint32_t handoffs = 0;
  std::uint64_t hits_prompt = 0;                 // hits whose whole prompt other members sent too
  double breadth_pooled = 0;                     // breadth of all hits, from the first on
  double multiplicity = 1;                       // members per distinct prompt
  bool testable = false, work_testable = false;  // at all; with enough of the group's own work

  double& operator[](Measure measure) { return value[static_cast<std::size_t>(measure)]; }
  double operator[](Measure measure) const { return value[static_cast<std::size_t>(measure)]; }
};

struct TrafficBase {
  std::uint64_t queries = 0;  // of all accounts, since the log began
  double output_tokens_mean = 0;
  std::uint64_t outsider_hits = 0;  // requests with this group's templates by non-members
};

/// `members` are the counters of one group's members.
Measures measure_group(std::span<const GroupCounters* const> members, const TrafficBase& base, std::uint32_t hits_min,
                       std::uint32_t queries_min, std::uint32_t members_min);

}  // namespace stillwatch::detect
