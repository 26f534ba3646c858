#include "sim/simulate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/event_time.h"
#include "sim/simulated_world.h"

namespace stillwatch::sim {
namespace {

using namespace test;

TEST(Simulate, SameBytesForAnyNumberOfThreads) {
  const World world = crowded_world();
  const Folder one, two, four;
  simulate_into(world, one.path(), 1);
  simulate_into(world, two.path(), 2);
  simulate_into(world, four.path(), 4);
  for (const char* name : {"queries.ndjson.zst", "accounts.ndjson", "truth.ndjson", "queries_truth.ndjson"}) {
    const std::string bytes = read(one / name);
    EXPECT_GT(bytes.size(), 1000U) << name;
    EXPECT_TRUE(bytes == read(two / name)) << name;
    EXPECT_TRUE(bytes == read(four / name)) << name;
  }
}

TEST(Simulate, AnotherSeedIsAnotherWorld) {
  const World world = crowded_world();
  const Folder one, two;
  simulate_into(world, one.path(), 1, 1);
  simulate_into(world, two.path(), 1, 2);
  EXPECT_FALSE(read(one / "queries.ndjson.zst") == read(two / "queries.ndjson.zst"));
}

TEST(Simulate, StreamIsTheFile) {
  const World world = crowded_world();
  const Folder file, stream;
  simulate_into(world, file.path());
  SimulateOptions options;
  options.world = world;
  options.seed = 7;
  options.out = stream.path();
  const int descriptor = ::open((stream / "plain").c_str(), O_CREAT | O_WRONLY, 0600);
  options.stream_to = descriptor;
  ASSERT_TRUE(simulate(options));
  ::close(descriptor);
  EXPECT_TRUE(read(stream / "plain") == unpack(read(file / "queries.ndjson.zst")));
  EXPECT_FALSE(std::filesystem::exists(stream / "queries.ndjson.zst"));
  EXPECT_TRUE(read(stream / "queries_truth.ndjson") == read(file / "queries_truth.ndjson"));
}

TEST(Simulate, RecordsAreWholeSortedAndTrue) {
  const Outcome world = run(crowded_world());
  ASSERT_GT(world.records.size(), 2000U);
  EXPECT_EQ(world.records.size(), world.summary.records);
  EXPECT_EQ(world.hostile_ids.size(), world.summary.hostile_records);
  std::set<std::string> ids, dialects, seen_hostile, strata;
  std::int64_t last_us = 0;
  for (const Record& record : world.records) {
    EXPECT_TRUE(ids.insert(record.id).second) << "twice: " << record.id;
    EXPECT_GE(record.time_us, last_us);
    EXPECT_GT(record.ended_us, record.time_us);
    last_us = record.time_us;
    dialects.insert(record.dialect);
    EXPECT_FALSE(record.model.empty());
    EXPECT_FALSE(record.user_agent.empty());
    EXPECT_FALSE(record.prompt.empty());
    EXPECT_TRUE(world.stratum.count(record.account) + world.campaign.count(record.account) == 1) << record.account;
    if (world.stratum.count(record.account) != 0) strata.insert(world.stratum.at(record.account));
    if (world.hostile_ids.count(record.id) != 0) {
      seen_hostile.insert(record.id);
      EXPECT_EQ(world.campaign.count(record.account), 1U);
    }
  }
  EXPECT_EQ(seen_hostile, world.hostile_ids);
  EXPECT_EQ(dialects.size(), 4U);
  EXPECT_GE(strata.size(), kStrata - 2);  // a late group may stay silent in two days
}

TEST(Simulate, WithoutCampaignsNobodyIsHostile) {
  World world = crowded_world();
  world.campaigns.clear();
  const Outcome result = run(world);
  EXPECT_GT(result.records.size(), 1000U);
  EXPECT_TRUE(result.hostile_ids.empty());
  EXPECT_TRUE(result.campaign.empty());
}

TEST(Simulate, CampaignKeepsItsKnobs) {
  const Outcome result = run(world_from(R"(
[world]
days = 12
failure_rate = 0
[campaign.a]
accounts = 40
requests_per_account_day = 20
attack_share = 0.3
start_day = 2
)"));
  EXPECT_EQ(result.campaign.size(), 40U);
  std::map<std::string, double> per_account;
  for (const Record& record : result.records) ++per_account[record.account];
  const double total = static_cast<double>(result.records.size());
  EXPECT_NEAR(total / (40 * 10), 20, 1.2);
  EXPECT_NEAR(static_cast<double>(result.hostile_ids.size()) / total, 0.3, 0.02);
  EXPECT_EQ(per_account.size(), 40U);
  for (const auto& [account, count] : per_account)
    EXPECT_NEAR(count, 200, 60) << account;  // least recently used: even counts
  EXPECT_GE(result.records.front().time_us, WorldSettings().start_us + 2 * base::kDayUs);
}

TEST(Simulate, ReplacementsTakeOver) {
  World world =
      world_from("[world]\ndays = 10\n[campaign.a]\naccounts = 30\nstart_day = 1\nreplacement_per_day = 0.2\n");
  const Outcome result = run(world);
  EXPECT_GT(result.campaign.size(), 60U);
  EXPECT_LT(result.campaign.size(), 120U);
}

TEST(Simulate, CorporaFillThePrompts) {
  const char* const data = std::getenv("STILLWATCH_DATA");
  if (data == nullptr) GTEST_SKIP() << "set STILLWATCH_DATA to the folder that holds data/prompts";
  const Folder folder;
  SimulateOptions options;
  options.world = world_from(
      "[world]\ndays = 2\n[benign.chat_single]\naccounts = 200\n[campaign.a]\naccounts = 10\nstart_day = 0.5\nfamily = "
      "\"reasoning_sweep\"\n");
  options.out = folder.path();
  options.prompts = std::string(data) + "/data/prompts";
  const auto summary = simulate(options);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_GT(summary->records, 500U);
  options.prompts = folder.path();
  const auto empty = simulate(options);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().fault, base::Fault::caller);
}

TEST(Simulate, AFolderThatCannotBeWrittenIsAnEnvironmentError) {
  SimulateOptions options;
  options.world = crowded_world();
  options.out = "/proc/stillwatch";
  const auto summary = simulate(options);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().fault, base::Fault::environment);
}

TEST(Simulate, AReaderThatStopsIsAnEnvironmentErrorAndLeavesNoTruth) {
  const Folder folder;
  std::ofstream(folder / "queries.ndjson.zst") << "old";
  SimulateOptions options;
  options.world = crowded_world();
  options.out = folder.path();
  const int full = ::open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "this machine has no /dev/full";
  options.stream_to = full;
  const auto summary = simulate(options);
  ::close(full);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().fault, base::Fault::environment);
  EXPECT_FALSE(std::filesystem::exists(folder / "queries_truth.ndjson"));
  EXPECT_FALSE(std::filesystem::exists(folder / "queries.ndjson.zst")) << "left from an earlier run";
}

}  // namespace
}  // namespace stillwatch::sim
