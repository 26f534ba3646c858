#include <gtest/gtest.h>

#include "quality/event_stream.h"

namespace stillwatch::quality {
namespace {

constexpr std::uint32_t kAccounts = 100;

std::set<std::uint32_t> first_accounts(std::uint32_t count) {
  std::set<std::uint32_t> out;
  for (std::uint32_t i = 0; i < count; ++i) out.insert(i);
  return out;
}

// Households of three share two networks; from day 7 on eight accounts go out through one pool of six.
Detector run_evilcohort(bool with_attack) {
  const auto baseline = make_evilcohort({});
  base::Random random(3);
  return run_stream(*baseline, 10, kAccounts, 8, [&](LightEvent& event, int day, TextVector&) {
    const bool attack = with_attack && day >= 7 && event.account < 8;
    event.network = attack ? 1000 + random.below(6) : 1 + event.account / 3 * 2 + random.below(2);
  });
}

TEST(EvilCohort, FindsTheAccountsOfOnePoolOfNetworks) {
  const Detector found = run_evilcohort(true);
  EXPECT_EQ(actioned(found), first_accounts(8));
  EXPECT_EQ(found.campaigns.size(), 1U);
  EXPECT_EQ(found.tests[0].threshold, 3);
  for (const Step& step : found.steps) EXPECT_GE(step.time_us, at(8 * 24, 0).time_us);  // the day must be over
  EXPECT_TRUE(run_evilcohort(false).steps.empty());
}

// One network in common is no edge, however many accounts have it.
TEST(EvilCohort, NeedsTwoSharedNetworks) {
  const auto baseline = make_evilcohort({});
  const Detector found = run_stream(*baseline, 9, 50, 4, [](LightEvent& event, int day, TextVector&) {
    event.network = day < 7 ? 1 + event.account : 999;
  });
  EXPECT_TRUE(found.steps.empty());
}

// Everybody picks among 400 prompts and 5 clients; from day 7 on ten accounts share 20 prompts of their own.
Detector run_fraudar(bool with_attack) {
  const auto baseline = make_fraudar({});
  base::Random random(4);
  return run_stream(*baseline, 10, kAccounts, 20, [&](LightEvent& event, int day, TextVector&) {
    const bool attack = with_attack && day >= 7 && event.account < 10;
    event.prompt = attack ? 5000 + random.below(20) : 1 + random.below(400);
    event.prefix = attack ? 6000 + random.below(20) : 0;
    event.client = 1 + event.account % 5;
  });
}

TEST(Fraudar, FindsTheDenseBlock) {
  const Detector found = run_fraudar(true);
  EXPECT_EQ(actioned(found), first_accounts(10));
  EXPECT_EQ(found.campaigns.size(), 1U);
  const Detector again = run_fraudar(true);
  ASSERT_EQ(again.steps.size(), found.steps.size());
  for (std::size_t i = 0; i < found.steps.size(); ++i) EXPECT_EQ(again.steps[i].account, found.steps[i].account);
  EXPECT_TRUE(run_fraudar(false).steps.empty());
}

// Many prompts that nobody else sends are no block.
TEST(Fraudar, LeavesTokensOfOneAccountOut) {
  const auto baseline = make_fraudar({});
  const Detector found = run_stream(*baseline, 9, 20, 30, [](LightEvent& event, int day, TextVector&) {
    event.prompt = static_cast<std::uint64_t>(event.time_us);
    event.client = day < 7 ? 1 + event.account / 2 : 0;
  });
  EXPECT_TRUE(found.steps.empty());
  EXPECT_EQ(found.left_out.at("tokens of one account"), 9U * 20U * 30U);
}

// People work by day on what they think of; then one account works all night on one thing from many networks.
TEST(AccountDays, FindsTheDayUnlikeAllOthers) {
  const auto run_days = [](double error, bool with_attack) {
    BaselineOptions options;
    options.account_error = error;
    const auto baseline = make_isolation_forest(options);
    base::Random random(6);
    for (int day = 0; day < 10; ++day) {
      for (int hour = 0; hour < 24; ++hour) {
        for (std::uint32_t account = 0; account < kAccounts; ++account) {
          const bool attack = with_attack && day >= 7 && account == 3;
          const bool awake = hour >= 8 + static_cast<int>(account % 3) && hour < 18;
          const std::uint64_t requests = attack ? 12 : awake ? random.below(3) : 0;
          for (std::uint64_t i = 0; i < requests; ++i) {
            LightEvent event = at(day * 24 + hour + 0.05 * static_cast<double>(i) + 1e-6 * account, account);
            event.prompt = attack ? 7 : 1 + random.below(1000);
            event.network = attack ? 1 + random.below(60) : 1 + account;
            event.client = 1 + account % 4;
            event.text_bytes = attack ? 900 : 50 + static_cast<std::uint32_t>(random.below(400));
            event.turns = 1 + static_cast<std::uint32_t>(random.below(4));
            event.output_tokens = attack ? 4000 : 100 + static_cast<std::uint32_t>(random.below(500));
            baseline->add(event);
          }
        }
      }
    }
    return baseline->finish();
  };
  const Detector found = run_days(1e-4, true);
  ASSERT_FALSE(found.steps.empty());
  EXPECT_EQ(found.steps.front().account, 3U);
  EXPECT_TRUE(actioned(found).contains(3));
  EXPECT_LE(actioned(found).size(), 3U);
  const Detector again = run_days(1e-4, true);
  EXPECT_EQ(again.tests[0].threshold, found.tests[0].threshold);
  EXPECT_LE(actioned(run_days(0.05, false)).size(), kAccounts * 15 / 100);
}

}  // namespace
}  // namespace stillwatch::quality
