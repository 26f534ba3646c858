#include "detect/rhythm.h"

#include <gtest/gtest.h>

#include "base/event_time.h"
#include "base/random.h"
#include "detect/rhythm_census.h"

namespace stillwatch::detect {
namespace {

constexpr std::int64_t kStart = 1'775'001'600'000'000;

std::int64_t us(double seconds) { return static_cast<std::int64_t>(seconds * 1e6); }

/// Somebody with sittings: minutes between questions, hours between sittings, nights.
Rhythm person(base::Random& random) {
  Rhythm rhythm;
  const double pace_s = 20 + 200 * random.uniform(), sitting_questions = 1 + 6 * random.uniform();
  std::int64_t now_us = kStart;
  for (int i = 0; i < 40; ++i) {
    const bool leaves = random.chance(1 / sitting_questions);
    now_us += us(leaves ? 3600 * (2 + 30 * random.exponential()) : pace_s * random.exponential());
    rhythm.add(now_us);
  }
  return rhythm;
}

TEST(Rhythm, PoolThatTakesTheLongestIdleHasOneNarrowRhythm) {
  constexpr std::size_t kPool = 200;
  base::Random random(1);
  std::vector<Rhythm> pool(kPool);
  std::int64_t now_us = kStart;
  for (std::size_t request = 0; request < kPool * 20; ++request) {
    now_us += us(3 * random.exponential());
    pool[request % kPool].add(now_us);
  }
  const auto boxes = rhythm_boxes(pool[0]);
  for (const Rhythm& rhythm : pool) {
    EXPECT_LT(rhythm.deviation(), 0.25F);
    EXPECT_NEAR(rhythm.mean(), std::log2(600.0), 0.2);
    EXPECT_EQ(rhythm_boxes(rhythm)[0], boxes[0]) << "all are in one box";
  }
}

TEST(Rhythm, PeopleHaveWideAndDifferentRhythms) {
  base::Random random(2);
  std::map<Token, int> boxes;
  for (int i = 0; i < 400; ++i) {
    const Rhythm rhythm = person(random);
    ASSERT_TRUE(rhythm.known());
    EXPECT_GT(rhythm.deviation(), 1.0F);
    ++boxes[rhythm_boxes(rhythm)[0]];
  }
  EXPECT_GT(boxes.size(), 20U);
  for (const auto& item : boxes) EXPECT_LT(item.second, 120) << "no box holds most of the public";
}

TEST(Rhythm, FewGapsSayNothing) {
  Rhythm rhythm;
  for (int i = 0; i < 6; ++i) rhythm.add(kStart + i * base::kMinuteUs);
  EXPECT_EQ(rhythm.gaps_total(), 5U);
  EXPECT_FALSE(rhythm.known());
  EXPECT_EQ(rhythm_boxes(rhythm), (std::array<Token, kRhythmGrids>{}));
  rhythm.add(kStart + 6 * base::kMinuteUs);
  EXPECT_TRUE(rhythm.known());
  EXPECT_NE(rhythm_boxes(rhythm)[0], 0U);
  EXPECT_NE(rhythm_boxes(rhythm)[0], rhythm_boxes(rhythm)[1]);
}

TEST(Rhythm, OldGapsAreForgotten) {
  Rhythm rhythm;
  std::int64_t now_us = kStart;
  for (int i = 0; i < 500; ++i) rhythm.add(now_us += 10 * base::kSecondUs);
  EXPECT_NEAR(rhythm.mean(), std::log2(10.0), 1e-3);
  EXPECT_NEAR(rhythm.deviation(), 0, 1e-3);
  for (int i = 0; i < 150; ++i) rhythm.add(now_us += base::kHourUs);
  EXPECT_NEAR(rhythm.mean(), std::log2(3600.0), 0.3) << "150 gaps outweigh 500 older ones";
  EXPECT_EQ(rhythm.gaps_total(), 649U);
}

TEST(Rhythm, RequestsAtOnceAreASecondApart) {
  Rhythm rhythm;
  for (int i = 0; i < 20; ++i) rhythm.add(kStart + i);
  EXPECT_EQ(rhythm.mean(), 0);
  EXPECT_EQ(rhythm.deviation(), 0);
}

}  // namespace
}  // namespace stillwatch::detect
