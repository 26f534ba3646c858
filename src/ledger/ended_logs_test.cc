#include "ledger/ended_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/event_time.h"
#include "base/folder_lock.h"
#include "ledger/fsck.h"
#include "ledger/leaf_examples.h"
#include "ledger/log_chain.h"
#include "ledger/log_fixture.h"
#include "ledger/log_reader.h"
#include "ledger/retention.h"

namespace stillwatch::ledger {
namespace {

using ::testing::HasSubstr;

std::int64_t at(std::string_view time) { return *base::parse_time(time) / 1'000; }
std::int64_t day(std::string_view time) { return day_of(*base::parse_time(time)); }

class EndedLogsTest : public ::testing::Test {
 protected:
  /// Logs of September to December; the last one is open.
  void write_months(const std::string& shard = "s00") {
    LogChainOptions options;
    options.folder = top_.path();
    options.folder_prefix = "shard-" + shard;
    options.origin_prefix = "audit.example/audit/" + shard;
    auto chain = LogChain::open(options, at("2026-09-03T12:00:00Z"));
    ASSERT_TRUE(chain) << chain.error().message;
    for (const char* time :
         {"2026-09-03T12:00:00Z", "2026-10-31T23:00:00Z", "2026-11-15T00:00:00Z", "2026-12-02T00:00:00Z"}) {
      QueryLeaf query = test::query_example();
      query.time_ms = at(time) - 2 * 86'400'000;  // logged two days late
      std::string bytes;
      ASSERT_TRUE(write_leaf(query, bytes));
      ASSERT_TRUE(chain->append(std::vector<std::string_view>(300, bytes), at(time)));
    }
    ASSERT_TRUE(chain->sign());
  }
  std::vector<EndedLog> ended() {
    auto logs = ended_logs(top_.path());
    EXPECT_TRUE(logs) << logs.error().message;
    return logs ? *logs : std::vector<EndedLog>{};
  }
  std::vector<FsckFinding> findings(const std::string& folder) {
    const auto report = fsck(folder);
    EXPECT_TRUE(report) << report.error().message;
    return report ? report->findings : std::vector<FsckFinding>{};
  }

  test::TemporaryFolder top_;
};

TEST_F(EndedLogsTest, ThoseBeforeTheNewestOfEachShardWithTheDaysOfTheirEnds) {
  EXPECT_TRUE(ended().empty());
  write_months();
  write_months("s-01");
  const std::vector<EndedLog> logs = ended();
  ASSERT_EQ(logs.size(), 6U);
  EXPECT_THAT(logs[0].origin, HasSubstr("audit/s-01/2026-09"));
  EXPECT_THAT(logs[5].origin, HasSubstr("audit/s00/2026-11"));
  // A log ends with the first leaf of the next one.
  EXPECT_EQ(logs[3].last_day, day("2026-10-31T23:00:00Z"));
  EXPECT_EQ(logs[5].last_day, day("2026-12-02T00:00:00Z"));
  EXPECT_EQ(*first_day_of(logs[3]), day("2026-09-01T12:00:00Z"));
  EXPECT_EQ(*first_day_of(logs[5]), day("2026-11-13T00:00:00Z"));
}

TEST_F(EndedLogsTest, EntriesGoAndEveryOldProofStillVerifies) {
  write_months();
  const EndedLog log = ended().front();
  const auto before = LogReader::open(log.folder);
  ASSERT_TRUE(before);
  const std::uint64_t size = before->size();
  const std::string root = base64url(before->root());
  std::vector<std::vector<Hash32>> proofs;
  for (std::uint64_t index = 0; index < size; index += 7) proofs.push_back(*before->inclusion_proof(index));
  const auto consistency = before->consistency_proof(100);

  ASSERT_TRUE(raise_minimum(log));
  const auto raised = LogReader::open(log.folder);
  ASSERT_TRUE(raised);
  EXPECT_EQ(raised->index_min(), size);
  EXPECT_FALSE(raised->entry(3));
  // What a crash between the two steps leaves is found again, and sound.
  ASSERT_EQ(ended().size(), 3U);
  EXPECT_TRUE(ended().front().is_raised);
  EXPECT_TRUE(findings(log.folder).empty());

  ASSERT_TRUE(remove_entries(ended().front()));
  EXPECT_EQ(ended().size(), 2U);
  for (const auto& file : std::filesystem::directory_iterator(log.folder))
    EXPECT_THAT(file.path().filename().string(), ::testing::Not(HasSubstr("entries-")));
  const auto after = LogReader::open(log.folder);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->size(), size);
  EXPECT_EQ(base64url(after->root()), root);
  for (std::size_t i = 0; i < proofs.size(); ++i) EXPECT_EQ(*after->inclusion_proof(7 * i), proofs[i]);
  EXPECT_EQ(*after->consistency_proof(100), *consistency);
  EXPECT_TRUE(findings(log.folder).empty());
}

TEST_F(EndedLogsTest, TheChainGoesOnAndWhatItWritesToIsNeverTouched) {
  write_months();
  for (const EndedLog& log : ended()) {
    ASSERT_TRUE(raise_minimum(log));
    ASSERT_TRUE(remove_entries(log));
  }
  LogChainOptions options;
  options.folder = top_.path();
  options.folder_prefix = "shard-s00";
  options.origin_prefix = "audit.example/audit/s00";
  auto chain = LogChain::open(options, at("2027-01-05T00:00:00Z"));
  ASSERT_TRUE(chain) << chain.error().message;
  EXPECT_EQ(chain->log().size(), 301U);
  ASSERT_TRUE(chain->roll(at("2027-01-05T00:00:00Z")));
  EXPECT_THAT(chain->log().origin(), HasSubstr("2027-01"));
  ASSERT_EQ(ended().size(), 1U);
  EXPECT_THAT(ended()[0].origin, HasSubstr("2026-12"));
}

TEST_F(EndedLogsTest, NothingGoesWhereTheMinimumIsNotRaisedOrSomebodyLooksAtTheLog) {
  write_months();
  const EndedLog log = ended().front();
  EXPECT_FALSE(remove_entries(log));
  EXPECT_TRUE(LogReader::open(log.folder)->entry(3));
  const auto lock = base::FolderLock::take(log.folder);
  ASSERT_TRUE(lock);
  const auto refused = raise_minimum(log);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, base::Fault::environment);
}

}  // namespace
}  // namespace stillwatch::ledger
