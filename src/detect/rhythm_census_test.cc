#include "detect/rhythm_census.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "detect/token_table.h"

namespace stillwatch::detect {
namespace {

constexpr std::int64_t kStart = 1'775'001'600'000'000;

Rhythm every(double gap_s) {
  Rhythm rhythm;
  for (int i = 0; i < 20; ++i) rhythm.add(kStart + static_cast<std::int64_t>(i * gap_s * 1e6));
  return rhythm;
}

Settings small_settings() {
  Settings settings;
  settings.first_seen_slots = 1U << 16;
  settings.conversation_slots = 1U << 16;
  return settings;
}

class RhythmCensusTest : public ::testing::Test {
 protected:
  /// An account that sends every `gap_s`; first seen in the first day, and so trusted, unless told.
  void add_account(Token number, double gap_s, std::int64_t first_us = kStart) {
    for (int i = 0; i < 20; ++i) {
      event::Query query;
      query.account = base::mix64(number + 1);
      query.time_us = first_us + static_cast<std::int64_t>(i * gap_s * 1e6);
      Observation seen;
      accounts_.observe({}, {&query, 1}, {}, tokens_, kStart, {&seen, 1});
    }
  }
  Settings settings_ = small_settings();
  AccountTable accounts_{settings_};
  TokenTable tokens_{settings_};
  RhythmCensus census_;
};

TEST_F(RhythmCensusTest, NothingIsRareBeforeTheFirstCensus) {
  EXPECT_FALSE(census_.is_rare(rhythm_boxes(every(600))[0]));
  EXPECT_EQ(census_.total(), 0U);
}

TEST_F(RhythmCensusTest, RareIsWhatAtMostOneTrustedAccountInAHundredHas) {
  for (Token i = 0; i < 300; ++i) add_account(i, 100);
  for (Token i = 300; i < 302; ++i) add_account(i, 600);
  for (Token i = 302; i < 312; ++i) add_account(i, 5000);
  census_.take(accounts_, kStart);
  EXPECT_EQ(census_.total(), 312U);
  EXPECT_EQ(census_.count(rhythm_boxes(every(100))[0]), 300U);
  EXPECT_FALSE(census_.is_rare(rhythm_boxes(every(100))[0]));
  EXPECT_FALSE(census_.is_rare(rhythm_boxes(every(5000))[0])) << "10 of 312";
  EXPECT_TRUE(census_.is_rare(rhythm_boxes(every(600))[0])) << "2 of 312";
  EXPECT_TRUE(census_.is_rare(rhythm_boxes(every(40))[0])) << "nobody";
  EXPECT_FALSE(census_.is_rare(0)) << "an unknown rhythm";
}

// Else an attacker could make his rhythm common by having it.
TEST_F(RhythmCensusTest, OnlyTrustedAccountsAreCounted) {
  for (Token i = 0; i < 200; ++i) add_account(i, 100);
  for (Token i = 200; i < 400; ++i) add_account(i, 600, kStart + 3 * base::kDayUs);
  census_.take(accounts_, kStart);
  EXPECT_EQ(census_.total(), 200U);
  EXPECT_TRUE(census_.is_rare(rhythm_boxes(every(600))[0]));
}

TEST_F(RhythmCensusTest, NeighboursMeetInOneOfTwoGrids) {
  const auto meet = [](double gap_s, double other_s) {
    const auto a = rhythm_boxes(every(gap_s)), b = rhythm_boxes(every(other_s));
    return a[0] == b[0] || a[1] == b[1];
  };
  int split_in_first = 0;
  for (double gap_s = 20; gap_s < 20'000; gap_s *= 1.03) {
    EXPECT_TRUE(meet(gap_s, gap_s * 1.14)) << gap_s;
    EXPECT_FALSE(meet(gap_s, gap_s * 2)) << gap_s;
    split_in_first += rhythm_boxes(every(gap_s))[0] != rhythm_boxes(every(gap_s * 1.14))[0] ? 1 : 0;
  }
  EXPECT_GT(split_in_first, 20) << "which one grid alone tells apart";
}

TEST_F(RhythmCensusTest, SavedAndLoadedItSaysTheSame) {
  for (Token i = 0; i < 150; ++i) add_account(i, 30.0 * static_cast<double>(1 + i % 7));
  census_.take(accounts_, kStart);
  base::ByteWriter out;
  census_.save(out);
  RhythmCensus loaded;
  base::ByteReader in(out.bytes());
  loaded.load(in);
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(loaded.total(), 150U);
  for (double gap_s = 10; gap_s < 1000; gap_s *= 1.1) {
    for (const Token box : rhythm_boxes(every(gap_s))) {
      EXPECT_EQ(loaded.count(box), census_.count(box));
      EXPECT_EQ(loaded.is_rare(box), census_.is_rare(box));
    }
  }
}

}  // namespace
}  // namespace stillwatch::detect
