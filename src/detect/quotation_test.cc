// Replies that stand in another account's prompt: what is a hand-off, what is not, and who cannot be framed by it.
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "detect/token_table.h"

namespace stillwatch::detect {
namespace {

using event::Query;

constexpr std::int64_t kStart = 1'775'001'600'000'000;

Token named(Token name) { return base::mix64(name); }

Settings small_settings() {
  Settings settings;
  settings.first_seen_slots = 1U << 14;
  settings.conversation_slots = 1U << 14;
  return settings;
}

/// A reply is named by a number; it has three passages.
void give(Query& query, Token reply) {
  for (std::size_t i = 0; i < query.fingerprint.replies.size(); ++i)
    query.fingerprint.replies[i] = named(reply * 10 + i);
}
/// The first `passages` of a reply's, behind one of the prompt's own.
void quote(Query& query, Token reply, std::size_t passages) {
  query.fingerprint.quotes[0] = named(900'000 + query.time_us % 1'000'003);
  for (std::size_t i = 0; i < passages; ++i) query.fingerprint.quotes[i + 1] = named(reply * 10 + i);
}

class QuotationTest : public ::testing::Test {
 protected:
  Handle send(Query query) {
    query.time_us = now_us_;
    now_us_ += base::kSecondUs;
    Observation observation;
    accounts_.observe({}, {&query, 1}, updates_, tokens_, kStart, {&observation, 1});
    updates_.clear();
    tokens_.observe({}, {&query, 1}, {&observation, 1}, accounts_, kStart, false);
    return observation.handle;
  }
  Query by(Token account) const {
    Query query;
    query.time_us = now_us_;
    query.account = named(account);
    return query;
  }
  Handle is_given(Token account, Token reply) {
    Query query = by(account);
    give(query, reply);
    return send(query);
  }
  Handle quotes(Token account, Token reply, std::size_t passages = 2) {
    Query query = by(account);
    quote(query, reply, passages);
    return send(query);
  }
  /// Somebody's unrelated reply, in every partition: bodies are logged.
  void start_logging_bodies() {
    for (Token i = 0; i < 1'000; ++i) is_given(1, 50'000 + i);
    tokens_.take_handoffs();
  }

  Settings settings_ = small_settings();
  AccountTable accounts_{settings_};
  TokenTable tokens_{settings_};
  std::vector<event::AccountUpdate> updates_;
  std::int64_t now_us_ = kStart;
};

TEST_F(QuotationTest, AReplyInAnothersPromptIsAHandoff) {
  const Handle from = is_given(1, 10);
  const Handle to = quotes(2, 10, 3);
  const auto handoffs = tokens_.take_handoffs();
  ASSERT_EQ(handoffs.size(), 1U) << "its passages are one quotation";
  EXPECT_EQ(handoffs[0].from, from);
  EXPECT_EQ(handoffs[0].to, to);
  EXPECT_FALSE(handoffs[0].retry);
}

TEST_F(QuotationTest, OnePassageIsAPhrase) {
  is_given(1, 10);
  is_given(1, 11);
  quotes(2, 10, 1);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
  // One passage each of two replies to the same account, given an hour apart, are two phrases.
  now_us_ += base::kHourUs;
  is_given(1, 12);
  Query query = by(3);
  query.fingerprint.quotes = {named(119), named(112), named(122)};
  query.fingerprint.quotes[0] = named(999'999);
  send(query);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

TEST_F(QuotationTest, OnesOwnReplyIsNone) {
  is_given(1, 10);
  quotes(1, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
  for (const Token account : {3, 4}) {
    event::AccountUpdate update;
    update.account = named(account);
    update.fields = event::kFieldOrg;
    update.org = named(500);
    updates_.push_back(update);
  }
  is_given(3, 20);
  quotes(4, 20);
  EXPECT_TRUE(tokens_.take_handoffs().empty()) << "accounts of one organisation are one actor";
}

// A public text that models repeat.
TEST_F(QuotationTest, WhatSeveralWereGivenIsPublic) {
  is_given(1, 10);
  is_given(2, 10);
  quotes(3, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
  now_us_ += 20 * base::kDayUs;
  is_given(1, 10);
  quotes(4, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty()) << "and stays so";
}

// A text that goes from hand to hand: the first who takes it up is one link, all others are the public.
TEST_F(QuotationTest, WhatIsPassedAroundLinksOnce) {
  is_given(1, 10);
  for (Token account = 2; account < 30; ++account) quotes(account, 10);
  EXPECT_EQ(tokens_.take_handoffs().size(), 1U);
}

TEST_F(QuotationTest, NotAfterADay) {
  is_given(1, 10);
  now_us_ += 25 * base::kHourUs;
  quotes(2, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

// An attacker who has the model say what the victim always sends: the victim said it first.
TEST_F(QuotationTest, NobodyIsFramedByHisOwnWords) {
  start_logging_bodies();
  const Token victim = 7, attacker = 8;
  for (const std::size_t least : {0U, 1U, 2U}) {  // his prompts differ, and so does which passage is the least
    Query query = by(victim);
    query.fingerprint.quotes[0] = named(100 + least);
    send(query);
  }
  is_given(attacker, 10);
  quotes(victim, 10, 3);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

// Quoting what one never got, nor anybody else, links nobody: not even in thousands of prompts.
TEST_F(QuotationTest, QuotingWhatNobodyGotLinksNobody) {
  start_logging_bodies();
  for (Token i = 0; i < 2'000; ++i) quotes(20 + i % 40, 100 + i, 3);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
  // And a reply that says it afterwards is known to be somebody's words.
  for (Token i = 0; i < 50; ++i) {
    Query query = by(20);
    query.fingerprint.quotes[0] = named((3'000 + i) * 10);
    send(query);
    is_given(1, 3'000 + i);
    Query again = by(21);
    again.fingerprint.quotes = {named((3'000 + i) * 10), named((3'000 + i) * 10 + 1)};
    send(again);
  }
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

TEST_F(QuotationTest, WithoutRepliesNothingIsRemembered) {
  for (Token i = 0; i < 300; ++i) quotes(1 + i % 3, i, 3);
  EXPECT_EQ(tokens_.counters().conversations_overwritten, 0U);
  EXPECT_EQ(tokens_.slots_in_use(), settings_.first_seen_slots + settings_.conversation_slots);
  base::ByteWriter before;
  tokens_.save(before);
  base::ByteWriter empty;
  TokenTable(settings_).save(empty);
  EXPECT_EQ(before.bytes(), empty.bytes());
}

// A flood of replies overwrites the oldest passages, counted; memory is the table's.
TEST_F(QuotationTest, TheTableIsBounded) {
  is_given(1, 10);
  for (Token i = 0; i < 40'000; ++i) is_given(2 + i % 50, 1'000 + i);
  EXPECT_GT(tokens_.counters().conversations_overwritten, 50'000U);
  quotes(99, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty()) << "forgotten";
}

TEST_F(QuotationTest, AccountsThatLeaveAreForgotten) {
  const Handle gone = is_given(1, 10);
  tokens_.forget({&gone, 1});
  quotes(2, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

// The same hand-offs for any number of workers and any batches, and across a stop.
TEST(QuotationWorkers, MakeNoDifference) {
  base::Random random(11);
  std::vector<Query> queries(4'000);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    Query& query = queries[i];
    query.time_us = kStart + static_cast<std::int64_t>(i) * base::kSecondUs;
    query.account = named(1 + random.below(50));
    if (random.chance(0.7)) give(query, 1 + random.below(1'500));
    if (random.chance(0.7)) quote(query, 1 + random.below(1'500), random.below(4));
  }
  const auto run = [&](unsigned workers, std::size_t batch, bool stopped) {
    const Settings settings = small_settings();
    AccountTable accounts(settings);
    auto tokens = std::make_unique<TokenTable>(settings);
    std::vector<HandoffEvent> all;
    for (std::size_t at = 0; at < queries.size(); at += batch) {
      const std::span<const Query> part =
          std::span<const Query>(queries).subspan(at, std::min(batch, queries.size() - at));
      std::vector<Observation> observations(part.size());
      for (unsigned w = 0; w < workers; ++w) accounts.observe({w, workers}, part, {}, *tokens, kStart, observations);
      for (unsigned w = 0; w < workers; ++w) tokens->observe({w, workers}, part, observations, accounts, kStart, false);
      if (stopped) {
        base::ByteWriter out;
        tokens->save(out);
        tokens = std::make_unique<TokenTable>(settings);
        base::ByteReader in(out.bytes());
        EXPECT_TRUE(tokens->load(in));
      }
    }
    return tokens->take_handoffs();
  };
  const auto expected = run(1, 100, false);
  EXPECT_GT(expected.size(), 100U);
  EXPECT_EQ(run(3, 100, false), expected);
  EXPECT_EQ(run(2, 1'000, false), expected);
  EXPECT_EQ(run(1, 1'000, true), expected);
}

}  // namespace
}  // namespace stillwatch::detect
