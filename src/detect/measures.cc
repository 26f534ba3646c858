#include "detect/measures.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace stillwatch::detect {
namespace {

constexpr std::uint32_t kMemberHitsMin = 3;

/// Pearson's chi-square of the members x bins table against homogeneity, over its degrees of freedom: 1 in expectation
/// when every member draws from the same mix, larger when members have habits of their own.
template <class CountsOf>
double over_dispersion(std::span<const GroupCounters* const> members, std::size_t bins, CountsOf counts_of) {
  std::vector<double> pooled(bins, 0);
  double total = 0;
  for (const GroupCounters* member : members) {
    for (std::size_t bin = 0; bin < bins; ++bin) pooled[bin] += counts_of(*member, bin);
  }
  for (const double count : pooled) total += count;
  const auto used = std::count_if(pooled.begin(), pooled.end(), [](double count) { return count > 0; });
  if (total == 0 || used < 2) return -1;
  double chi_square = 0;
  std::size_t rows = 0;
  for (const GroupCounters* member : members) {
    double own = 0;
    for (std::size_t bin = 0; bin < bins; ++bin) own += counts_of(*member, bin);
    if (own == 0) continue;
    ++rows;
    for (std::size_t bin = 0; bin < bins; ++bin) {
      if (pooled[bin] == 0) continue;
      const double expected = own * pooled[bin] / total;
      const double difference = counts_of(*member, bin) - expected;
      chi_square += difference * difference / expected;
    }
  }
  return rows < 2 ? -1 : chi_square / (static_cast<double>(rows - 1) * static_cast<double>(used - 1));
}

/// -log2 of an over-dispersion, 0 when there is nothing to compare; floors at 1/2 since far less than 1 is chance too.
double evenness(double dispersion) { return dispersion < 0 ? 0 : -std::log2(std::max(dispersion, 0.5)); }

/// Variance over mean of members' requests per active day.
double volume_dispersion(std::span<const GroupCounters* const> members) {
  double queries = 0, days = 0;
  for (const GroupCounters* member : members) {
    queries += member->queries;
    days += member->active_days;
  }
  if (queries == 0 || days == 0) return -1;
  // Each member's total against its expectation at the common daily rate; Poisson counts give 1.
  const double rate = queries / days;
  double sum = 0;
  for (const GroupCounters* member : members) {
    const double expected = rate * member->active_days;
    if (expected > 0) sum += (member->queries - expected) * (member->queries - expected) / expected;
  }
  return sum / static_cast<double>(members.size() - 1);
}

double breadth(std::span<const GroupCounters* const> members) {
  std::array<double, GroupCounters::kTemplateBuckets> pooled{};
  double total = 0;
  for (const GroupCounters* member : members) {
    for (std::size_t bucket = 0; bucket < pooled.size(); ++bucket) pooled[bucket] += member->template_buckets[bucket];
  }
  for (const double count : pooled) total += count;
  double entropy = 0;
  for (const double count : pooled) entropy -= count > 0 ? count / total * std::log2(count / total) : 0;
  return entropy;
}

double night_share(std::span<const GroupCounters* const> members) {
  std::array<double, 24> pooled{};
  double total = 0;
  for (const GroupCounters* member : members) {
    for (std::size_t hour = 0; hour < 24; ++hour) pooled[hour] += member->hours[hour];
  }
  for (const double count : pooled) total += count;
  if (total == 0) return 0;
  double quietest = total;
  for (std::size_t first = 0; first < 24; ++first) {
    double window = 0;
    for (std::size_t i = 0; i < 8; ++i) window += pooled[(first + i) % 24];
    quietest = std::min(quietest, window);
  }
  return quietest / total * 3;
}

double multiplicity(std::span<const GroupCounters* const> members) {
  sketch::Cardinality together;
  double apart = 0;
  for (const GroupCounters* member : members) {
    together.merge(member->prompts);
    apart += member->prompts.estimate();
  }
  const double all = together.estimate();
  return all > 0 ? std::max(1.0, apart / all) : 1.0;
}

}  // namespace

std::string_view name(Measure measure) {
  constexpr std::array<std::string_view, kMeasures> kNames{
      "breadth",  "template_evenness", "hour_evenness", "volume_evenness", "night_share",
      "division", "single_turn",       "output_length", "exclusivity",     "concentration"};
  return kNames[static_cast<std::size_t>(measure)];
}

Measures measure_group(std::span<const GroupCounters* const> members, const TrafficBase& base, std::uint32_t hits_min,
                       std::uint32_t members_min) {
  Measures measures;
  std::vector<const GroupCounters*> tested;
  std::uint64_t single_turn = 0, output_tokens = 0;
  for (const GroupCounters* member : members) {
    measures.queries += member->queries;
    measures.hits += member->hits;
    measures.handoffs += member->handoffs;
    single_turn += member->hits_single_turn;
    output_tokens += member->hit_output_tokens;
    if (member->hits >= kMemberHitsMin) tested.push_back(member);
  }
  measures.handoffs /= 2;
  measures.members = static_cast<std::uint32_t>(members.size());
  measures.members_tested = static_cast<std::uint32_t>(tested.size());
  measures.outsider_hits = base.outsider_hits;
  measures.testable = measures.hits >= hits_min && tested.size() >= members_min;
  if (tested.size() < 2) return measures;
  const double hits = static_cast<double>(measures.hits);
  measures[Measure::breadth] = breadth(tested);
  measures[Measure::template_evenness] =
      evenness(over_dispersion(tested, GroupCounters::kTemplateBuckets, [](const GroupCounters& m, std::size_t bin) {
        return double{1} * m.template_buckets[bin];
      }));
  measures[Measure::hour_evenness] = evenness(
      over_dispersion(tested, 24, [](const GroupCounters& m, std::size_t bin) { return double{1} * m.hours[bin]; }));
  measures[Measure::volume_evenness] = evenness(volume_dispersion(tested));
  measures[Measure::night_share] = night_share(tested);
  measures.multiplicity = multiplicity(tested);
  measures[Measure::division] = -std::log2(measures.multiplicity);
  measures[Measure::single_turn] = static_cast<double>(single_turn) / hits;
  if (base.output_tokens_mean > 0) {
    // Short answers speak for nobody: a queue of judgements has them, and so has a chat button.
    const double ratio = (static_cast<double>(output_tokens) / hits + 1) / (base.output_tokens_mean + 1);
    measures[Measure::output_length] = std::max(0.0, std::log2(ratio));
  }
  measures[Measure::exclusivity] = hits / (hits + static_cast<double>(base.outsider_hits));
  measures[Measure::concentration] = hits / std::max(1.0, static_cast<double>(measures.queries));
  return measures;
}

}  // namespace stillwatch::detect
