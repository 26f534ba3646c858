// Each bound of detection, reached on purpose.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "detect/detector.h"

namespace stillwatch::detect {
namespace {

using event::Query;

constexpr std::int64_t kStart = 1'775'001'600'000'000;

Token name(Token number) { return base::mix64(number + 1); }

Settings small_settings() {
  Settings settings;
  settings.first_seen_slots = 1U << 16;
  settings.conversation_slots = 1U << 16;
  settings.accounts_max = 64 * kPartitions;
  return settings;
}

Query make_query(Token account, std::int64_t time_us, Token template_ = 0) {
  Query query;
  query.account = name(account);
  query.time_us = time_us;
  query.output_tokens = 10;
  query.fingerprint.templates[0] = template_;
  return query;
}

struct Tables {
  explicit Tables(const Settings& settings) : accounts(settings), tokens(settings) {}
  Observation send(const Query& query, std::span<const event::AccountUpdate> updates = {}) {
    Observation observation;
    accounts.observe({}, {&query, 1}, updates, tokens, kStart, {&observation, 1});
    tokens.observe({}, {&query, 1}, {&observation, 1}, accounts, kStart, false);
    return observation;
  }
  AccountTable accounts;
  TokenTable tokens;
};

TEST(Bounds, AccountWithoutRoomCountsAsTraffic) {
  Tables tables(small_settings());
  std::uint64_t refused = 0;
  for (Token account = 0; account < 10'000; ++account) {
    const Observation seen = tables.send(make_query(account, kStart + static_cast<std::int64_t>(account), 77));
    refused += seen.handle == kNoHandle ? 1 : 0;
  }
  EXPECT_EQ(tables.accounts.size(), 64U * kPartitions);
  EXPECT_EQ(refused, 10'000 - 64U * kPartitions);
  EXPECT_EQ(tables.accounts.counters().queries_shed, refused);
  EXPECT_EQ(tables.accounts.traffic().queries, 10'000U);
  EXPECT_EQ(tables.accounts.traffic().output_tokens, 100'000U);
  EXPECT_EQ(tables.tokens.find(77)->actors, 64U * kPartitions) << "who has no place shares nothing";
}

TEST(Bounds, SingleRequestsLeaveFirstThenTheIdlestAndGroupsStay) {
  Settings settings = small_settings();
  Tables tables(settings);
  // 20 accounts that came twice, long ago; 20 in a group, longer ago; then a flood of single requests.
  for (Token account = 0; account < 40; ++account) {
    for (int i = 0; i < 2; ++i) {
      const Observation seen = tables.send(make_query(account, kStart));
      if (account >= 20) tables.accounts.at(seen.handle).in_group.group = 1;
    }
  }
  for (Token account = 1000; account < 10'000; ++account) tables.send(make_query(account, kStart + base::kHourUs));
  const std::vector<Handle> gone = tables.accounts.make_room();
  EXPECT_TRUE(std::is_sorted(gone.begin(), gone.end()));
  EXPECT_EQ(tables.accounts.size(), 48U * kPartitions) << "three quarters stay";
  EXPECT_EQ(tables.accounts.counters().evicted, gone.size());
  for (Token account = 0; account < 40; ++account) EXPECT_NE(tables.accounts.find(name(account)), kNoHandle);
  // A second flood, of accounts that came twice, and later: when all single ones are gone the idlest go, and no member.
  for (int round = 0; round < 6; ++round) {
    for (Token account = 20'000; account < 30'000; ++account) {
      for (int i = 0; i < 2; ++i) tables.send(make_query(account, kStart + (2 + round) * base::kHourUs));
    }
    tables.accounts.make_room();
  }
  std::size_t left = 0;
  for (Token account = 0; account < 20; ++account) left += tables.accounts.find(name(account)) == kNoHandle ? 1 : 0;
  EXPECT_EQ(left, 20U);
  for (Token account = 20; account < 40; ++account) EXPECT_NE(tables.accounts.find(name(account)), kNoHandle);
}

TEST(Bounds, ReturningAccountIsStillItsOwners) {
  Tables tables(small_settings());
  event::AccountUpdate update;
  update.account = name(5);
  update.time_us = kStart;
  update.fields = event::kFieldOrg | event::kFieldPayment | event::kFieldVerification;
  update.org = 4711;
  update.payment = 815;
  update.verification = event::Verification::card;
  tables.send(make_query(5, kStart), {&update, 1});
  for (Token account = 1000; account < 10'000; ++account) tables.send(make_query(account, kStart + base::kHourUs));
  tables.accounts.make_room();
  ASSERT_EQ(tables.accounts.find(name(5)), kNoHandle);
  const Observation back = tables.send(make_query(5, kStart + 2 * base::kHourUs));
  const AccountState& account = tables.accounts.at(back.handle);
  EXPECT_EQ(account.actor, 4711U);
  EXPECT_EQ(account.identity[0], 815U);
  EXPECT_EQ(account.verification, event::Verification::card);
  EXPECT_TRUE(account.recorded);
}

// Nobody may be held for the sender of what another account sent in the same place before.
TEST(Bounds, PlaceOfAnEvictedAccountCarriesNothingOver) {
  Tables tables(small_settings());
  std::map<Token, Token> template_of;  // every account of the flood sends one of its own, and a conversation
  for (Token account = 0; account < 4'000; ++account) {
    Query query = make_query(account, kStart, name(1'000'000 + account));
    query.fingerprint.conversation = name(2'000'000 + account);
    query.fingerprint.conversation_bytes = 200;
    tables.send(query);
  }
  tables.tokens.take_links();
  tables.tokens.take_handoffs();
  const std::vector<Handle> gone = tables.accounts.make_room();
  ASSERT_GT(gone.size(), 500U);
  tables.tokens.forget(gone);
  std::set<Token> evicted;
  for (Token account = 0; account < 4'000; ++account) {
    if (tables.accounts.find(name(account)) == kNoHandle) evicted.insert(account);
  }
  // Others take their places, and one account sends all that the evicted ones had sent.
  std::size_t reused = 0;
  for (Token account = 50'000; account < 50'500; ++account) {
    const Handle handle = tables.send(make_query(account, kStart + 1)).handle;
    reused += std::binary_search(gone.begin(), gone.end(), handle) ? 1 : 0;
  }
  EXPECT_GT(reused, 300U);
  for (const Token account : evicted) {
    Query query = make_query(99'999, kStart + 2, name(1'000'000 + account));
    query.fingerprint.prefixes[0] = name(2'000'000 + account);
    query.fingerprint.prefix_bytes = 200;
    tables.send(query);
    EXPECT_EQ(tables.tokens.find(name(1'000'000 + account)), nullptr);
  }
  EXPECT_TRUE(tables.tokens.take_links().empty());
  EXPECT_TRUE(tables.tokens.take_handoffs().empty());
}

TEST(Bounds, FullTableIsSavedWhole) {
  Settings settings = small_settings();
  Tables tables(settings);
  for (Token account = 0; account < 10'000; ++account) tables.send(make_query(account, kStart));
  tables.accounts.make_room();
  base::ByteWriter out;
  tables.accounts.save(out);
  AccountTable loaded(settings);
  base::ByteReader in(out.bytes());
  ASSERT_TRUE(loaded.load(in));
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(loaded.size(), tables.accounts.size());
  // New accounts take the same places in both.
  AccountTable* const both[] = {&tables.accounts, &loaded};
  std::vector<Handle> handles[2];
  for (int i = 0; i < 2; ++i) {
    for (Token account = 60'000; account < 62'000; ++account) {
      const Query query = make_query(account, kStart + 1);
      Observation seen;
      both[i]->observe({}, {&query, 1}, {}, tables.tokens, kStart, {&seen, 1});
      handles[i].push_back(seen.handle);
    }
  }
  EXPECT_EQ(handles[0], handles[1]);
}

std::vector<LinkEvent> sampled_links(const std::vector<Query>& queries, unsigned workers, Settings settings,
                                     TokenCounters& counters) {
  settings.accounts_max = 1U << 16;
  Tables tables(settings);
  std::vector<Observation> seen(queries.size());
  for (unsigned worker = 0; worker < workers; ++worker)
    tables.accounts.observe({worker, workers}, queries, {}, tables.tokens, kStart, seen);
  for (unsigned worker = 0; worker < workers; ++worker)
    tables.tokens.observe({worker, workers}, queries, seen, tables.accounts, kStart, false);
  counters = tables.tokens.counters();
  return tables.tokens.take_links();
}

TEST(Bounds, LinkEventsBeyondTheirRoomAreAWholeSampleByToken) {
  std::vector<Query> queries;
  for (Token i = 0; i < 60'000; ++i)
    queries.push_back(make_query(i % 5'000, kStart + static_cast<std::int64_t>(i), name(7'000'000 + i / 3)));
  Settings settings = small_settings();
  TokenCounters counters;
  const std::vector<LinkEvent> all = sampled_links(queries, 1, settings, counters);
  EXPECT_EQ(counters.links_sampled_out, 0U);
  settings.link_events_max = 64 * kPartitions;
  const std::vector<LinkEvent> sample = sampled_links(queries, 1, settings, counters);
  EXPECT_LE(sample.size(), 64U * kPartitions);
  EXPECT_GT(sample.size(), 16U * kPartitions);
  EXPECT_EQ(sample.size() + counters.links_sampled_out, all.size());
  std::map<Token, std::size_t> of_all, of_sample;
  for (const LinkEvent& link : all) ++of_all[link.token];
  for (const LinkEvent& link : sample) ++of_sample[link.token];
  for (const auto& [token, count] : of_sample) EXPECT_EQ(count, of_all[token]) << "in as a whole";
  EXPECT_EQ(sampled_links(queries, 3, settings, counters), sample);
}

TEST(Bounds, HandoffsBeyondTheirRoomAreCounted) {
  Settings settings = small_settings();
  settings.accounts_max = 1U << 16;
  settings.handoff_events_max = 4 * kPartitions;
  Tables tables(settings);
  for (Token i = 0; i < 2'000; ++i) {
    Query first = make_query(2 * i, kStart), second = make_query(2 * i + 1, kStart + 1);
    first.fingerprint.conversation = second.fingerprint.prefixes[0] = name(3'000'000 + i);
    first.fingerprint.conversation_bytes = second.fingerprint.prefix_bytes = 200;
    tables.send(first);
    tables.send(second);
  }
  EXPECT_EQ(tables.tokens.take_handoffs().size(), 4U * kPartitions);
  EXPECT_EQ(tables.tokens.counters().handoffs_shed, 2'000 - 4U * kPartitions);
}

TEST(Bounds, WidelySharedTokensOutlastAFloodOfLoneOnes) {
  Settings settings = small_settings();
  settings.accounts_max = 1U << 16;
  Tables tables(settings);
  std::vector<graph::ContentEdge> edges;
  for (Token token = 0; token < 400; ++token) {
    const bool campaign = token % 10 == 0;
    for (Token account = 0; account < (campaign ? 40U : 3U); ++account) {
      tables.send(make_query(token * 100 + account, kStart, name(8'000'000 + token)));
      edges.push_back({static_cast<std::uint32_t>(account), name(8'000'000 + token), 1});
    }
  }
  LinkSample sample;
  const std::size_t before = edges.size();
  sample.thin(edges, tables.tokens);
  EXPECT_LE(edges.size(), before / 2);
  EXPECT_EQ(edges.size() + sample.left_out(), before);
  for (const graph::ContentEdge& edge : edges) EXPECT_GE(tables.tokens.find(edge.token)->actors, 40U);
  EXPECT_FALSE(sample.takes(name(8'000'001), *tables.tokens.find(name(8'000'001)))) << "what comes later alike";
}

}  // namespace
}  // namespace stillwatch::detect
