// The strata that look most like machines at work, and habits that change.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/event_time.h"
#include "sim/simulated_world.h"

namespace stillwatch::sim {
namespace {

using namespace test;

TEST(Simulate, FleetsTickEvenlyWithOneSoftware) {
  const Outcome result = run(world_from(
      "[world]\ndays = 6\nfailure_rate = 0\n[benign.device_fleet]\naccounts = 30\ngroups = 1\nlate_share = 0\n"
      "churn_share = 0\nnew_share = 0\n"));
  std::map<std::string, std::vector<double>> gaps;
  std::map<std::string, std::int64_t> last;
  std::set<std::string> agents;
  for (const Record& record : result.records) {
    if (last.count(record.account) != 0)
      gaps[record.account].push_back(static_cast<double>(record.time_us - last[record.account]));
    last[record.account] = record.time_us;
    agents.insert(record.user_agent);
  }
  EXPECT_EQ(agents.size(), 1U);
  EXPECT_EQ(gaps.size(), 30U);
  for (const auto& [account, all] : gaps) {
    ASSERT_GT(all.size(), 20U);
    double mean = 0, square = 0;
    for (const double gap : all) mean += gap / static_cast<double>(all.size());
    for (const double gap : all) square += (gap - mean) * (gap - mean) / static_cast<double>(all.size());
    EXPECT_LT(std::sqrt(square) / mean, 0.1) << account;
  }
}

TEST(Simulate, WritingIsNewLongAndUneven) {
  const Outcome result = run(world_from(
      "[world]\ndays = 10\nfailure_rate = 0\n[benign.writing_product]\naccounts = 100\ngroups = 1\nlate_share = 0\n"));
  std::set<std::string> prompts;
  std::map<std::string, std::size_t> volume;
  std::vector<std::uint64_t> tokens;
  for (const Record& record : result.records) {
    EXPECT_TRUE(prompts.insert(record.prompt).second) << record.prompt;
    EXPECT_EQ(record.messages.size(), 1U);
    ++volume[record.account];
    tokens.push_back(record.output_tokens);
  }
  ASSERT_GT(tokens.size(), 3000U);
  std::sort(tokens.begin(), tokens.end());
  EXPECT_GT(tokens[tokens.size() / 2], 300U);
  std::vector<std::size_t> sizes;
  for (const auto& item : volume) sizes.push_back(item.second);
  std::sort(sizes.begin(), sizes.end());
  EXPECT_GT(sizes.back(), 6 * sizes[sizes.size() / 2]);
}

TEST(Simulate, HackathonsAreOneWeekendUnderOneSponsor) {
  const Folder folder;
  simulate_into(world_from("[world]\ndays = 14\n[benign.hackathon]\naccounts = 40\ngroups = 1\n"), folder.path());
  simdjson::dom::parser parser;
  std::set<std::string> payments;
  std::int64_t first_us = INT64_MAX, last_us = 0;
  for (const std::string& line : lines_of(read(folder / "accounts.ndjson"))) {
    const simdjson::dom::element root = parser.parse(line);
    payments.insert(std::string(std::string_view(root["payment"])));
    const std::int64_t created = base::parse_time(std::string_view(root["created"])).value_or(0);
    first_us = std::min(first_us, created);
    last_us = std::max(last_us, created);
  }
  EXPECT_EQ(payments.size(), 1U);
  EXPECT_LT(last_us - first_us, 2 * base::kHourUs);
  std::size_t records = 0;
  for (const std::string& line : lines_of(unpack(read(folder / "queries.ndjson.zst")))) {
    const simdjson::dom::element root = parser.parse(line);
    const std::int64_t day = base::parse_time(std::string_view(root["time"])).value_or(0) / base::kDayUs;
    EXPECT_TRUE(day % 7 == 2 || day % 7 == 3) << line.substr(0, 80);
    ++records;
  }
  EXPECT_GT(records, 500U);
}

TEST(Simulate, PlatformsPassOnWhoTheirUsersAre) {
  const Outcome result = run(
      world_from("[world]\ndays = 4\n[benign.reseller_platform]\naccounts = 4\ngroups = 2\nusers_per_account = 800\n"));
  std::map<std::string, std::set<std::string>> users;
  for (const Record& record : result.records) {
    EXPECT_FALSE(record.end_user.empty());
    users[record.account].insert(record.end_user);
  }
  EXPECT_EQ(users.size(), 4U);
  for (const auto& [account, all] : users) EXPECT_GT(all.size(), 100U) << account;
}

// Share of the openings of a vendor's last week that its first week had too.
double openings_that_stay(double drift) {
  const Outcome result = run(world_from(
      "[world]\ndays = 28\n[benign.saas_tenant]\naccounts = 120\ngroups = 30\ntemplates = 4\nlate_share = 0\n"
      "drift_per_week = " +
      std::to_string(drift) + "\n"));
  const std::int64_t start_us = WorldSettings().start_us;
  const auto opening = [](const Record& record) { return record.system + "|" + record.prompt.substr(0, 14); };
  std::set<std::string> first;
  std::size_t stay = 0, all = 0;
  for (const Record& record : result.records) {
    if (record.time_us < start_us + 7 * base::kDayUs) {
      first.insert(opening(record));
    } else if (record.time_us >= start_us + 21 * base::kDayUs) {
      ++all;
      stay += first.count(opening(record));
    }
  }
  return static_cast<double>(stay) / static_cast<double>(std::max<std::size_t>(1, all));
}

TEST(Simulate, DriftReplacesWhatVendorsSend) {
  const double same = openings_that_stay(0), drifting = openings_that_stay(0.4);
  EXPECT_GT(same, 0.5);
  EXPECT_LT(drifting, 0.5 * same);
}

}  // namespace
}  // namespace stillwatch::sim
