#include "detect/calibration.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace stillwatch::detect {
namespace {

/// A benign group: measures around the middle of honest life, each with its own habits.
GroupTrajectory benign(base::Random& random, double shift = 0) {
  GroupTrajectory group;
  Measures measures;
  const std::array<double, kMeasures> middle{2.3, 4, 3, 1, 0.65, -0.1, 0.9, 0.3, 0.8, 0.8, 4.5, 7, 0.7, 0.3, 0.5, 0.1};
  const std::array<double, kMeasures> spread{0.9,  2,   1.5, 1.5, 0.2, 0.15, 0.15, 0.5,
                                             0.15, 0.2, 0.8, 1,   0.2, 0.4,  0.2,  0.1};
  for (std::size_t m = 0; m < kMeasures; ++m)
    measures.value[m] = middle[m] + 0.7 * spread[m] * (random.normal() + shift);
  measures.testable = true;
  for (int day = 0; day < 7; ++day) group.samples.push_back(measures);
  return group;
}

std::vector<GroupTrajectory> benign_groups(int count, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<GroupTrajectory> groups;
  groups.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) groups.push_back(benign(random));
  return groups;
}

TEST(Calibration, FreshBenignGroupsSeldomPassTheThreshold) {
  int passed = 0, tried = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto calibration = Calibration::fit(benign_groups(60, seed), 20'000, 7 * base::kDayUs, 1);
    for (const auto& group : benign_groups(500, 1000 + seed)) {
      const double score = calibration.score(LinkKind::trait, group.samples.back());
      passed += calibration.strength(LinkKind::trait, score).log10_e >= calibration.threshold_log10_e() ? 1 : 0;
      ++tried;
    }
  }
  EXPECT_LE(passed, 2) << "of " << tried
                       << " groups; the promise is about 1 in 3,000 at most, exponential tails are wider than these";
}

TEST(Calibration, HarvestPasses) {
  const auto calibration = Calibration::fit(benign_groups(60, 1), 20'000, 7 * base::kDayUs, 1);
  Measures harvest;
  harvest.value = {4.7, 8, 8, 7.5, 0.95, 0, 1, 1.2, 0.98, 0.6, 5.8, 8, 1, 1.2, 0.95, 0.05};
  harvest.testable = true;
  const double score = calibration.score(LinkKind::trait, harvest);
  const auto strength = calibration.strength(LinkKind::trait, score);
  EXPECT_GE(strength.log10_e, calibration.threshold_log10_e());
  EXPECT_TRUE(strength.extrapolated);
  EXPECT_EQ(strength.calibration_groups, 60U);
}

// An honest fleet of devices: as even as a queue in every way that machines are, with a dozen templates.
TEST(Calibration, MachinesAreNoHarvest) {
  const auto calibration = Calibration::fit(benign_groups(2, 1), 3000, 7 * base::kDayUs, 1);
  Measures fleet;
  fleet.value = {3.6, 8, 8, 8, 1.0, 0, 1, 0, 0.98, 1.0, 4, 8, 1, 0, 1, 0};
  fleet.testable = true;
  const double score = calibration.score(LinkKind::trait, fleet);
  EXPECT_LT(calibration.strength(LinkKind::trait, score).log10_e, calibration.threshold_log10_e());
}

// An honest writing product: many templates, long answers that nobody else asks for, by people at their own hours.
TEST(Calibration, WorkWithoutMachinesIsNoHarvest) {
  const auto calibration = Calibration::fit(benign_groups(2, 1), 3000, 7 * base::kDayUs, 1);
  Measures product;
  product.value = {4.7, 8, 6, -0.8, 0.66, 0, 1, 2.5, 0.98, 0.7, 5, 8, 1, 2.5, 1, 0};
  product.testable = true;
  const double score = calibration.score(LinkKind::trait, product);
  EXPECT_LT(calibration.strength(LinkKind::trait, score).log10_e, calibration.threshold_log10_e());
}

// One wide template (self-instruct), or every prompt sampled by several accounts: few templates and equal prompts do
// not acquit a queue of long answers.
TEST(Calibration, OneTemplateOrSampledPromptsAcquitNobody) {
  const auto calibration = Calibration::fit(benign_groups(60, 1), 20'000, 7 * base::kDayUs, 1);
  Measures queue;
  queue.value = {4.7, 8, 8, 8, 0.95, 0, 1, 2.2, 0.98, 0.9, 5, 8, 1, 2.2, 1, 0};
  queue.testable = true;
  for (const auto& [measure, value] : {std::pair{Measure::breadth, 0.0}, std::pair{Measure::division, -0.9}}) {
    Measures harvest = queue;
    harvest[measure] = value;
    const double score = calibration.score(LinkKind::trait, harvest);
    EXPECT_GE(calibration.strength(LinkKind::trait, score).log10_e, calibration.threshold_log10_e()) << name(measure);
  }
}

TEST(Calibration, StrengthGrowsWithTheScoreOnly) {
  const auto calibration = Calibration::fit(benign_groups(30, 2), 5000, 7 * base::kDayUs, 1);
  double before = -1;
  for (int tenths = -200; tenths < 400; ++tenths) {
    const double log10_e = calibration.strength(LinkKind::trait, tenths / 10.0).log10_e;
    EXPECT_GE(log10_e, before);
    before = log10_e;
  }
}

TEST(Calibration, AFewPoisonedGroupsDoNotBlindIt) {
  auto groups = benign_groups(60, 3);
  const double clean = Calibration::fit(groups, 20'000, 7 * base::kDayUs, 1).strength(LinkKind::trait, 18).log10_e;
  base::Random random(4);
  for (int i = 0; i < 2; ++i) groups.push_back(benign(random, 4));
  const double poisoned = Calibration::fit(groups, 20'000, 7 * base::kDayUs, 1).strength(LinkKind::trait, 18).log10_e;
  EXPECT_GT(poisoned, 0.6 * clean);
}

TEST(Calibration, AbsentMeasuresCountForNobody) {
  const auto calibration = Calibration::fit(benign_groups(30, 5), 5000, 7 * base::kDayUs, 1);
  Measures harvest;
  harvest.value = {4.7, 8, 8, 7.5, 0.95, 0, 1, 0.6, 0.9, 0.6, 5.8, 8, 1, 0.6, 0.95, 0.05};  // below any bound
  const auto before = calibration.parts(LinkKind::trait, harvest);
  Measures without = harvest;
  without[Measure::breadth] = kAbsentMeasure;
  const auto parts = calibration.parts(LinkKind::trait, without);
  const auto breadth = static_cast<std::size_t>(Measure::breadth);
  EXPECT_EQ(parts[breadth], 0);
  EXPECT_GT(before[breadth], 0);
  EXPECT_NEAR(calibration.score(LinkKind::trait, without),
              calibration.score(LinkKind::trait, harvest) - before[breadth], 1e-9);
  EXPECT_EQ(calibration.score(LinkKind::trait, Measures{}), 0) << "nothing measured, nothing said";
}

// A benign group without templates teaches about hours and content, and nothing about templates.
TEST(Calibration, AbsentMeasuresTeachNothing) {
  auto groups = benign_groups(30, 6);
  for (auto& group : groups) {
    for (auto& sample : group.samples) sample[Measure::breadth] = kAbsentMeasure;
  }
  Measures measures = groups[0].samples[0];
  measures[Measure::breadth] = 4.1;
  const auto breadth = static_cast<std::size_t>(Measure::breadth);
  EXPECT_NEAR(Calibration::fit(groups, 5000, 7 * base::kDayUs, 1).parts(LinkKind::trait, measures)[breadth],
              Calibration{}.parts(LinkKind::trait, measures)[breadth], 1e-9)
      << "the prior stands";
}

TEST(Calibration, NoGroupsMeansPriorsAndSaysSo) {
  const Calibration none = Calibration::fit({}, 1000, 7 * base::kDayUs, 1);
  const auto strength = none.strength(LinkKind::trait, 20);
  EXPECT_GT(strength.log10_e, 0);
  EXPECT_EQ(strength.calibration_groups, 0U);
  EXPECT_TRUE(strength.extrapolated);
}

}  // namespace
}  // namespace stillwatch::detect
