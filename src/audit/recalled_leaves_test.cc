#include "audit/recalled_leaves.h"

#include <gtest/gtest.h>

#include "audit/commitments.h"
#include "audit/feed_fixture.h"
#include "ledger/log_store.h"

namespace stillwatch::audit {
namespace {

TEST(FeedMark, IsReadAsItWasWritten) {
  FeedMark mark;
  EXPECT_EQ(text_of(*parse_mark(text_of(mark))), text_of(mark));
  mark = {"a.example/audit/s00/2026-10",
          7,
          ledger::Hash32{1, 2},
          "a.example/audit/s00/2026-11",
          123'456'789'012,
          R"({"v":1})"};
  const auto read = parse_mark(text_of(mark));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->base_origin, mark.base_origin);
  EXPECT_EQ(read->base_index, mark.base_index);
  EXPECT_EQ(read->base_state, mark.base_state);
  EXPECT_EQ(read->origin, mark.origin);
  EXPECT_EQ(read->index, mark.index);
  EXPECT_EQ(read->policy, mark.policy);
  const std::string text = text_of(mark);
  for (std::size_t size = 1; size < text.size(); ++size) EXPECT_FALSE(parse_mark(text.substr(0, size))) << size;
  EXPECT_FALSE(parse_mark(text + "\n"));
  const std::size_t state = text.find("\nstate ") + 7;
  EXPECT_FALSE(parse_mark(text.substr(0, state) + "!" + text.substr(state + 1)));
}

TEST(FeedMark, TheFormWithoutAStateIsReadToo) {
  const auto mark = parse_mark("stillwatch feed 1\nbase a.example/audit/s00/2026-10 7\nat \npolicy {}\n");
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->base_index, 7U);
  EXPECT_EQ(mark->policy, "{}");
  EXPECT_FALSE(mark->base_state);
}

TEST(LogsOfShard, HaveAMonth) {
  EXPECT_EQ(month_of_log("a.example/audit/s00/2026-11"), 202611);
  EXPECT_EQ(month_of_log("a.example/audit/s00/2027-01-12"), 202701);
  EXPECT_EQ(month_of_log("a.example/audit/s00/now"), 0);
  EXPECT_EQ(month_of_log(""), 0);
}

TEST(LogsOfShard, StandInTheOrderInWhichTheyWereOpened) {
  const test::Folder folder;
  ledger::KeySeed seed;
  for (const char* period : {"2026-11-10", "2026-12", "2026-11", "2026-11-2"}) {
    auto log = ledger::LogStore::create(folder.path + "/logs/shard-s00-" + period,
                                        std::string("a.example/audit/s00/") + period, seed);
    ASSERT_TRUE(log) << log.error().message;
    const std::string_view entry = "x";
    ASSERT_TRUE(log->append({&entry, 1}));
    ASSERT_TRUE(log->sign());
  }
  ASSERT_TRUE(ledger::LogStore::create(folder.path + "/logs/shard-s001-2026-11", "a.example/audit/s001/2026-11", seed));
  const auto logs = logs_of_shard(folder.path, "s00");
  ASSERT_TRUE(logs) << logs.error().message;
  ASSERT_EQ(logs->size(), 4U);
  EXPECT_TRUE((*logs)[0].origin.ends_with("/2026-11"));
  EXPECT_TRUE((*logs)[1].origin.ends_with("/2026-11-2"));
  EXPECT_TRUE((*logs)[2].origin.ends_with("/2026-11-10"));
  EXPECT_TRUE((*logs)[3].origin.ends_with("/2026-12"));
  EXPECT_EQ((*logs)[3].size, 1U);
  EXPECT_TRUE(logs_of_shard(folder.path + "/absent", "s00")->empty());
}

TEST(Commitments, ConfigurationsAreNamedByTheirHash) {
  const auto hash = configuration_hash("sha256:00ff" + std::string(60, '1'));
  ASSERT_TRUE(hash);
  EXPECT_EQ((*hash)[0], 0);
  EXPECT_EQ((*hash)[1], 0xff);
  EXPECT_EQ((*hash)[31], 0x11);
  EXPECT_FALSE(configuration_hash("sha256:00FF" + std::string(60, '1')));
  EXPECT_FALSE(configuration_hash("sha256:"));
  EXPECT_FALSE(configuration_hash("sha512:" + std::string(64, '1')));
}

}  // namespace
}  // namespace stillwatch::audit
