#include "detect/measures.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace stillwatch::detect {
namespace {

constexpr std::uint32_t kMemberHitsMin = 3;

/// How unlike each other members are, as an upper bound on an effect that does not grow with the number of requests.
/// chi-square over degrees of freedom is 1 + n x effect for n requests a member; two standard errors sqrt(2 / df) on
/// top, so that a few requests, which could hide any habit, show no evenness.
double evenness(double chi_square, double degrees, double requests_mean) {
  if (degrees < 1 || requests_mean <= 0) return kAbsentMeasure;
  // Clamped: beyond 8, an effect of 1/256, more evenness only means more data.
  const double excess = std::max(0.0, chi_square / degrees - 1) + 2 * std::sqrt(2 / degrees);
  return std::clamp(-std::log2(excess / requests_mean), -2.0, 8.0);
}

/// Of the members x bins table against one mix for all (Pearson).
template <class CountsOf>
double table_evenness(std::span<const GroupCounters* const> members, std::size_t bins, CountsOf counts_of) {
  std::vector<double> pooled(bins, 0);
  double total = 0;
  for (const GroupCounters* member : members) {
    for (std::size_t bin = 0; bin < bins; ++bin) pooled[bin] += counts_of(*member, bin);
  }
  for (const double count : pooled) total += count;
  const auto used = std::count_if(pooled.begin(), pooled.end(), [](double count) { return count > 0; });
  if (total == 0 || used < 2) return kAbsentMeasure;
  double chi_square = 0, rows = 0;
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
  return evenness(chi_square, (rows - 1) * static_cast<double>(used - 1), total / std::max(1.0, rows));
}

/// Of members' totals against one daily rate for all; Poisson counts have chi-square 1 a degree.
double volume_evenness(std::span<const GroupCounters* const> members) {
  double queries = 0, days = 0;
  for (const GroupCounters* member : members) {
    queries += member->queries;
    days += member->active_days;
  }
  if (queries == 0 || days == 0) return kAbsentMeasure;
  double chi_square = 0;
  for (const GroupCounters* member : members) {
    const double expected = queries / days * member->active_days;
    if (expected > 0) chi_square += (member->queries - expected) * (member->queries - expected) / expected;
  }
  const auto count = static_cast<double>(members.size());
  return evenness(chi_square, count - 1, queries / count);
}

template <std::size_t N>
double breadth(std::span<const GroupCounters* const> members, std::array<std::uint8_t, N> GroupCounters::*buckets) {
  std::array<double, N> pooled{};
  double total = 0;
  for (const GroupCounters* member : members) {
    for (std::size_t bucket = 0; bucket < pooled.size(); ++bucket) pooled[bucket] += (member->*buckets)[bucket];
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
      "breadth",         "template_evenness", "hour_evenness", "volume_evenness", "night_share",     "division",
      "single_turn",     "output_length",     "exclusivity",   "concentration",   "content_breadth", "content_evenness",
      "single_turn_all", "output_length_all", "params_pinned", "fresh_repeats"};
  return kNames[static_cast<std::size_t>(measure)];
}

namespace {

double length_over(double tokens, double requests, double mean) {
  // Short answers speak for nobody: a queue of judgements has them, and so has a chat button.
  return mean <= 0 || requests <= 0 ? 0 : std::max(0.0, std::log2((tokens / requests + 1) / (mean + 1)));
}

/// What all requests of the members are about and when they come, with or without templates.
void measure_content(std::span<const GroupCounters* const> members, const TrafficBase& base, Measures& measures) {
  double single_turn = 0, output_tokens = 0, queries = 0, novel = 0, fresh = 0;
  std::array<double, GroupCounters::kParamsBuckets> params{};
  for (const GroupCounters* member : members) {
    single_turn += member->queries_single_turn;
    output_tokens += static_cast<double>(member->output_tokens);
    queries += member->queries;
    novel += member->prompts_novel;
    fresh += member->repeats_fresh;
    for (std::size_t bucket = 0; bucket < params.size(); ++bucket) params[bucket] += member->params_buckets[bucket];
  }
  double params_all = 0;
  for (const double count : params) params_all += count;
  measures[Measure::hour_evenness] =
      table_evenness(members, 24, [](const GroupCounters& m, std::size_t bin) { return double{1} * m.hours[bin]; });
  measures[Measure::volume_evenness] = volume_evenness(members);
  measures[Measure::night_share] = night_share(members);
  measures[Measure::content_breadth] = breadth(members, &GroupCounters::content_buckets);
  measures[Measure::content_evenness] =
      table_evenness(members, GroupCounters::kContentBuckets,
                     [](const GroupCounters& m, std::size_t bin) { return double{1} * m.content_buckets[bin]; });
  measures[Measure::single_turn_all] = single_turn / queries;
  measures[Measure::output_length_all] = length_over(output_tokens, queries, base.output_tokens_mean);
  measures[Measure::params_pinned] = *std::max_element(params.begin(), params.end()) / std::max(1.0, params_all);
  if (novel > 0) measures[Measure::fresh_repeats] = std::min(1.0, fresh / novel);
}

}  // namespace

Measures measure_group(std::span<const GroupCounters* const> members, const TrafficBase& base, std::uint32_t hits_min,
                       std::uint32_t queries_min, std::uint32_t members_min) {
  Measures measures;
  std::vector<const GroupCounters*> tested, busy;
  std::uint64_t single_turn = 0, output_tokens = 0;
  for (const GroupCounters* member : members) {
    measures.queries += member->queries;
    measures.hits += member->hits;
    measures.handoffs += member->handoffs;
    measures.hits_prompt += member->hits_prompt;
    single_turn += member->hits_single_turn;
    output_tokens += member->hit_output_tokens;
    if (member->hits >= kMemberHitsMin) tested.push_back(member);
    if (member->queries_content >= kMemberHitsMin) busy.push_back(member);
  }
  measures.handoffs /= 2;
  measures.members = static_cast<std::uint32_t>(members.size());
  measures.members_tested = static_cast<std::uint32_t>(std::max(tested.size(), busy.size()));
  measures.outsider_hits = base.outsider_hits;
  const bool work = measures.hits >= hits_min && tested.size() >= members_min;
  measures.work_testable = work;
  measures.testable = work || (measures.queries >= queries_min && busy.size() >= members_min);
  if (busy.size() >= 2) measure_content(busy, base, measures);
  measures[Measure::concentration] =
      static_cast<double>(measures.hits) / std::max(1.0, static_cast<double>(measures.queries));
  measures.breadth_pooled = breadth(members, &GroupCounters::template_buckets);
  if (tested.size() < 2 || measures.hits < hits_min / 2) return measures;
  const double hits = static_cast<double>(measures.hits);
  measures[Measure::breadth] = breadth(tested, &GroupCounters::template_buckets);
  measures[Measure::template_evenness] =
      table_evenness(tested, GroupCounters::kTemplateBuckets,
                     [](const GroupCounters& m, std::size_t bin) { return double{1} * m.template_buckets[bin]; });
  measures.multiplicity = multiplicity(tested);
  measures[Measure::division] = -std::log2(measures.multiplicity) / std::log2(static_cast<double>(tested.size()));
  measures[Measure::single_turn] = static_cast<double>(single_turn) / hits;
  measures[Measure::output_length] = length_over(static_cast<double>(output_tokens), hits, base.output_tokens_mean);
  measures[Measure::exclusivity] = hits / (hits + static_cast<double>(base.outsider_hits));
  return measures;
}

}  // namespace stillwatch::detect
