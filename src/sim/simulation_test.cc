#include "sim/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/event_time.h"
#include "sim/simulated_world.h"

namespace stillwatch::sim {
namespace {

using namespace test;

std::unique_ptr<Simulation> opened(const std::string& toml, std::optional<std::size_t> spare, std::size_t threads = 2) {
  SimulationOptions options;
  options.world = world_from(toml);
  options.seed = 7;
  options.threads = threads;
  options.spare_accounts = spare;
  auto simulation = Simulation::open(std::move(options));
  EXPECT_TRUE(simulation);
  return std::move(*simulation);
}

std::string value_of(std::string_view line, std::string_view key) {
  const std::string mark = "\"" + std::string(key) + "\":\"";
  const std::size_t at = line.find(mark);
  if (at == std::string_view::npos) return {};
  return std::string(line.substr(at + mark.size(), line.find('"', at + mark.size()) - at - mark.size()));
}

struct Seen {
  std::map<std::string, std::size_t> records;  // by account
  std::set<std::string> hostile, agents;
  std::size_t hostile_records = 0;
  std::string bytes;
};

// Runs until a day of the world.
Seen run_until(Simulation& simulation, double day, std::vector<Simulation::Entry>& entries) {
  Seen seen;
  const std::int64_t until_us =
      WorldSettings().start_us + static_cast<std::int64_t>(day * static_cast<double>(base::kDayUs));
  for (;;) {
    const auto more = simulation.next_slice(entries);
    EXPECT_TRUE(more);
    if (!more || !*more) return seen;
    for (const Simulation::Entry& entry : entries) {
      const std::string account = value_of(entry.line, "account");
      ++seen.records[account];
      seen.bytes += entry.line;
      if (entry.truth.empty()) continue;
      ++seen.hostile_records;
      seen.hostile.insert(account);
      seen.agents.insert(value_of(entry.line, "user_agent"));
    }
    if (!entries.empty() && entries.back().time_us >= until_us) return seen;
  }
}

constexpr std::string_view kWorld =
    "[world]\ndays = 6\nfailure_rate = 0\n[benign.chat_single]\naccounts = 30\nchurn_share = 0\nnew_share = 0\n"
    "[campaign.a]\naccounts = 20\nstart_day = 0.5\nrequests_per_account_day = 60\n";

TEST(Simulation, ABannedAccountIsSilentAndReplacedWithinHoursWhileThereAreSpares) {
  auto simulation = opened(std::string(kWorld), 5);
  std::vector<Simulation::Entry> entries;
  std::size_t listed = 0;
  simulation->for_each_account([&](const std::string&, const std::string&) { ++listed; });
  EXPECT_EQ(listed, 50U) << "spare accounts are in nobody's hands yet";
  const Seen before = run_until(*simulation, 1.5, entries);
  ASSERT_EQ(before.hostile.size(), 20U);
  const std::int64_t now_us = entries.back().time_us;
  std::vector<Replacement> replacements;
  std::set<std::string> banned;
  for (const std::string& account : before.hostile) {
    if (banned.size() == 8) break;
    banned.insert(account);
    simulation->ban(account, now_us, replacements);
    simulation->ban(account, now_us, replacements);  // twice is once
  }
  simulation->ban("acct_of_nobody", now_us, replacements);
  ASSERT_EQ(replacements.size(), 5U);
  for (const Replacement& replacement : replacements) {
    EXPECT_GE(replacement.created_us, now_us);
    EXPECT_LT(replacement.created_us, now_us + 6 * base::kHourUs);
    EXPECT_EQ(base::parse_time(value_of(replacement.account_line, "created")).value_or(0), replacement.created_us);
  }
  EXPECT_EQ(simulation->counts().hostile_banned, 8U);
  EXPECT_EQ(simulation->counts().hostile_accounts, 25U);
  const Seen after = run_until(*simulation, 2.5, entries);
  for (const std::string& account : banned) EXPECT_EQ(after.records.count(account), 0U);
  for (const Replacement& replacement : replacements)
    EXPECT_EQ(after.hostile.count(value_of(replacement.account_line, "account")), 1U);
  EXPECT_EQ(after.hostile.size(), 17U);
}

TEST(Simulation, WorkShrinksWithTheAccountsThatAreLeft) {
  auto simulation = opened(std::string(kWorld), 0);
  std::vector<Simulation::Entry> entries;
  run_until(*simulation, 1, entries);
  const Seen whole = run_until(*simulation, 3, entries);
  std::vector<Replacement> replacements;
  std::size_t count = 0;
  for (const std::string& account : whole.hostile) {
    if (++count > 10) break;
    simulation->ban(account, entries.back().time_us, replacements);
  }
  EXPECT_TRUE(replacements.empty());
  const Seen half = run_until(*simulation, 5, entries);
  EXPECT_NEAR(static_cast<double>(half.hostile_records) / static_cast<double>(whole.hostile_records), 0.5, 0.07);
}

TEST(Simulation, AnHonestAccountCanBeBannedToo) {
  auto simulation = opened(std::string(kWorld), 5);
  std::vector<Simulation::Entry> entries;
  const Seen before = run_until(*simulation, 1.5, entries);
  std::string honest;
  for (const auto& [account, records] : before.records) {
    if (before.hostile.count(account) == 0 && (honest.empty() || records > before.records.at(honest))) honest = account;
  }
  std::vector<Replacement> replacements;
  simulation->ban(honest, entries.back().time_us, replacements);
  EXPECT_TRUE(replacements.empty());
  EXPECT_EQ(simulation->counts().honest_banned, 1U);
  EXPECT_EQ(run_until(*simulation, 5, entries).records.count(honest), 0U);
}

TEST(Simulation, StepsOfEvasionChangeWhatTheyName) {
  auto simulation = opened(std::string(kWorld), 0);
  std::vector<Simulation::Entry> entries;
  run_until(*simulation, 1, entries);
  const Seen before = run_until(*simulation, 2, entries);
  EXPECT_EQ(before.agents.size(), 1U);
  simulation->evade(Evasion::reword);
  simulation->evade(Evasion::spoof);
  simulation->evade(Evasion::residential);
  simulation->evade(Evasion::unpace);
  run_until(*simulation, 2.1, entries);
  const Seen changed = run_until(*simulation, 3.1, entries);
  EXPECT_GT(changed.agents.size(), 5U);
  simulation->evade(Evasion::dilute);
  run_until(*simulation, 3.2, entries);
  const Seen diluted = run_until(*simulation, 4.2, entries);
  EXPECT_NEAR(static_cast<double>(diluted.hostile_records) / static_cast<double>(before.hostile_records), 0.5, 0.1);
}

TEST(Simulation, SameBytesForAnyNumberOfThreadsWithBansToo) {
  const auto bytes = [](std::size_t threads) {
    auto simulation = opened(std::string(kWorld), 4, threads);
    std::vector<Simulation::Entry> entries;
    std::string all;
    std::vector<Replacement> replacements;
    for (double day = 1; day < 6; day += 0.5) {
      const Seen seen = run_until(*simulation, day, entries);
      all += seen.bytes;
      if (!seen.hostile.empty() && !entries.empty())
        simulation->ban(*seen.hostile.begin(), entries.back().time_us, replacements);
      if (day > 2) simulation->evade(evasion_step(static_cast<std::size_t>(day * 2) - 5));
    }
    for (const Replacement& replacement : replacements) all += replacement.account_line;
    return all;
  };
  const std::string one = bytes(1);
  EXPECT_GT(one.size(), 100'000U);
  EXPECT_TRUE(one == bytes(3));
}

}  // namespace
}  // namespace stillwatch::sim
