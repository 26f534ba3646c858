// When a member stands on evidence of its own, and when a group is watched.
#include "detect/findings.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace stillwatch::detect {
namespace {

using event::Channel;

constexpr std::int64_t kStart = 1'775'001'600'000'000;

Settings small_settings() {
  Settings settings;
  settings.first_seen_slots = 1U << 16;
  settings.conversation_slots = 1U << 16;
  return settings;
}

class FindingsTest : public ::testing::Test {
 protected:
  FindingsTest() {
    group_.id = 1;
    group_.live = true;
    group_.formed_us = kStart;
    population_.queries = 1'000'000;
    population_.accounts = 10'000;
    population_.trusted_accounts = 5'000;
  }
  /// A member that sent `queries` since it was linked, `hits` of them with the group's work.
  AccountState& add_member(std::uint32_t queries, std::uint32_t hits, std::uint32_t hits_exclusive,
                           std::int64_t first_us = kStart) {
    event::Query query;
    query.account = base::mix64(100 + group_.members.size());
    query.time_us = first_us;
    query.client = kClient;
    Observation seen;
    accounts_.observe({}, {&query, 1}, {}, tokens_, kStart, {&seen, 1});
    group_.members.push_back(seen.handle);
    AccountState& account = accounts_.at(seen.handle);
    account.in_group.group = group_.id;
    account.in_group.queries = queries;
    account.in_group.hits = hits;
    account.in_group.hits_exclusive = hits_exclusive;
    return account;
  }
  GroupFinding find() const { return find_group(group_, accounts_, Calibration{}, population_, settings_); }
  MemberFinding member() const { return find().members.front(); }

  static constexpr Token kClient = 77;
  Settings settings_ = small_settings();
  AccountTable accounts_{settings_};
  TokenTable tokens_{settings_};
  Group group_;
  Population population_;
};

TEST_F(FindingsTest, ContentAndATraitStand) {
  add_member(20, 5, 3);
  EXPECT_FALSE(member().stands) << "content alone";
  group_.traits.push_back({kClient, TokenKind::client, 10, 0});
  EXPECT_TRUE(member().stands);
  EXPECT_TRUE(member().channels.has(Channel::template_));
  EXPECT_TRUE(member().channels.has(Channel::client));
}

TEST_F(FindingsTest, HitsOnWhatOthersSendAsWellDoNotCount) {
  add_member(20, 15, 2);
  group_.traits.push_back({kClient, TokenKind::client, 10, 0});
  EXPECT_FALSE(member().channels.has(Channel::template_)) << "two exclusive requests are too few";
  EXPECT_FALSE(member().stands) << "however many others it has";
}

TEST_F(FindingsTest, ImprobableIsMeasuredAgainstEverybodyElse) {
  add_member(20, 5, 3);
  group_.traits.push_back({kClient, TokenKind::client, 10, 0});
  group_.measures.outsider_hits = 50'000;
  EXPECT_FALSE(member().stands) << "of others' requests 5 % have it: 3 of 20 are no surprise";
}

// A member of a relay's pool that does a campaign's work: hand-off and timing, plus enough of the work.
TEST_F(FindingsTest, TwoKindsBesidesContentStandWithTheWork) {
  AccountState& account = add_member(20, 3, 0);
  account.in_group.handoffs = 1;
  EXPECT_FALSE(member().stands) << "a hand-off alone";
  account.identity[0] = 4711;
  group_.traits.push_back({4711, TokenKind::payment, 10, 0});
  EXPECT_TRUE(member().stands);
  EXPECT_TRUE(member().channels.has(Channel::template_));
  EXPECT_LT(member().log10_p, -3);
  account.in_group.hits = 2;
  EXPECT_FALSE(member().stands) << "too little of the work";
  account.in_group.hits = 3;
  group_.measures.outsider_hits = 50'000;
  EXPECT_FALSE(member().stands) << "work that everybody does";
}

TEST_F(FindingsTest, TwoTraitsOfOneKindAreOne) {
  AccountState& account = add_member(20, 10, 0);
  account.egress[0] = 99;
  group_.traits.push_back({kClient, TokenKind::client, 10, 0});
  group_.traits.push_back({99, TokenKind::egress, 10, 0});
  EXPECT_FALSE(member().stands) << "software and network can fail together";
}

TEST_F(FindingsTest, TimingCountsAfterFourGapsSinceItJoined) {
  AccountState& account = add_member(20, 5, 3);
  for (int i = 1; i <= 20; ++i) account.rhythm.add(kStart + i * 10 * base::kMinuteUs);
  group_.traits.push_back({rhythm_boxes(account.rhythm)[0], TokenKind::rhythm, 10, 0});
  account.in_group.gaps_before = account.rhythm.gaps_total() - 3;
  EXPECT_FALSE(member().channels.has(Channel::timing)) << "what linked it does not count";
  account.in_group.gaps_before = account.rhythm.gaps_total() - 4;
  EXPECT_TRUE(member().channels.has(Channel::timing));
  EXPECT_TRUE(member().stands) << "content and timing";
  for (int i = 0; i < 60; ++i) account.rhythm.add(kStart + base::kDayUs * (i + 1));
  EXPECT_FALSE(member().channels.has(Channel::timing)) << "it has turned";
}

TEST_F(FindingsTest, NewcomerAfterConvictionIsAReplacement) {
  group_.convicted_us = kStart + base::kDayUs;
  add_member(11, 10, 10, kStart + 2 * base::kDayUs);
  EXPECT_TRUE(member().channels.has(Channel::replacement));
  EXPECT_TRUE(member().stands);
}

TEST_F(FindingsTest, ReplacementNeedsConvictionTimeAndWork) {
  add_member(11, 10, 10, kStart + 2 * base::kDayUs);
  EXPECT_FALSE(member().channels.has(Channel::replacement)) << "nobody was convicted";
  group_.convicted_us = kStart + 3 * base::kDayUs;
  EXPECT_FALSE(member().channels.has(Channel::replacement)) << "it was there before";
  group_.convicted_us = kStart + base::kDayUs;
  GroupCounters& counters = accounts_.at(group_.members[0]).in_group;
  counters.hits_exclusive = 9;
  EXPECT_FALSE(member().channels.has(Channel::replacement)) << "too few";
  counters.hits_exclusive = 10;
  counters.queries = 12;
  EXPECT_FALSE(member().channels.has(Channel::replacement)) << "two of twelve are something else";
}

TEST_F(FindingsTest, TraitOfAFewMembersIsTheirsAndNotTheGroups) {
  for (int i = 0; i < 60; ++i) add_member(20, 5, 3);
  group_.traits.push_back({kClient, TokenKind::client, 4, 0});
  EXPECT_FALSE(member().stands) << "4 of 60 may have met it by chance";
  group_.traits[0].members = 7;
  EXPECT_TRUE(member().stands);
  group_.traits[0] = {kClient, TokenKind::client, 7, 900};
  EXPECT_FALSE(member().stands) << "what is common among others is no evidence for the group, nor for a member";
  group_.traits[0] = {4711, TokenKind::payment, 4, 0};
  accounts_.at(group_.members[0]).identity[0] = 4711;
  EXPECT_TRUE(member().stands) << "a card is shared by few even where one hand runs all";
}

TEST_F(FindingsTest, SetUpIsContent) {
  AccountState& account = add_member(20, 5, 3);
  account.links[0] = {815, 0, 1};
  account.links_count = 1;
  for (const auto& [kind, channel] : {std::pair{TokenKind::system, Channel::system},
                                      {TokenKind::tools, Channel::tools},
                                      {TokenKind::params, Channel::params},
                                      {TokenKind::schema, Channel::schema}}) {
    group_.traits = {{815, kind, 10, 0}};
    EXPECT_TRUE(member().channels.has(channel));
    EXPECT_FALSE(member().stands) << "two channels of one group are one";
    group_.traits = {{816, kind, 10, 0}};
    EXPECT_FALSE(member().channels.has(channel)) << "another's";
  }
}

TEST_F(FindingsTest, YoungLargeAndBroadIsWatched) {
  for (int i = 0; i < 40; ++i) add_member(1, 1, 0);
  group_.measures.members = 40;
  group_.measures.hits = group_.measures.queries = 40;
  group_.measures.breadth_pooled = 5;
  EXPECT_TRUE(find().watched);
  EXPECT_EQ(find().harvest.log10_e, 0) << "which is no evidence of a harvest";
  group_.measures.breadth_pooled = 2;
  EXPECT_FALSE(find().watched) << "customers of a product share a few templates";
  group_.measures.breadth_pooled = 5;
  group_.measures.hits = 5;
  EXPECT_FALSE(find().watched);
  group_.measures.hits = 40;
  group_.members.resize(20);
  EXPECT_FALSE(find().watched) << "small";
}

TEST_F(FindingsTest, WhatCanBeTestedIsNotWatched) {
  for (int i = 0; i < 40; ++i) add_member(10, 10, 0);
  std::vector<const GroupCounters*> members;
  for (const Handle handle : group_.members) {
    GroupCounters& counters = accounts_.at(handle).in_group;
    for (auto& count : counters.template_buckets) count = 1;
    counters.active_days = 1;
    members.push_back(&counters);
  }
  group_.measures = measure_group(members, {1'000'000, 400, 0}, 60, 300, 5);
  ASSERT_TRUE(group_.measures.testable);
  EXPECT_FALSE(find().watched);
}

TEST_F(FindingsTest, OneKindOfEvidenceIsNoOperator) {
  for (int i = 0; i < 40; ++i) add_member(10, 10, 5);
  group_.measures.members = 40;
  group_.measures.queries = group_.measures.hits = 400;
  EXPECT_EQ(find().operator_log10_e, 0);
  group_.traits.push_back({kClient, TokenKind::client, 40, 0});
  EXPECT_GT(find().operator_log10_e, 5);
}

}  // namespace
}  // namespace stillwatch::detect
