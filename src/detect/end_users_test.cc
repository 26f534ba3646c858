#include "detect/end_users.h"

#include <gtest/gtest.h>

#include <map>

#include "detect/account_state.h"
#include "detect/language_vote.h"

namespace stillwatch::detect {
namespace {

using event::Language;

base::Token user(std::uint64_t number) { return base::mix64(number + 1); }

TEST(EndUsers, FewAreKeptExactly) {
  EndUsers users;
  for (int i = 0; i < 30; ++i) users.add(user(1), true);
  for (int i = 0; i < 10; ++i) users.add(user(2), true);
  for (int i = 0; i < 7; ++i) users.add(user(2), false);
  for (int i = 0; i < 5; ++i) users.add(0, true);
  for (int i = 0; i < 3; ++i) users.add(0, false);
  const auto heaviest = users.heaviest();
  EXPECT_EQ(heaviest[0].user, user(1));
  EXPECT_EQ(heaviest[0].hits, 30);
  EXPECT_EQ(heaviest[0].error, 0);
  EXPECT_EQ(heaviest[1].hits, 10);
  EXPECT_EQ(heaviest[1].others, 7);
  EXPECT_EQ(heaviest[2].user, 0U);
  EXPECT_EQ(users.hits(), 45U);
  EXPECT_EQ(users.others(), 10U);
  EXPECT_EQ(users.others_named(), 0U);
  EXPECT_EQ(users.others_distinct(), 0);
}

// The bounds of Space-Saving against exact counts, on skewed and on flat traffic.
TEST(EndUsers, HitsAreBetweenTheirBounds) {
  base::Random random(1);
  for (int round = 0; round < 200; ++round) {
    EndUsers users;
    std::map<base::Token, int> exact;
    const std::uint64_t crowd = 1 + random.below(60);
    for (int i = 0; i < 2'000; ++i) {
      const base::Token one = user(random.chance(0.5) ? 0 : random.below(crowd));
      users.add(one, true);
      ++exact[one];
    }
    int certain = 0;
    for (const EndUsers::Heavy& heavy : users.heaviest()) {
      if (heavy.user == 0) continue;
      EXPECT_GE(heavy.hits, exact[heavy.user]);
      EXPECT_LE(heavy.hits - heavy.error, exact[heavy.user]);
      certain += heavy.hits - heavy.error;
    }
    EXPECT_LE(certain, 2'000);
    EXPECT_EQ(users.heaviest()[0].user, user(0)) << "who sends half of it is never missed";
  }
}

TEST(EndUsers, CountsTheOthers) {
  base::Random random(2);
  for (const int crowd : {1, 5, 20, 60, 100}) {
    double sum = 0;
    for (int round = 0; round < 100; ++round) {
      EndUsers users;
      const std::uint64_t base = random.next();
      for (int i = 0; i < 5; ++i) {
        for (int one = 0; one < crowd; ++one) users.add(user(base + static_cast<std::uint64_t>(one)), false);
      }
      EXPECT_EQ(users.others_named(), 5U * static_cast<unsigned>(crowd));
      sum += users.others_distinct();
    }
    EXPECT_NEAR(sum / 100, crowd, 0.1 * crowd + 0.5);
  }
}

TEST(EndUsers, SharesStayWhenCountersAreFull) {
  EndUsers users;
  for (int i = 0; i < 300'000; ++i) {
    users.add(user(1), i % 4 != 0);
    users.add(user(2), i % 4 == 0);
  }
  const auto heaviest = users.heaviest();
  EXPECT_NEAR(static_cast<double>(heaviest[0].hits) / users.hits(), 0.75, 0.01);
  EXPECT_NEAR(static_cast<double>(heaviest[1].hits) / users.hits(), 0.25, 0.01);
}

TEST(LanguageVote, FollowsTheMajority) {
  LanguageVote vote;
  EXPECT_EQ(vote.majority(), Language::unknown);
  base::Random random(3);
  for (int i = 0; i < 1'000; ++i)
    vote.add(random.chance(0.7) ? Language::ko : random.chance(0.5) ? Language::en : Language::zh);
  EXPECT_EQ(vote.majority(), Language::ko);
  for (int i = 0; i < 1'000; ++i) vote.add(Language::unknown);
  EXPECT_EQ(vote.majority(), Language::ko);
  for (int i = 0; i <= LanguageVote::kLeadMax; ++i) vote.add(Language::fr);
  EXPECT_EQ(vote.majority(), Language::fr);
}

}  // namespace
}  // namespace stillwatch::detect
