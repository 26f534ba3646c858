// What campaigns do to look ordinary, to look common, and to have others convicted.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/event_time.h"
#include "sim/prompt_template.h"
#include "sim/simulated_world.h"

namespace stillwatch::sim {
namespace {

using namespace test;

constexpr std::int64_t kStartUs = WorldSettings().start_us;

std::int64_t day_us(double day) {
  return kStartUs + static_cast<std::int64_t>(day * static_cast<double>(base::kDayUs));
}

TEST(Reword, IsConsistentAndKeepsEscapes) {
  const auto texts = TextSources::builtin();
  const std::string text = "Write a summary, then write another Summary.\\n###\\n of the text";
  const std::string one = reword(1, texts.passage(), text);
  EXPECT_EQ(one, reword(1, texts.passage(), text));
  EXPECT_NE(one, reword(2, texts.passage(), text));
  std::vector<std::string> words;
  for (std::size_t at = 0; at < one.size();) {
    const std::size_t end = std::min(one.find(' ', at), one.size());
    words.push_back(one.substr(at, end - at));
    at = end + 1;
  }
  ASSERT_GE(words.size(), 10U);
  EXPECT_NE(one.find("\\n###\\n"), std::string::npos);
  const auto lower = [](std::string word) {
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
    while (!word.empty() && std::ispunct(static_cast<unsigned char>(word.back())) != 0) word.pop_back();
    return word;
  };
  EXPECT_EQ(lower(words[0]), lower(words[4])) << one;  // "Write" and "write"
  EXPECT_NE(lower(words[0]), "write");
  EXPECT_EQ(one.find("summary"), std::string::npos) << one;
}

std::size_t openings(int variants) {
  const Outcome result =
      run(world_from("[world]\ndays = 3\n[campaign.a]\naccounts = 20\nstart_day = 0.5\ntemplates = 8\nvariants = " +
                     std::to_string(variants) + "\n"));
  std::map<std::string, std::size_t> count;
  for (const Record& record : result.records) ++count[record.prompt.substr(0, 30)];
  std::size_t often = 0;
  for (const auto& item : count) often += item.second >= 5;
  return often;
}

TEST(Simulate, VariantsAreWholeOtherWordings) {
  const std::size_t one = openings(1), five = openings(5);
  EXPECT_GT(one, 2U);
  EXPECT_GE(five, 2 * one);  // templates that begin with a slot begin alike in all wordings
}

TEST(Simulate, VolumesOfAccountsCanBeUneven) {
  const auto spread = [](const char* sigma) {
    const Outcome result = run(world_from(
        std::string("[world]\ndays = 8\n[campaign.a]\naccounts = 60\nstart_day = 0.5\nrate_sigma = ") + sigma + "\n"));
    std::map<std::string, double> count;
    for (const Record& record : result.records) ++count[record.account];
    const double mean = static_cast<double>(result.records.size()) / 60;
    double square = 0;
    for (const auto& item : count) square += (item.second - mean) * (item.second - mean) / 60;
    EXPECT_NEAR(mean, 7.5 * 26, 12) << sigma;
    return std::sqrt(square) / mean;
  };
  EXPECT_LT(spread("0"), 0.2);
  EXPECT_GT(spread("1.0"), 0.6);
}

TEST(Simulate, WarmedUpAccountsLiveFirst) {
  const Outcome result = run(world_from(
      "[world]\ndays = 14\n[campaign.a]\naccounts = 40\nstart_day = 10\nwarm_up_days = 8\naccount_age_days = 1\n"));
  std::set<std::string> living, harvesting, agents_before, agents_after;
  for (const Record& record : result.records) {
    const bool before = record.time_us < day_us(10);
    EXPECT_GE(record.time_us, day_us(2));
    (before ? living : harvesting).insert(record.account);
    (before ? agents_before : agents_after).insert(record.user_agent);
    if (before) {
      EXPECT_EQ(result.hostile_ids.count(record.id), 0U);
    }
  }
  EXPECT_EQ(result.campaign.size(), 40U);
  EXPECT_GT(living.size(), 30U);
  EXPECT_EQ(harvesting.size(), 40U);
  EXPECT_GT(agents_before.size(), 5U);
  EXPECT_EQ(agents_after.size(), 1U);
}

TEST(Simulate, FramedAccountsHaveNeighboursWithTheirSoftwareNetworkAndTemplates) {
  const Outcome result =
      run(world_from("[world]\ndays = 6\nfailure_rate = 0\n[benign.developer]\naccounts = 120\nrequests_per_day = 30\n"
                     "[campaign.a]\naccounts = 60\nstart_day = 1\nframed_accounts = 3\nframing_share = 0.5\n"));
  std::set<std::string> victims;
  for (const auto& [account, stratum] : result.stratum) {
    if (stratum == "framed") victims.insert(account);
  }
  ASSERT_EQ(victims.size(), 3U);
  const auto looks = [](const Record& record) {
    return record.user_agent + "|" + record.ip.substr(0, record.ip.rfind('.'));
  };
  std::map<std::string, std::set<std::string>> look_of, openings_of;
  for (const Record& record : result.records) {
    look_of[record.account].insert(looks(record));
    openings_of[record.account].insert(record.prompt.substr(0, 12));
  }
  for (const std::string& victim : victims) {
    std::size_t neighbours = 0, with_templates = 0;
    for (const auto& [account, campaign] : result.campaign) {
      bool near = false, same = false;
      for (const std::string& look : look_of[account]) near |= look_of[victim].count(look) != 0;
      for (const std::string& opening : openings_of[account]) same |= openings_of[victim].count(opening) != 0;
      neighbours += near;
      with_templates += near && same;
    }
    EXPECT_GE(neighbours, 10U) << victim;
    EXPECT_GE(with_templates, 5U) << victim;
  }
}

TEST(Simulate, FloodsComeFromThrowAwayAccountsAndAreNoHarvest) {
  const std::string rest = "[world]\ndays = 4\n[campaign.a]\naccounts = 20\nstart_day = 1\n";
  const Outcome calm = run(world_from(rest)), flooded = run(world_from(rest + "hub_flood_per_day = 400\n"));
  EXPECT_NEAR(static_cast<double>(flooded.records.size() - calm.records.size()), 1200, 250);
  EXPECT_EQ(flooded.campaign.size(), 20U + 240U);
  EXPECT_EQ(flooded.hostile_ids, calm.hostile_ids) << "the harvest itself stays as it was";
  std::map<std::string, std::size_t> count;
  for (const Record& record : flooded.records) ++count[record.account];
  EXPECT_LT(static_cast<double>(std::count_if(count.begin(), count.end(), [](auto& item) { return item.second > 20; })),
            25);
}

TEST(Simulate, PoisonersAreThereUntilTheStart) {
  const Outcome result = run(world_from(
      "[world]\ndays = 10\nfailure_rate = 0\n[campaign.a]\naccounts = 10\nstart_day = 7\npoison_accounts = 30\n"));
  EXPECT_EQ(result.campaign.size(), 40U);
  std::size_t before = 0, hostile = 0;
  std::set<std::string> early, late;
  for (const Record& record : result.records) {
    if (record.time_us >= day_us(7)) {
      late.insert(record.account);
      continue;
    }
    early.insert(record.account);
    ++before;
    hostile += result.hostile_ids.count(record.id);
  }
  EXPECT_EQ(early.size(), 30U);
  EXPECT_EQ(late.size(), 10U);
  EXPECT_NEAR(static_cast<double>(hostile) / static_cast<double>(before), 0.1, 0.03);
}

TEST(Simulate, PivotsToTheNewModelWithinHours) {
  const Outcome result = run(world_from(
      "[world]\ndays = 6\nrelease_day = 3\n[campaign.a]\naccounts = 30\nstart_day = 1\nrelease_pivot = true\n"));
  std::size_t after = 0;
  for (const Record& record : result.records) {
    if (result.hostile_ids.count(record.id) == 0) continue;
    if (record.time_us < day_us(3)) {
      EXPECT_EQ(record.model, "m-large");
    }
    if (record.time_us > day_us(3.25)) {
      EXPECT_EQ(record.model, "m-next");
      ++after;
    }
  }
  EXPECT_GT(after, 500U);
}

TEST(Simulate, EndUsersAreForgedRealOrAbsent) {
  const auto seen = [](const char* how) {
    const Outcome result =
        run(world_from("[world]\ndays = 3\n[campaign.a]\naccounts = 10\nstart_day = 1\nattack_share = "
                       "0.3\nresale_share = 1\nend_users "
                       "= \"" +
                       std::string(how) + "\"\n"));
    std::set<std::string> users;
    for (const Record& record : result.records) users.insert(record.end_user);
    users.erase("");
    return users.size();
  };
  EXPECT_EQ(seen("forged"), 10U);
  EXPECT_EQ(seen("none"), 0U);
  EXPECT_GT(seen("real"), 20U);
}

}  // namespace
}  // namespace stillwatch::sim
