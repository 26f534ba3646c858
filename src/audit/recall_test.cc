// What a feed takes from the logs when it goes on, or begins anew: each thing is written once.
#include <map>

#include <gtest/gtest.h>

#include "audit/feed_fixture.h"
#include "audit/record_feed.h"

namespace stillwatch::audit {
namespace {

using namespace test;

/// How often each record and each decision of these numbers stands in the log, by what only its line gives.
std::map<std::string, int> counts_of(const std::vector<Entry>& entries) {
  std::map<std::string, int> counts;
  for (const ledger::QueryLeaf& leaf : leaves_of<ledger::QueryLeaf>(entries)) ++counts[ledger::base64url(leaf.record)];
  for (const ledger::DecisionLeaf& leaf : leaves_of<ledger::DecisionLeaf>(entries))
    ++counts[ledger::base64url(leaf.verdict)];
  return counts;
}

TEST(RecordFeed, WhatIsGivenAgainAfterAKillIsWrittenOnce) {
  const Folder folder;
  std::string mark;
  {
    auto feed = open_feed(options_in(folder.path));
    feed->give(Given(deployment()));
    for (int number = 0; number < 50; ++number) feed->give(Given(record_number(number)));
    feed->give(Given(decision_number(1)));
    mark = *feed->settle(10'000);
    for (int number = 50; number < 120; ++number) feed->give(Given(record_number(number)));
    feed->give(Given(Loss{kStartUs, kStartUs + 1'000, 3, "queue_full"}));
    feed->give(Given(decision_number(2)));
    ASSERT_TRUE(feed->settle(10'000));
    for (int number = 120; number < 140; ++number) feed->give(Given(record_number(number)));
  }  // killed: the last ones may be there or not
  for (int round = 0; round < 3; ++round) {
    auto feed = open_feed(options_in(folder.path), mark);
    feed->give(Given(deployment()));
    for (int number = 50; number < 120; ++number) feed->give(Given(record_number(number)));
    feed->give(Given(Loss{kStartUs, kStartUs + 1'000, 3, "queue_full"}));
    feed->give(Given(decision_number(2)));
    for (int number = 120; number < 160; ++number) feed->give(Given(record_number(number)));
    feed->give(Given(decision_number(3)));
    feed->forget();
    if (round < 2) continue;  // killed again, with the same mark
    ASSERT_TRUE(feed->stop());
  }
  const auto entries = entries_of(folder.path);
  const auto counts = counts_of(entries);
  EXPECT_EQ(counts.size(), 160U + 3U);
  for (const auto& [commitment, count] : counts) EXPECT_EQ(count, 1) << commitment;
  EXPECT_EQ(leaves_of<ledger::PolicyLeaf>(entries).size(), 1U);
  EXPECT_EQ(leaves_of<ledger::GapLeaf>(entries).size(), 1U);
}

TEST(RecordFeed, ABeginningAnewRestsOnNothingThatIsThere) {
  const Folder folder;
  {
    auto feed = open_feed(options_in(folder.path));
    feed->give(Given(deployment()));
    for (int number = 0; number < 20; ++number) feed->give(Given(record_number(number)));
    ASSERT_TRUE(feed->stop());
  }
  const std::size_t before = entries_of(folder.path).size();
  std::string mark;
  for (int round = 0; round < 2; ++round) {  // the second goes on from the first one's mark
    auto opened = RecordFeed::open(options_in(folder.path));
    ASSERT_TRUE(opened) << opened.error().message;
    const auto known = (*opened)->recall({mark, round == 0, std::nullopt});
    ASSERT_TRUE(known) << known.error().message;
    EXPECT_EQ(*known, round == 1);
    EXPECT_FALSE((*opened)->wants_base());
    for (int number = 0; number < 20; ++number) (*opened)->give(Given(record_number(100 * (round + 1) + number)));
    (*opened)->give(Given(decision_number(round)));
    const auto settled = (*opened)->settle(10'000);
    ASSERT_TRUE(settled) << settled.error().message;
    mark = *settled;
    ASSERT_TRUE((*opened)->stop());
  }
  const auto decisions = leaves_of<ledger::DecisionLeaf>(entries_of(folder.path));
  ASSERT_EQ(decisions.size(), 2U);
  for (const ledger::DecisionLeaf& leaf : decisions) {
    ASSERT_FALSE(leaf.inputs.empty());
    EXPECT_EQ(leaf.inputs.front().from, before);
    EXPECT_FALSE(leaf.state);
  }
}

TEST(RecordFeed, DecisionsOfAnotherEngineNameNoInputsAndAreWrittenOnce) {
  const Folder folder;
  const auto of_other = [](int number) {
    Decision decision = decision_number(number);
    decision.has_inputs = false;
    return Given(std::move(decision));
  };
  std::string mark, other_mark;
  {
    auto feed = open_feed(options_in(folder.path));
    Deployment calibrated = deployment();
    calibrated.calibration_bytes = "learned";
    feed->give(Given(calibrated));
    for (int number = 0; number < 20; ++number) feed->give(Given(record_number(number)));
    feed->give(Given(decision_number(1)));  // before the rotation; the other engine gives it again after it
    other_mark = *feed->settle(10'000);
    feed->give(Given(decision_number(2)));
    for (int number = 20; number < 40; ++number) feed->give(Given(record_number(number)));
    feed->give(of_other(3));
    mark = *feed->settle(10'000);
    feed->give(of_other(4));
    feed->give(Given(record_number(40)));
    feed->give(Given(decision_number(5)));
    ASSERT_TRUE(feed->settle(10'000));
  }
  for (const std::string& from : {mark, mark, std::string()}) {
    auto opened = RecordFeed::open(options_in(folder.path));
    ASSERT_TRUE(opened) << opened.error().message;
    const auto known = (*opened)->recall({from, from.empty(), other_mark});
    ASSERT_TRUE(known) << known.error().message;
    for (const int number : {2, 3, 4}) (*opened)->give(of_other(number));
    if (!from.empty()) {
      (*opened)->give(Given(record_number(40)));
      (*opened)->give(Given(decision_number(5)));
    }
    (*opened)->forget();
    ASSERT_TRUE((*opened)->stop());
  }
  const auto entries = entries_of(folder.path);
  const auto counts = counts_of(entries);
  EXPECT_EQ(counts.size(), 41U + 5U);
  for (const auto& [commitment, count] : counts) EXPECT_EQ(count, 1) << commitment;
  std::size_t without = 0;
  for (const ledger::DecisionLeaf& leaf : leaves_of<ledger::DecisionLeaf>(entries)) {
    EXPECT_EQ(leaf.inputs.empty(), !leaf.calibration) << leaf.time_ms;
    without += leaf.inputs.empty() ? 1 : 0;
  }
  EXPECT_EQ(without, 2U);
}

TEST(RecordFeed, AnotherLogsMarkIsNotKnown) {
  const Folder one, other;
  auto feed = open_feed(options_in(one.path));
  feed->give(Given(record_number(1)));
  std::string mark = *feed->settle(10'000);
  ASSERT_TRUE(feed->stop());
  feed.reset();
  FeedOptions options = options_in(other.path);
  options.log.host = "another.example";
  auto second = RecordFeed::open(std::move(options));
  ASSERT_TRUE(second);
  const auto known = (*second)->recall({mark});
  ASSERT_TRUE(known);
  EXPECT_FALSE(*known);
  const auto damaged = RecordFeed::open(options_in(one.path));
  ASSERT_TRUE(damaged);
  EXPECT_FALSE((*damaged)->recall({mark + "x"}));
}

}  // namespace
}  // namespace stillwatch::audit
