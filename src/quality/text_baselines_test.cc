#include <gtest/gtest.h>

#include <map>

#include "quality/event_stream.h"

namespace stillwatch::quality {
namespace {

constexpr std::uint32_t kAccounts = 60;
const std::set<std::uint32_t> kAttackers = {3, 4};

// Attackers attack from day 7 on; without them the stream is plain.
bool attacks(const LightEvent& event, int day) { return day >= 7 && kAttackers.contains(event.account); }

BaselineOptions strict() { return {}; }
BaselineOptions five_percent() {
  BaselineOptions options;
  options.account_error = 0.05;
  return options;
}

// Topics that honest accounts share; each prompt lies near one of them.
std::vector<TextVector> topics(std::size_t count) {
  base::Random random(17);
  std::vector<TextVector> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(TextVector::random(random));
  return out;
}

// Honest prompts: any topic, loosely.
TextVector honest(const std::vector<TextVector>& all, base::Random& random) {
  return near(all[random.below(all.size())], 0.5, random);
}

using Attack = std::function<TextVector(std::uint32_t account, base::Random&)>;

Detector run(MakeBaseline* make, const BaselineOptions& options, int per_day, const Attack& attack) {
  const auto all = topics(12);
  const auto baseline = make(options);
  base::Random random(5);
  return run_stream(*baseline, 12, kAccounts, per_day, [&](LightEvent& event, int day, TextVector& vector) {
    vector = attack && attacks(event, day) ? attack(event.account, random) : honest(all, random);
    event.vector = &vector;
  });
}

// With the thresholds that only the truth could give.
Detector run_oracle(MakeBaseline* make, int per_day, const Attack& attack) {
  const auto all = topics(12);
  BaselineOptions options;
  options.oracle = true;
  const auto recorder = make(options), oracle = make({});
  for (Baseline* baseline : {recorder.get(), oracle.get()}) {
    base::Random random(5);
    const auto tests = baseline->tests();
    for (std::size_t i = 0; baseline == oracle.get() && i < tests.size(); ++i)
      tests[i]->set_threshold(recorder->tests()[i]->honest_threshold(truth_of(kAccounts, kAttackers)));
    Detector found = run_stream(*baseline, 12, kAccounts, per_day, [&](LightEvent& event, int day, TextVector& vector) {
      vector = attacks(event, day) ? attack(event.account, random) : honest(all, random);
      event.vector = &vector;
    });
    if (baseline == oracle.get()) return found;
  }
  return {};
}

// At an error of 5 % on a stream where nothing changes, about 5 % of the accounts exceed their threshold; the horizon
// is longer than the calibration, so a few more may.
void expect_error_kept(const Detector& plain) { EXPECT_LE(actioned(plain).size(), kAccounts * 15 / 100); }

void expect_same(const Detector& a, const Detector& b) {
  ASSERT_EQ(a.steps.size(), b.steps.size());
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    EXPECT_EQ(a.steps[i].account, b.steps[i].account);
    EXPECT_EQ(a.steps[i].time_us, b.steps[i].time_us);
  }
  ASSERT_EQ(a.tests.size(), b.tests.size());
  for (std::size_t i = 0; i < a.tests.size(); ++i) EXPECT_EQ(a.tests[i].threshold, b.tests[i].threshold);
}

// Synthetic queries: every second one is a small step from the one before, as when an attacker feels for a border.
TEST(Prada, FindsDistancesThatAreNotNormal) {
  std::map<std::uint32_t, TextVector> last;
  std::map<std::uint32_t, int> sent;
  const Attack attack = [&](std::uint32_t account, base::Random& random) {
    const bool step = sent[account]++ % 2 == 1;
    return last[account] = step ? near(last[account], 0.02, random) : TextVector::random(random);
  };
  const Detector found = run(make_prada, strict(), 24, attack);
  EXPECT_EQ(actioned(found), kAttackers);
  for (const Step& one : found.steps) EXPECT_GE(one.time_us, at(7 * 24, 0).time_us);
  sent.clear();
  expect_same(found, run(make_prada, strict(), 24, attack));
  expect_error_kept(run(make_prada, five_percent(), 24, {}));
}

TEST(Prada, HasNothingToSayBelowAHundredDistances) {
  const auto baseline = make_prada({});
  base::Random random(1);
  const Detector quiet = run_stream(*baseline, 9, 5, 10, [&](LightEvent& event, int, TextVector& vector) {
    vector = TextVector::random(random);
    event.vector = &vector;
  });
  EXPECT_TRUE(quiet.steps.empty());
  EXPECT_EQ(quiet.tests[0].calibration_accounts, 0U);
}

// All variations of one seed: closer to each other than one in a thousand honest prompts.
TEST(Seat, FindsFiftyQueriesThatLieTooClose) {
  const TextVector seed = topics(3)[2];
  const Attack attack = [&](std::uint32_t, base::Random& random) { return near(seed, 0.1, random); };
  const Detector found = run(make_seat, strict(), 24, attack);
  EXPECT_EQ(actioned(found), kAttackers);
  for (const Step& step : found.steps) EXPECT_GE(step.time_us, at((7 + 49.0 / 24) * 24, 0).time_us);  // 50 requests
  expect_same(found, run(make_seat, strict(), 24, attack));
  expect_error_kept(run(make_seat, five_percent(), 24, {}));
}

// Accounts of the first days fill the memory; those who come later still get their part of it.
TEST(BoundedVectors, LeaveRoomForNewAccounts) {
  for (MakeBaseline* make : {make_prada, make_seat}) {
    BaselineOptions options = five_percent();
    options.vectors_max = make == make_prada ? 6500 : 4500;
    const auto baseline = make(options);
    const TextVector seed = topics(3)[2];
    base::Random random(5);
    std::map<std::uint32_t, int> sent;
    std::map<std::uint32_t, TextVector> last;
    const Detector found =
        run_stream(*baseline, 12, kAccounts, 40, [&](LightEvent& event, int day, TextVector& vector) {
          const bool attacker = kAttackers.contains(event.account);
          if (attacker && day < 7) return;
          const bool step = attacker && (make == make_seat || sent[event.account]++ % 2 == 1);
          vector =
              step ? near(make == make_seat ? seed : last[event.account], 0.02, random) : TextVector::random(random);
          last[event.account] = vector;
          event.vector = &vector;
        });
    EXPECT_LE(found.peaks.at("queries held"), options.vectors_max);
    for (const std::uint32_t attacker : kAttackers) EXPECT_TRUE(actioned(found).contains(attacker)) << found.name;
    std::uint64_t left_out = 0;
    for (const auto& entry : found.left_out) left_out += entry.second;
    EXPECT_GT(left_out, 0U);
  }
}

TEST(Mmd, FindsAWindowFromAnotherDistribution) {
  const auto all = topics(12);
  const Attack attack = [&](std::uint32_t, base::Random& random) { return near(all[0], 0.5, random); };
  // Two honest windows an account set the threshold, more come later: some exceed it, none that of the oracle.
  const Detector found = run(make_mmd, strict(), 30, attack);
  for (const std::uint32_t attacker : kAttackers) EXPECT_TRUE(actioned(found).contains(attacker));
  EXPECT_LE(actioned(found).size(), kAttackers.size() + 4);
  EXPECT_EQ(actioned(run_oracle(make_mmd, 30, attack)), kAttackers);
  expect_same(found, run(make_mmd, strict(), 30, attack));
  const Detector plain = run(make_mmd, five_percent(), 30, {});
  expect_error_kept(plain);
  ASSERT_EQ(plain.tests.size(), 3U);
  // Honest windows come from the reference: the unbiased discrepancy is about 0, and smaller in longer windows.
  EXPECT_LT(plain.tests[0].threshold, 0.01);
  EXPECT_EQ(plain.tests[0].calibration_accounts, kAccounts);
  EXPECT_EQ(plain.tests[1].calibration_accounts, 0U);  // 210 requests in the period: no window of 500
}

// Honest accounts stay with the twelve topics; attackers go everywhere.
TEST(Coverage, FindsWhoSpreadsOverMoreThanOthersOfEqualVolume) {
  const auto all = topics(12);
  const auto run_coverage = [&](const BaselineOptions& options, bool with_attack) {
    const auto baseline = make_coverage(options);
    base::Random random(5);
    return run_stream(*baseline, 12, kAccounts, 40, [&](LightEvent& event, int day, TextVector& vector) {
      vector = attacks(event, day) ? TextVector::random(random) : near(all[random.below(12)], 0.2, random);
      // Attackers are new: they come when the attack begins, or never.
      if (attacks(event, day) ? with_attack : !kAttackers.contains(event.account)) event.vector = &vector;
    });
  };
  const Detector found = run_coverage(strict(), true);
  EXPECT_EQ(actioned(found), kAttackers);
  expect_same(found, run_coverage(strict(), true));
  expect_error_kept(run_coverage(five_percent(), false));
  // An account sends 280 requests in the period and 480 in all: no volume is without comparison.
  EXPECT_EQ(found.left_out.at("volumes without comparison"), 0U);
}

// Each account that attacks sends one prompt of the kind with a high score; honest accounts never gather on one kind.
TEST(StreamClusters, FindsManyAccountsWithWeakScoresOnOneKind) {
  const auto run_clusters = [](const BaselineOptions& options, bool with_attack) {
    const auto all = topics(12);
    const auto baseline = make_stream_clusters(options);
    base::Random random(5), kinds(8);
    const TextVector kind = TextVector::random(kinds);
    return run_stream(*baseline, 12, kAccounts, 5, [&](LightEvent& event, int day, TextVector& vector) {
      const bool attack = with_attack && day >= 7 && event.account < 20;
      vector = attack ? near(kind, 0.2, random) : near(all[random.below(12)], 0.2, random);
      event.weak_score = attack ? 3 : static_cast<float>(random.below(3));
      event.vector = &vector;
    });
  };
  const Detector found = run_clusters(strict(), true);
  std::set<std::uint32_t> expected;
  for (std::uint32_t account = 0; account < 20; ++account) expected.insert(account);
  EXPECT_EQ(actioned(found), expected);
  EXPECT_EQ(found.campaigns.size(), 1U);
  expect_same(found, run_clusters(strict(), true));
  expect_error_kept(run_clusters(five_percent(), false));
}

}  // namespace
}  // namespace stillwatch::quality
