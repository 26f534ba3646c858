#include "audit/record_feed.h"

#include <atomic>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "audit/commitments.h"
#include "audit/feed_fixture.h"
#include "audit/kept_states.h"
#include "base/files.h"

namespace stillwatch::audit {
namespace {

using namespace test;

TEST(RecordFeed, WritesLeavesInOrderAndDecisionsNameWhatTheyRestOn) {
  const Folder folder;
  auto feed = open_feed(options_in(folder.path));
  feed->give(Given(deployment()));
  for (int number = 0; number < 10; ++number) feed->give(Given(record_number(number)));
  feed->give(Given(decision_number(1)));
  feed->give(Given(decision_number(2)));
  for (int number = 10; number < 15; ++number) feed->give(Given(record_number(number)));
  feed->give(Given(Loss{kStartUs, kStartUs + 5'000'000, 17, "queue_full"}));
  feed->give(Given(decision_number(3)));
  ASSERT_TRUE(feed->settle(10'000));

  const auto entries = entries_of(folder.path);
  ASSERT_EQ(entries.size(), 1 + 1 + 10 + 2 + 5 + 1 + 1);
  EXPECT_TRUE(std::holds_alternative<ledger::OpenLeaf>(entries[0].leaf));
  ASSERT_TRUE(std::holds_alternative<ledger::PolicyLeaf>(entries[1].leaf));
  const auto policy = std::get<ledger::PolicyLeaf>(entries[1].leaf);
  EXPECT_EQ(policy.software, *software_hash());
  EXPECT_EQ(policy.configuration, *configuration_hash(deployment().policy_hash));
  EXPECT_FALSE(policy.calibration.has_value());
  const auto records = leaves_of<ledger::QueryLeaf>(entries);
  ASSERT_EQ(records.size(), 15U);
  for (int number = 0; number < 15; ++number) {
    const Record given = record_number(number);
    const ledger::QueryLeaf& leaf = records[static_cast<std::size_t>(number)];
    EXPECT_EQ(leaf.tokens_out, static_cast<std::uint64_t>(number));
    EXPECT_EQ(leaf.policy, ledger::name_of(policy.policy));
    EXPECT_EQ(leaf.endpoint, "openai.chat");
    EXPECT_EQ(leaf.action, "answered");
    ASSERT_EQ(leaf.scores.size(), 1U);
    EXPECT_EQ(leaf.scores[0].detector, "judging");
    // The other road: whoever has the line and the keys finds its leaf.
    const auto names = ledger::Pseudonyms::look_up(feed->keys(), tenant_of(given.account), given.time_us);
    ASSERT_TRUE(names && names->are_live());
    EXPECT_EQ(leaf.record, record_commitment(*names, crypto::sha256(given.line)));
    EXPECT_EQ(leaf.id, derived_leaf_id(*names, crypto::sha256(given.line)));
    EXPECT_EQ(leaf.account, names->account(given.account));
  }
  const auto decisions = leaves_of<ledger::DecisionLeaf>(entries);
  ASSERT_EQ(decisions.size(), 3U);
  const std::string origin = feed->log().checkpoint().origin;
  const std::vector<ledger::DecisionLeaf::Input> first{{origin, 0, 12}}, last{{origin, 0, 20}};
  EXPECT_EQ(decisions[0].inputs, first);
  EXPECT_EQ(decisions[1].inputs, first);  // nothing was recorded in between
  EXPECT_EQ(decisions[2].inputs, last);
  EXPECT_EQ(decisions[0].campaign, "c-000001");
  EXPECT_FALSE(decisions[0].state.has_value());
  const auto gaps = leaves_of<ledger::GapLeaf>(entries);
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].leaves, 17U);
  EXPECT_EQ(gaps[0].why, "queue_full");
  for (const Entry& entry : entries) {
    EXPECT_EQ(entry.bytes.find("secretive"), std::string::npos);
    EXPECT_EQ(entry.bytes.find("rec-"), std::string::npos);
  }
  ASSERT_TRUE(feed->stop());
}

TEST(RecordFeed, FromABaseOnDecisionsRestOnItAndOnWhatFollows) {
  const Folder folder;
  std::atomic<std::int64_t> now_ms = kStartUs / 1'000;
  const auto options = [&] {
    FeedOptions out = options_in(folder.path);
    out.log.clock = [&now_ms] { return now_ms.load(); };
    return out;
  };
  ledger::Hash32 one{1}, two{2};
  const KeptStates states(options_in(folder.path).log.folder);
  std::string mark;
  {
    auto feed = open_feed(options());
    EXPECT_FALSE(feed->wants_base());
    for (int number = 0; number < 5; ++number) feed->give(Given(record_number(number)));
    feed->give(Given(decision_number(1)));
    feed->give(Given(Base{kStartUs, one}));  // within a month: the log goes on
    feed->give(Given(decision_number(2)));
    feed->give(Given(record_number(5)));
    feed->give(Given(decision_number(3)));
    ASSERT_TRUE(feed->settle(10'000));
    now_ms += 15LL * 86'400'000;  // December
    EXPECT_TRUE(feed->wants_base());
    // The feed only looks whether the file is there.
    ASSERT_TRUE(base::make_writable_folder(std::filesystem::path(states.path_of(two)).parent_path().string()));
    ASSERT_TRUE(base::write_file(states.path_of(two), "state"));
    feed->give(Given(Base{kStartUs, two}));
    feed->give(Given(record_number(6)));
    feed->give(Given(decision_number(4)));
    mark = *feed->settle(10'000);
    EXPECT_FALSE(feed->wants_base());
    EXPECT_EQ(parse_mark(mark)->base_state, two);
  }
  {
    // A state that the mark names and that is not there is no base to go on with.
    std::filesystem::remove(states.path_of(two));
    auto feed = open_feed(options(), mark);
    EXPECT_TRUE(feed->wants_base());
    feed->give(Given(decision_number(5)));
    ASSERT_TRUE(feed->stop());
  }
  const auto entries = entries_of(folder.path);
  const std::string november = "audit.example/audit/s00/2026-11", december = "audit.example/audit/s00/2026-12";
  using Inputs = std::vector<ledger::DecisionLeaf::Input>;
  const auto decisions = leaves_of<ledger::DecisionLeaf>(entries);
  ASSERT_EQ(decisions.size(), 5U);
  EXPECT_FALSE(decisions[0].state);
  EXPECT_EQ(decisions[0].inputs, (Inputs{{november, 0, 6}}));
  EXPECT_EQ(decisions[1].state, one);
  EXPECT_EQ(decisions[1].inputs, (Inputs{{november, 7, 7}}));
  EXPECT_EQ(decisions[2].state, one);
  EXPECT_EQ(decisions[2].inputs, (Inputs{{november, 7, 9}}));
  EXPECT_EQ(decisions[3].state, two);
  EXPECT_EQ(decisions[3].inputs, (Inputs{{december, 1, 2}}));
  EXPECT_EQ(decisions[4].state, two);
  ASSERT_EQ(decisions[4].inputs.size(), 1U);
  EXPECT_EQ(decisions[4].inputs[0].log, december);
  EXPECT_EQ(decisions[4].inputs[0].from, 1U);
}

TEST(RecordFeed, WhileThingsAreGivenAgainTheBaseBeforeStays) {
  const Folder folder;
  std::string mark;
  {
    auto feed = open_feed(options_in(folder.path));
    for (int number = 0; number < 3; ++number) feed->give(Given(record_number(number)));
    mark = *feed->settle(10'000);
    for (int number = 3; number < 9; ++number) feed->give(Given(record_number(number)));
    ASSERT_TRUE(feed->stop());
  }
  auto feed = open_feed(options_in(folder.path), mark);
  for (int number = 3; number < 6; ++number) feed->give(Given(record_number(number)));
  feed->give(Given(Base{kStartUs, ledger::Hash32{1}}));
  for (int number = 6; number < 9; ++number) feed->give(Given(record_number(number)));
  feed->give(Given(decision_number(1)));
  feed->give(Given(Base{kStartUs, ledger::Hash32{2}}));
  feed->give(Given(decision_number(2)));
  ASSERT_TRUE(feed->stop());
  const auto decisions = leaves_of<ledger::DecisionLeaf>(entries_of(folder.path));
  ASSERT_EQ(decisions.size(), 2U);
  EXPECT_FALSE(decisions[0].state);
  EXPECT_EQ(decisions[0].inputs[0].from, 0U);
  EXPECT_EQ(decisions[1].state, ledger::Hash32{2});
}

TEST(RecordFeed, GatewayIdsAreLeafIds) {
  const Folder folder;
  auto feed = open_feed(options_in(folder.path));
  Record record = record_number(1);
  record.id = "req_0123456789abcdefghjkmg";
  feed->give(Given(record));
  ASSERT_TRUE(feed->stop());
  const auto records = leaves_of<ledger::QueryLeaf>(entries_of(folder.path));
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ("req_" + ledger::base64url(records[0].id), record.id);
  // Not 16 bytes' canonical letters.
  EXPECT_FALSE(gateway_leaf_id("req_0123456789abcdefghjkmz"));
  EXPECT_FALSE(gateway_leaf_id("req_0123456789"));
}

TEST(RecordFeed, AFullQueueIsToldInAGapAndNothingElseIsLost) {
  const Folder folder;
  FeedOptions options = options_in(folder.path);
  options.queue_count_max = 100;
  auto feed = open_feed(std::move(options));
  std::atomic<bool> has_come{false}, goes_on{false};
  std::thread visitor([&] {
    (void)feed->run([&] {
      has_come.store(true);
      while (!goes_on.load()) std::this_thread::yield();
      return base::Status{};
    });
  });
  std::uint64_t taken = 0;
  while (!has_come.load()) std::this_thread::yield();
  for (int number = 0; number < 1'000; ++number) taken += feed->try_give(Given(record_number(number))) ? 1 : 0;
  EXPECT_FALSE(feed->has_room());
  EXPECT_FALSE(feed->settle(20).has_value());
  goes_on.store(true);
  visitor.join();
  ASSERT_TRUE(feed->settle(10'000));
  EXPECT_TRUE(feed->has_room());
  EXPECT_EQ(feed->counters().overflowed, 1'000 - taken);
  ASSERT_TRUE(feed->stop());
  const auto entries = entries_of(folder.path);
  std::uint64_t lost = 0;
  for (const ledger::GapLeaf& gap : leaves_of<ledger::GapLeaf>(entries)) lost += gap.leaves;
  EXPECT_EQ(leaves_of<ledger::QueryLeaf>(entries).size(), taken);
  EXPECT_EQ(lost, 1'000 - taken);
  EXPECT_GT(lost, 0U);
}

TEST(RecordFeed, AReplayUnderTheSameKeysGivesTheSameBytes) {
  const Folder first, second;
  const auto replay = [](const std::string& folder) {
    FeedOptions options = options_in(folder);
    options.is_replay = true;
    options.begin_us = kStartUs;
    auto feed = open_feed(std::move(options));
    feed->give(Given(deployment()));
    for (int day = 0; day < 42; ++day) {  // over the end of a month
      for (int number = 0; number < 30; ++number)
        feed->give(Given(record_number(number, kStartUs + day * std::int64_t{86'400'000'000})));
      feed->give(Given(decision_number(day, kStartUs + day * std::int64_t{86'400'000'000} + 1'000'000)));
    }
    const auto status = feed->stop();
    if (!status) throw std::runtime_error(status.error().message);
  };
  replay(first.path);
  // The keys are what the bytes depend on beside the records.
  std::filesystem::create_directories(second.path + "/keys");
  std::filesystem::copy(first.path + "/keys/tenants", second.path + "/keys/tenants",
                        std::filesystem::copy_options::recursive);
  std::filesystem::copy(first.path + "/keys/master", second.path + "/keys/master");
  replay(second.path);
  const auto left = entries_of(first.path), right = entries_of(second.path);
  ASSERT_EQ(left.size(), right.size());
  ASSERT_GT(left.size(), 42U * 31U);
  for (std::size_t i = 0; i < left.size(); ++i) ASSERT_EQ(left[i].bytes, right[i].bytes) << i;
  const auto decisions = leaves_of<ledger::DecisionLeaf>(left);
  ASSERT_EQ(decisions.size(), 42U);
  EXPECT_EQ(decisions.back().inputs.size(), 3U);  // November, December, January
}

TEST(RecordFeed, ASecondReplayIntoTheSameFolderRestsOnItsOwnRecords) {
  const Folder folder;
  for (int run = 0; run < 2; ++run) {
    FeedOptions options = options_in(folder.path);
    options.is_replay = true;
    options.begin_us = kStartUs;
    auto feed = open_feed(std::move(options));
    for (int number = 0; number < 10; ++number) feed->give(Given(record_number(number)));
    feed->give(Given(decision_number(1)));
    ASSERT_TRUE(feed->stop());
  }
  const auto entries = entries_of(folder.path);
  const auto decisions = leaves_of<ledger::DecisionLeaf>(entries);
  ASSERT_EQ(decisions.size(), 2U);
  ASSERT_EQ(decisions[1].inputs.size(), 1U);
  std::uint64_t records = 0;
  for (std::uint64_t at = decisions[1].inputs[0].from; at < decisions[1].inputs[0].to; ++at)
    records += std::holds_alternative<ledger::QueryLeaf>(entries[at].leaf) ? 1 : 0;
  EXPECT_EQ(records, 10U);
}

TEST(RecordFeed, ATenantWithoutKeysGetsLeavesWithoutNames) {
  const Folder folder;
  auto feed = open_feed(options_in(folder.path));
  feed->give(Given(record_number(1)));
  ASSERT_TRUE(feed->run([&] {
    const auto fate = feed->keys().destroy(ledger::KeyScope::pseudonym(202611), record_number(1).account, "asked");
    return fate ? base::Status{} : base::fail(fate.error());
  }));
  feed->give(Given(record_number(8)));  // the same account
  feed->give(Given(decision_number(8)));
  ASSERT_TRUE(feed->stop());
  EXPECT_EQ(feed->counters().unnamed, 2U);
  const auto records = leaves_of<ledger::QueryLeaf>(entries_of(folder.path));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_NE(records[0].account, ledger::Id16{});
  EXPECT_EQ(records[1].account, ledger::Id16{});
  EXPECT_EQ(records[1].tenant, ledger::Id16{});
  EXPECT_EQ(records[1].record, ledger::Hash32{});
  EXPECT_NE(records[1].id, ledger::Id16{});
}

}  // namespace
}  // namespace stillwatch::audit
