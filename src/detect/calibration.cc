#include "detect/calibration.h"

#include <algorithm>
#include <cmath>

#include "base/event_time.h"

namespace stillwatch::detect {
namespace {

struct Prior {
  double location, scale;
};

// What honest groups look like before any were seen, in the order of Measure. From the benign groups of worlds by two
// unrelated hands: a product's tenants use its few templates alike and open no conversations, but each as much as it
// needs; around the world, nights are two thirds as busy as days. Concentration does not count: a product's accounts do
// nothing else, a campaign hides its work in other traffic, a class too.
constexpr double kDoesNotCount = 1e6;
constexpr std::array<Prior, kMeasures> kTraitPriors{{{2.3, 0.9},              // breadth
                                                     {4.0, 3.0},              // template_evenness
                                                     {3.0, 2.0},              // hour_evenness
                                                     {1.0, 1.5},              // volume_evenness
                                                     {0.65, 0.25},            // night_share
                                                     {-0.1, 0.15},            // division
                                                     {0.9, 0.2},              // single_turn
                                                     {0.3, 1.0},              // output_length
                                                     {0.8, 0.15},             // exclusivity
                                                     {0.8, kDoesNotCount},    // concentration
                                                     {4.5, kDoesNotCount},    // content_breadth
                                                     {7.0, 2.0},              // content_evenness
                                                     {0.7, kDoesNotCount},    // single_turn_all
                                                     {0.3, kDoesNotCount},    // output_length_all
                                                     {0.5, kDoesNotCount},    // params_pinned
                                                     {0.1, kDoesNotCount}}};  // fresh_repeats
// Relays: a pool is exchangeable by its making, so evenness says little; but few requests share exclusive content,
// conversations go on, and what is asked is as various as the people who ask.
constexpr std::array<Prior, kMeasures> kHandoffPriors{{{1.5, 1.0},
                                                       {4.0, 3.0},
                                                       {6.0, 2.0},
                                                       {4.0, 3.0},
                                                       {0.5, 0.25},
                                                       {-0.1, 0.15},
                                                       {0.5, 0.2},
                                                       {0.3, 0.5},
                                                       {0.5, 0.25},
                                                       {0.02, 0.04},
                                                       {5.5, kDoesNotCount},
                                                       {7.0, kDoesNotCount},
                                                       {0.45, 0.15},
                                                       {0.15, 0.25},
                                                       {0.35, 0.15},
                                                       {0.03, 0.05}}};
// A prior weighs as much as this many groups.
constexpr double kPriorGroups = 8, kPriorGroupsToNarrow = 200;
// Standardised measures of honest groups add up to about 0; as products differ as a whole, their upper quartile lies
// near 2.5, with an exponential tail of 1.4 beyond it. A tail of 1.1 was tried: over 45 days a product's claimed
// templates drift upward, and one of them passed.
constexpr double kPriorTailStart = 2.5, kPriorTailScale = 1.4;

/// log10 of the e-value that a p-value can be exchanged for: e = (1 - p + p ln p) / (p ln^2 p). The infimum over p = 1
/// is 0.5.
double log10_e_of(double log_p) {
  if (log_p >= -1) return 0;
  const double p = std::exp(log_p);
  return std::log10((1 - p + p * log_p) / (log_p * log_p)) - log_p / std::log(10.0);
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

// Evenness, busy nights and requests without conversation all say "machines": they come together, and honest machines
// exist (a vendor's fleet of devices). So they count together, up to kMachineMax; the rest must come from the work.
// Among groups linked by traits honest products are alike in the work as well: a writing product has many templates,
// long answers and nobody repeats (up to 9 in attack-free months, machines 3), a fleet the reverse (machines 11, work
// 4), campaigns both (11 and 4 to 9.5). There neither sum alone may carry a verdict: work counts up to kWorkMax, and
// the machine-like sum in proportion to three measures at kClip, so that a missing one (customers of uneven size) is
// felt.
constexpr double kMachineMax = 7, kWorkMax = 7;
constexpr double kMachineFull = 10;
// What a new product sends nobody else sends either.
constexpr double kExclusivityMax = 1.5;
/// Whether its absence speaks for a group. One generator with a single wide template, and every prompt sampled by
/// several accounts, are harvests too: few templates and equal prompts acquit nobody. Fleets have few templates as
/// well, but fleets with many exist, so that never was what kept them apart.
bool acquits(LinkKind kind, Measure measure) {
  return kind == LinkKind::handoff || (measure != Measure::breadth && measure != Measure::division);
}

bool is_machine_like(Measure measure) {
  return measure == Measure::template_evenness || measure == Measure::hour_evenness ||
         measure == Measure::volume_evenness || measure == Measure::night_share || measure == Measure::single_turn;
}

const std::array<Prior, kMeasures>& priors(LinkKind kind) {
  return kind == LinkKind::trait ? kTraitPriors : kHandoffPriors;
}

}  // namespace

Calibration::Calibration() {
  fit_stratum(LinkKind::trait, {});
  fit_stratum(LinkKind::handoff, {});
}

Calibration Calibration::fit(const std::vector<GroupTrajectory>& groups, std::uint64_t accounts, std::int64_t period_us,
                             double false_campaigns_per_month_max) {
  Calibration calibration;
  for (const LinkKind kind : {LinkKind::trait, LinkKind::handoff}) {
    std::vector<const GroupTrajectory*> of_kind;
    for (const GroupTrajectory& group : groups) {
      if (group.kind == kind && !group.samples.empty()) of_kind.push_back(&group);
    }
    calibration.fit_stratum(kind, of_kind);
  }
  // The promise, as a bound on one group: with g groups a month among a million accounts, each false with probability
  // at most promise / g, they add up to the promise. A group is one hypothesis for its whole life, since its supremum
  // was calibrated. Groups persist, so those of the calibration week count once a month, and at least 10 per 20,000
  // accounts.
  const double period_months =
      std::max(1.0 / 30, static_cast<double>(period_us) / (30.0 * static_cast<double>(base::kDayUs)));
  const double per_million = 1e6 / std::max<double>(1000, static_cast<double>(accounts));
  const double groups_a_month =
      std::max(1e6 / 300, calibration.group_count() * per_million * std::max(1.0, 1 / (4 * period_months)));
  calibration.promise_ = false_campaigns_per_month_max;
  calibration.threshold_log10_e_ = log10_e_of(std::log(false_campaigns_per_month_max / groups_a_month));
  return calibration;
}

void Calibration::fit_stratum(LinkKind kind, const std::vector<const GroupTrajectory*>& groups) {
  Stratum& stratum = strata_[static_cast<std::size_t>(kind)];
  stratum.groups = static_cast<std::uint32_t>(groups.size());
  const auto n = static_cast<double>(groups.size());
  const double weight = n / (n + kPriorGroups);
  for (std::size_t m = 0; m < kMeasures; ++m) {
    const Prior prior = priors(kind)[m];
    double location = prior.location, scale = prior.scale;
    if (!groups.empty()) {
      std::vector<double> values;
      for (const GroupTrajectory* group : groups) {
        if (group->samples.back().value[m] > kAbsentMeasure) values.push_back(group->samples.back().value[m]);
      }
      if (!values.empty()) location = quantile(values, 0.5);
      for (double& value : values) value = std::abs(value - location);
      if (!values.empty()) scale = 1.4826 * quantile(values, 0.5);  // median absolute deviation, as a normal's sd
    }
    stratum.location[m] = weight * location + (1 - weight) * prior.location;
    // At least half the prior's scale: few groups can agree by chance.
    stratum.scale[m] = std::max(weight * scale + (1 - weight) * prior.scale, prior.scale / 2);
  }
  std::vector<double> suprema;
  for (const GroupTrajectory* group : groups) {
    double supremum = -1e9;
    for (const Measures& sample : group->samples) supremum = std::max(supremum, score(kind, sample));
    suprema.push_back(supremum);
  }
  std::sort(suprema.begin(), suprema.end());
  double start = kPriorTailStart, tail_scale = kPriorTailScale;
  if (suprema.size() >= 4) {
    start = quantile(suprema, 0.75);
    // Robust to a twentieth of poisoned groups: the scale comes from quantiles of the upper quarter, not from its
    // largest. For an exponential tail the median excess is scale x ln 2 and the 80 % excess scale x ln 5.
    const double median_excess = quantile(suprema, 0.875) - start;
    const double far_excess = quantile(suprema, 0.95) - start;
    tail_scale = std::max(median_excess / std::log(2.0), far_excess / std::log(5.0));
  }
  // A handful of groups can show that honest ones differ more than the prior says, never that they differ less: in
  // attack-free months of 2,000 accounts, with 5 to 10 groups to learn from, a tail narrowed by them let one product in
  // thirty pass. So narrowing takes far more groups than widening.
  const auto towards = [&](double fitted, double prior) {
    const double trust = fitted > prior ? weight : n / (n + kPriorGroupsToNarrow);
    return trust * fitted + (1 - trust) * prior;
  };
  stratum.tail_start = towards(start, kPriorTailStart);
  stratum.tail_scale = std::max(towards(tail_scale, kPriorTailScale), kPriorTailScale / 2);
}

std::array<double, kMeasures> Calibration::parts(LinkKind kind, const Measures& measures) const {
  std::array<double, kMeasures> parts{};
  const Stratum& of_kind = stratum(kind);
  for (std::size_t m = 0; m < kMeasures; ++m) {
    if (measures.value[m] <= kAbsentMeasure) continue;
    const double least = acquits(kind, static_cast<Measure>(m)) ? -kClip : 0;
    const double most =
        kind == LinkKind::trait && static_cast<Measure>(m) == Measure::exclusivity ? kExclusivityMax : kClip;
    parts[m] = std::clamp((measures.value[m] - of_kind.location[m]) / of_kind.scale[m], least, most);
  }
  return parts;
}

double Calibration::score(LinkKind kind, const Measures& measures) const {
  return score_of(kind, parts(kind, measures));
}

double Calibration::score_of(LinkKind kind, const std::array<double, kMeasures>& all) {
  double machine = 0, work = 0;
  for (std::size_t m = 0; m < kMeasures; ++m) (is_machine_like(static_cast<Measure>(m)) ? machine : work) += all[m];
  if (kind == LinkKind::handoff) return std::min(machine, kMachineMax) + work;
  if (machine > 0) machine *= kMachineMax / kMachineFull;
  return std::min(machine, kMachineMax) + std::min(work, kWorkMax);
}

event::Strength Calibration::strength(LinkKind kind, double score) const {
  const Stratum& of_kind = stratum(kind);
  event::Strength strength;
  strength.calibration_groups = of_kind.groups;
  if (score <= of_kind.tail_start) return strength;
  const double log_p = std::log(0.25) - (score - of_kind.tail_start) / of_kind.tail_scale;
  strength.log10_e = std::max(0.0, log10_e_of(log_p));
  strength.extrapolated = log_p < -std::log(of_kind.groups + 1.0);
  return strength;
}

std::uint32_t Calibration::group_count() const { return strata_[0].groups + strata_[1].groups; }

}  // namespace stillwatch::detect
