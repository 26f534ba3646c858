#include "app/closed_loop.h"

#include <gtest/gtest.h>

namespace stillwatch::app {
namespace {

// One client, one card for eight, ten templates: as plain as a campaign can be.
ClosedLoopOptions plain_campaign() {
  ClosedLoopOptions options;
  const auto world = sim::parse_world(
      "[world]\ndays = 12\ncalibration_days = 7\n[benign.chat_single]\naccounts = 150\n[benign.chat_multi]\naccounts = "
      "100\n[benign.developer]\naccounts = 150\n[benign.saas_tenant]\naccounts = 150\ngroups = 8\n"
      "[benign.honest_relay]\naccounts = 12\ngroups = 3\nusers_per_account = 4\n"
      "[campaign.a]\naccounts = 50\nstart_day = 8\nrequests_per_account_day = 60\ntemplates = 40\npayment_share = 1\n",
      "test.toml");
  EXPECT_TRUE(world) << (world ? "" : world.error().message);
  if (world) options.world = *world;
  options.seed = 3;
  return options;
}

TEST(ClosedLoop, BansCostAPlainCampaignItsHarvest) {
  ClosedLoopOptions options = plain_campaign();
  options.replacements = 15;
  options.evade_after = 20;
  options.bans = false;
  const auto alone = run_closed_loop(options, {});
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_GT(alone->hostile_answers, 8'000U);
  EXPECT_EQ(alone->hostile_accounts, 50U);
  EXPECT_EQ(alone->hostile_banned + alone->honest_banned + alone->replacements, 0U);
  options.bans = true;
  const auto banned = run_closed_loop(options, {});
  ASSERT_TRUE(banned) << banned.error().message;
  EXPECT_LT(banned->hostile_answers, alone->hostile_answers);
  EXPECT_GT(banned->hostile_banned, 20U);
  EXPECT_EQ(banned->replacements, 15U);
  EXPECT_EQ(banned->hostile_accounts, 65U);
  EXPECT_EQ(banned->evasions, banned->hostile_banned / 20);
  EXPECT_TRUE(banned->first_ban_us.has_value());
}

TEST(ClosedLoop, SameFiguresForAnyNumberOfThreads) {
  ClosedLoopOptions options = plain_campaign();
  options.replacements = 10;
  options.evade_after = 15;
  const auto one = run_closed_loop(options, {});
  options.threads = 3;
  const auto three = run_closed_loop(options, {});
  ASSERT_TRUE(one && three);
  EXPECT_EQ(one->records, three->records);
  EXPECT_EQ(one->hostile_answers, three->hostile_answers);
  EXPECT_EQ(one->hostile_banned, three->hostile_banned);
  EXPECT_EQ(one->honest_banned, three->honest_banned);
  EXPECT_EQ(one->first_ban_us, three->first_ban_us);
}

TEST(ClosedLoop, ACampaignThatNobodyStopsNeedsNoReplacements) {
  ClosedLoopOptions options = plain_campaign();
  options.respond = event::Level::suspend;  // never automatic
  options.replacements = 40;
  const auto at_most = run_closed_loop(options, {});
  ASSERT_TRUE(at_most);
  EXPECT_EQ(at_most->hostile_banned, 0U);
  const auto half = cost_of_half(options, at_most->hostile_answers, *at_most, 3, {});
  ASSERT_TRUE(half);
  EXPECT_TRUE(half->reached);
  EXPECT_EQ(half->budget, 0U);
  EXPECT_EQ(half->accounts_spent, 50U);
  const auto never = cost_of_half(options, 3 * at_most->hostile_answers, *at_most, 3, {});
  ASSERT_TRUE(never);
  EXPECT_FALSE(never->reached);
}

}  // namespace
}  // namespace stillwatch::app
