#include "detect/token_table.h"

#include <gtest/gtest.h>

namespace stillwatch::detect {
namespace {

using event::Query;

constexpr std::int64_t kStart = 1'775'001'600'000'000;

Settings small_settings() {
  Settings settings;
  settings.first_seen_slots = 1U << 16;
  settings.conversation_slots = 1U << 16;
  return settings;
}

/// One worker, one request at a time.
class TokenTableTest : public ::testing::Test {
 protected:
  Handle send(Query query) {
    query.time_us = now_us_;
    now_us_ += base::kSecondUs;
    Observation observation;
    accounts_.observe({}, {&query, 1}, {}, tokens_, kStart, {&observation, 1});
    tokens_.observe({}, {&query, 1}, {&observation, 1}, accounts_, kStart, calibrating_);
    return observation.handle;
  }
  Handle send_template(Token account, Token template_) {
    Query query;
    query.account = base_token(account);
    query.fingerprint.templates[0] = base_token(template_);
    return send(query);
  }
  Handle send_turn(Token account, Token conversation, Token prefix, std::uint16_t status = 200,
                   std::uint32_t bytes = 200) {
    Query query;
    query.account = base_token(account);
    query.flags = status == 200 ? 0 : event::kFlagFailed;
    query.fingerprint.conversation = base_token(conversation);
    query.fingerprint.conversation_bytes = bytes;
    query.fingerprint.prefixes[0] = prefix == 0 ? 0 : base_token(prefix);
    query.fingerprint.prefix_bytes = prefix == 0 ? 0 : bytes;
    return send(query);
  }
  static Token base_token(Token name) { return name * 0x9E3779B97F4A7C15ULL; }

  Settings settings_ = small_settings();
  AccountTable accounts_{settings_};
  TokenTable tokens_{settings_};
  std::int64_t now_us_ = kStart;
  bool calibrating_ = false;
};

TEST_F(TokenTableTest, SecondActorMakesATokenShared) {
  send_template(1, 100);
  send_template(1, 100);
  EXPECT_EQ(tokens_.find(base_token(100)), nullptr);
  send_template(2, 100);
  ASSERT_NE(tokens_.find(base_token(100)), nullptr);
  EXPECT_EQ(tokens_.find(base_token(100))->actors, 2U);
  send_template(2, 100);
  send_template(3, 100);
  EXPECT_EQ(tokens_.find(base_token(100))->actors, 3U);
  EXPECT_EQ(tokens_.take_links().size(), 3U) << "one for each account, the first one included";
}

TEST_F(TokenTableTest, AccountsOfOneOwnerShareNothing) {
  event::AccountUpdate update;
  update.fields = event::kFieldOrg;
  update.org = base_token(500);
  Query query;
  for (const Token account : {1, 2}) {
    update.account = query.account = base_token(account);
    query.fingerprint.templates[0] = base_token(100);
    query.time_us = now_us_++;
    Observation observation;
    accounts_.observe({}, {&query, 1}, {&update, 1}, tokens_, kStart, {&observation, 1});
    tokens_.observe({}, {&query, 1}, {&observation, 1}, accounts_, kStart, false);
  }
  EXPECT_EQ(tokens_.find(base_token(100)), nullptr);
}

TEST_F(TokenTableTest, KnownTokensLinkNobody) {
  calibrating_ = true;
  for (const Token account : {1, 2, 3}) send_template(account, 100);
  EXPECT_EQ(tokens_.mark_known(2, {}, {}).size(), 1U);
  calibrating_ = false;
  tokens_.take_links();
  send_template(4, 100);
  EXPECT_TRUE(tokens_.take_links().empty());
}

TEST_F(TokenTableTest, NextTurnOnAnotherAccountIsAHandoff) {
  const Handle from = send_turn(1, 10, 0);
  const Handle to = send_turn(2, 11, 10);
  const auto handoffs = tokens_.take_handoffs();
  ASSERT_EQ(handoffs.size(), 1U);
  EXPECT_EQ(handoffs[0].from, from);
  EXPECT_EQ(handoffs[0].to, to);
  EXPECT_FALSE(handoffs[0].retry);
}

TEST_F(TokenTableTest, OwnConversationIsNoHandoff) {
  send_turn(1, 10, 0);
  send_turn(1, 11, 10);
  send_turn(1, 12, 11);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

// A public dialogue that two laboratories replay: each sent the first turn itself.
TEST_F(TokenTableTest, ConversationOfSeveralIsNoHandoff) {
  send_turn(1, 10, 0);
  send_turn(2, 10, 0);
  send_turn(1, 11, 10);
  send_turn(2, 11, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

TEST_F(TokenTableTest, GuessableTextIsNoHandoff) {
  send_turn(1, 10, 0, 200, 5);
  send_turn(2, 11, 10, 200, 5);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

TEST_F(TokenTableTest, RetryElsewhereAfterAFailureIsAHandoff) {
  send_turn(1, 10, 0, 529);
  send_turn(2, 10, 0);
  ASSERT_EQ(tokens_.take_handoffs().size(), 1U);
  send_turn(1, 20, 0, 200);
  send_turn(2, 20, 0);
  EXPECT_TRUE(tokens_.take_handoffs().empty()) << "the same text without a failure is a shared prompt";
  send_turn(1, 30, 0, 529);
  now_us_ += base::kHourUs;
  send_turn(2, 30, 0);
  EXPECT_TRUE(tokens_.take_handoffs().empty()) << "an hour later is no retry";
}

TEST_F(TokenTableTest, HandoffWindowEnds) {
  send_turn(1, 10, 0);
  now_us_ += 25 * base::kHourUs;
  send_turn(2, 11, 10);
  EXPECT_TRUE(tokens_.take_handoffs().empty());
}

TEST_F(TokenTableTest, FullTableRefusesAndCounts) {
  settings_.shared_tokens_max = kPartitions * 4;
  TokenTable small(settings_);
  for (Token token = 1; token < 3000; ++token) {
    for (const Token account : {1, 2}) {
      Query query;
      query.account = base_token(account);
      query.time_us = now_us_++;
      query.fingerprint.templates[0] = base_token(token);
      Observation observation;
      accounts_.observe({}, {&query, 1}, {}, small, kStart, {&observation, 1});
      small.observe({}, {&query, 1}, {&observation, 1}, accounts_, kStart, false);
    }
  }
  EXPECT_LE(small.shared_count(), 4U * kPartitions);
  EXPECT_GT(small.counters().shared_tokens_refused, 1000U);
}

}  // namespace
}  // namespace stillwatch::detect
