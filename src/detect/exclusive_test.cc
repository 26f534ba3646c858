// Exclusive tokens: what speaks against one account, and what does not.
#include <gtest/gtest.h>

#include "base/random.h"
#include "detect/token_table.h"

namespace stillwatch::detect {
namespace {

constexpr std::int64_t kStart = 1'775'001'600'000'000;
constexpr Token kPhrase = 0xABCDEF0123456789ULL, kOther = 0x123456789ABCDEF1ULL;
constexpr std::uint32_t kGroup = 1;

Settings small_settings() {
  Settings settings;
  settings.first_seen_slots = 1U << 16;
  settings.conversation_slots = 1U << 16;
  return settings;
}

/// Accounts 1 to 6 are members, all others are not.
class ExclusiveTest : public ::testing::Test {
 protected:
  static constexpr Token kMembers = 6;

  Handle send(Token account, Token first, Token second = 0) {
    event::Query query;
    query.account = base::mix64(account);
    query.time_us = now_us_ += base::kSecondUs;
    query.fingerprint.templates[0] = first;
    query.fingerprint.templates[1] = second;
    Observation seen;
    accounts_.observe({}, {&query, 1}, {}, tokens_, kStart, {&seen, 1});
    tokens_.observe({}, {&query, 1}, {&seen, 1}, accounts_, kStart, false);
    return seen.handle;
  }
  /// Members send the token once each and are linked; then the token is given to their group.
  void form_group(std::initializer_list<Token> phrases) {
    for (const Token phrase : phrases) {
      for (Token account = 1; account <= kMembers; ++account)
        accounts_.at(send(account, phrase)).in_group.group = kGroup;
      tokens_.assign(phrase, kGroup);
    }
    tokens_.settle_votes();
  }
  GroupCounters& counters(Token account) { return accounts_.at(accounts_.find(base::mix64(account))).in_group; }
  bool exclusive(Token token = kPhrase) const { return tokens_.owner_of(token).exclusive; }

  Settings settings_ = small_settings();
  AccountTable accounts_{settings_};
  TokenTable tokens_{settings_};
  std::int64_t now_us_ = kStart;
};

TEST_F(ExclusiveTest, OfMembersAloneFromTheNextEpochOn) {
  form_group({kPhrase});
  EXPECT_EQ(tokens_.owner_of(kPhrase).group, kGroup);
  EXPECT_FALSE(exclusive()) << "what formed the group does not count";
  send(1, kPhrase);
  tokens_.settle_votes();
  EXPECT_FALSE(exclusive()) << "one request is too few";
  send(2, kPhrase);
  EXPECT_FALSE(exclusive()) << "only between epochs";
  tokens_.settle_votes();
  EXPECT_TRUE(exclusive());
  EXPECT_EQ(tokens_.owner_of(kPhrase).first_actor, base::mix64(1));
}

TEST_F(ExclusiveTest, NotWhatOutsidersSendAsWell) {
  form_group({kPhrase});
  for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase);
  send(100, kPhrase);
  send(101, kPhrase);
  tokens_.settle_votes();
  EXPECT_FALSE(exclusive()) << "two of eight requests are of others";
}

TEST_F(ExclusiveTest, LostWhenOutsidersTakeItUp) {
  form_group({kPhrase});
  for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase);
  tokens_.settle_votes();
  ASSERT_TRUE(exclusive());
  for (int i = 0; i < 4; ++i) send(100, kPhrase);
  tokens_.settle_votes();
  EXPECT_FALSE(exclusive());
}

TEST_F(ExclusiveTest, OldUseByOthersIsForgotten) {
  form_group({kPhrase});
  for (int i = 0; i < 4; ++i) send(100, kPhrase);
  for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase);
  tokens_.settle_votes();
  ASSERT_FALSE(exclusive());
  for (int round = 0; round < 10; ++round) {
    for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase);
  }
  tokens_.settle_votes();
  EXPECT_TRUE(exclusive()) << "counts are of the latest requests";
}

TEST_F(ExclusiveTest, AnotherGroupStartsAnew) {
  form_group({kPhrase});
  for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase);
  tokens_.settle_votes();
  ASSERT_TRUE(exclusive());
  // Newcomers of group 2 outvote the first group: it loses the token first, then the other wins it.
  for (Token account = 20; account < 60; ++account) {
    accounts_.at(send(account, kOther + account)).in_group.group = 2;
    send(account, kPhrase);
  }
  tokens_.settle_votes();
  EXPECT_EQ(tokens_.owner_of(kPhrase).group, 2U);
  EXPECT_FALSE(exclusive());
  EXPECT_EQ(tokens_.find(kPhrase)->member_hits, 0U);
  send(20, kPhrase);
  send(21, kPhrase);
  tokens_.settle_votes();
  EXPECT_TRUE(exclusive()) << "now of the second group";
}

TEST_F(ExclusiveTest, KnownTokensAreNobodys) {
  form_group({kPhrase});
  for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase);
  tokens_.settle_votes();
  const Token phrase[] = {kPhrase};
  tokens_.add_known(phrase);
  tokens_.mark_known(2, {}, {});
  EXPECT_FALSE(exclusive());
  EXPECT_EQ(tokens_.owner_of(kPhrase).group, 0U);
}

// Framing: what others send after somebody did is no evidence against him.
TEST_F(ExclusiveTest, OwnWordsAreNoEvidence) {
  form_group({kPhrase, kOther});
  for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase, kOther);
  tokens_.settle_votes();
  ASSERT_TRUE(exclusive());
  ASSERT_TRUE(exclusive(kOther));
  const std::uint32_t before = counters(1).hits, before_of_follower = counters(2).hits_exclusive;
  for (int i = 0; i < 10; ++i) send(1, kPhrase, kOther);
  for (int i = 0; i < 10; ++i) send(2, kPhrase, kOther);
  EXPECT_EQ(counters(1).hits, before + 10) << "it is the group's work";
  EXPECT_EQ(counters(1).hits_exclusive, 0U) << "but he said it first";
  EXPECT_EQ(counters(2).hits_exclusive, before_of_follower + 10);
}

TEST_F(ExclusiveTest, OnePhraseAgainAndAgainCountsOnce) {
  form_group({kPhrase, kOther});
  for (Token account = 1; account <= kMembers; ++account) send(account, kPhrase, kOther);
  tokens_.settle_votes();
  counters(3) = {};
  counters(3).group = kGroup;
  for (int i = 0; i < 20; ++i) send(3, kPhrase);
  EXPECT_EQ(counters(3).hits, 20U);
  EXPECT_EQ(counters(3).hits_exclusive, 1U) << "a habit";
  send(3, kOther);
  EXPECT_EQ(counters(3).hits_exclusive, 2U) << "a template new to it";
  for (int i = 0; i < 5; ++i) send(3, kPhrase, kOther);
  EXPECT_EQ(counters(3).hits_exclusive, 7U) << "requests that agree in two ways";
}

TEST_F(ExclusiveTest, WhoUsesACommonPhraseIsNoOutsideHitter) {
  form_group({kPhrase});
  for (int i = 0; i < 20; ++i) send(100, kPhrase);
  tokens_.settle_votes();
  ASSERT_FALSE(exclusive());
  EXPECT_TRUE(accounts_.outside_hitters().empty());
  EXPECT_EQ(accounts_.outsiders().hits_by_group.find(kGroup)->second, 20U) << "but it counts for the base rate";
}

}  // namespace
}  // namespace stillwatch::detect
