#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <type_traits>
#include <vector>

#include "base/random.h"
#include "sketch/bottom_k.h"
#include "sketch/cardinality.h"
#include "sketch/rolling_bitmap.h"

namespace stillwatch::sketch {
namespace {

static_assert(std::is_trivially_copyable_v<Cardinality>);
static_assert(std::is_trivially_copyable_v<BottomK<32>> && sizeof(BottomK<32>) == 12 * 32 + 16);
static_assert(std::is_trivially_copyable_v<RollingBitmap>);

TEST(Cardinality, ErrorStaysInTheBoundOverTheWholeRange) {
  for (const int distinct : {1, 3, 10, 30, 100, 300, 1'000, 10'000, 100'000}) {
    const int runs = distinct > 10'000 ? 60 : 400;
    double sum = 0, squares = 0;
    for (int run = 0; run < runs; ++run) {
      base::Random random(distinct, run);
      Cardinality sketch;
      for (int i = 0; i < distinct; ++i) sketch.add(random());
      const double error = sketch.estimate() / distinct - 1;
      sum += error;
      squares += error * error;
    }
    // Three standard errors of the mean on top of the stated 3 % bias.
    EXPECT_LE(std::abs(sum / runs), 0.03 + 3 * Cardinality::kRelativeError / std::sqrt(runs)) << distinct;
    EXPECT_LE(std::sqrt(squares / runs), 1.25 * Cardinality::kRelativeError) << distinct;
  }
}

TEST(Cardinality, MergeIsTheSketchOfBoth) {
  base::Random random(7);
  Cardinality a, b, both;
  EXPECT_EQ(a.estimate(), 0);
  EXPECT_TRUE(a.empty());
  for (int i = 0; i < 500; ++i) {
    const base::Token token = random();
    if (i % 3 != 0) a.add(token);
    if (i % 3 != 1) b.add(token);
    both.add(token);
    EXPECT_FALSE(both.add(token));
  }
  a.merge(b);
  EXPECT_EQ(a, both);
  EXPECT_EQ(Cardinality::from_registers(both.registers()), both);
}

TEST(Cardinality, FullAndForgedRegistersGiveFiniteEstimates) {
  std::array<std::uint8_t, 64> registers;
  registers.fill(255);
  EXPECT_FALSE(std::isnan(Cardinality::from_registers(registers).estimate()));
  registers.fill(58);
  EXPECT_GT(Cardinality::from_registers(registers).estimate(), 1e15);
}

// Against exact counts: tokens below the threshold, all of them, with exact counts, through adds and removes.
TEST(BottomK, HoldsExactlyTheLiveTokensBelowTheThreshold) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    base::Random random(seed);
    std::vector<base::Token> universe(60);
    for (auto& token : universe) token = random();
    BottomK<16> sample;
    std::map<base::Token, std::uint32_t> exact;
    for (int step = 0; step < 2'000; ++step) {
      const base::Token token = universe[random.below(universe.size())];
      if (random.chance(0.6)) {
        sample.add(token);
        ++exact[token];
      } else if (exact.contains(token)) {
        sample.remove(token);
        if (--exact[token] == 0) exact.erase(token);
      }
    }
    std::size_t below = 0;
    for (const auto& [token, count] : exact) {
      if (token >= sample.threshold()) continue;
      ++below;
      EXPECT_EQ(sample.count(token), count);
    }
    EXPECT_EQ(below, sample.size());
    EXPECT_LE(sample.size(), 16U);
    EXPECT_TRUE(std::is_sorted(sample.tokens().begin(), sample.tokens().end()));
  }
}

TEST(BottomK, WithoutRemovalsItIsTheKSmallestInAnyOrderAndMerge) {
  base::Random random(3);
  std::set<base::Token> exact;
  BottomK<32> whole, reversed, left, right;
  std::vector<base::Token> tokens(500);
  for (auto& token : tokens) exact.insert(token = random());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    whole.add(tokens[i]);
    reversed.add(tokens[tokens.size() - 1 - i]);
    (i % 2 == 0 ? left : right).add(tokens[i]);
  }
  left.merge(right);
  EXPECT_EQ(whole, reversed);
  EXPECT_EQ(whole, left);
  EXPECT_TRUE(std::equal(whole.tokens().begin(), whole.tokens().end(), exact.begin()));
  EXPECT_EQ(whole.threshold(), *std::next(exact.begin(), 32));
}

TEST(BottomK, EstimatesDistinctAndJaccardWithinTheBound) {
  constexpr int kRuns = 300;
  for (const int distinct : {20, 100, 5'000}) {
    double squares = 0, sum = 0, jaccard_squares = 0;
    for (int run = 0; run < kRuns; ++run) {
      base::Random random(distinct, run);
      BottomK<64> a, b;
      int count = 0;
      for (int i = 0; i < distinct; ++i) {
        const base::Token token = random();
        if (i % 4 != 0) a.add(token), ++count;
        if (i % 4 != 1) b.add(token);
      }
      const double error = a.distinct_estimate() / count - 1;
      sum += error;
      squares += error * error;
      jaccard_squares += std::pow(jaccard_estimate(a, b) - 0.5, 2);
    }
    EXPECT_LE(std::abs(sum / kRuns), 3 / std::sqrt(63.0 * kRuns)) << distinct;
    EXPECT_LE(std::sqrt(squares / kRuns), 1.15 / std::sqrt(63.0)) << distinct;
    EXPECT_LE(std::sqrt(jaccard_squares / kRuns), 1.15 * std::sqrt(0.25 / std::min(64, distinct))) << distinct;
  }
}

TEST(BottomK, CountsSaturate) {
  BottomK<2> sample;
  sample.add(5, 0xFFFFFFFFU);
  sample.add(5, 3);
  EXPECT_EQ(sample.count(5), 0xFFFFFFFFU);
  EXPECT_FALSE(sample.add(6, 0));
  EXPECT_FALSE(sample.remove(6));
}

TEST(RollingBitmap, AgreesWithASetOfBuckets) {
  base::Random random(11);
  RollingBitmap a, b;
  std::set<std::uint32_t> exact_a, exact_b;
  for (int i = 0; i < 3'000; ++i) {
    const auto bucket = static_cast<std::uint32_t>(random.below(RollingBitmap::kBits));
    if (random.chance(0.5)) {
      EXPECT_EQ(a.set(bucket), exact_a.insert(bucket).second);
    } else {
      b.set(bucket);
      exact_b.insert(bucket);
    }
  }
  std::uint32_t common = 0;
  for (std::uint32_t bucket = 0; bucket < RollingBitmap::kBits; ++bucket) {
    EXPECT_EQ(a.test(bucket), exact_a.contains(bucket));
    common += exact_a.contains(bucket) && exact_b.contains(bucket) ? 1 : 0;
  }
  EXPECT_EQ(a.count(), exact_a.size());
  EXPECT_EQ(a.common_count(b), common);
  EXPECT_EQ(RollingBitmap::from_words(a.words()), a);
  a.merge(b);
  exact_a.merge(exact_b);
  EXPECT_EQ(a.count(), exact_a.size());
  for (std::uint32_t slice = 0; slice < RollingBitmap::kSlices; ++slice) a.forget_slice(slice);
  EXPECT_EQ(a.count(), 0U);
}

TEST(RollingBitmap, LinearCountingStaysInTheBound) {
  for (const int distinct : {10, 100, 1'000, 5'000}) {
    constexpr int kRuns = 200;
    double sum = 0, squares = 0;
    for (int run = 0; run < kRuns; ++run) {
      base::Random random(distinct, run);
      RollingBitmap bitmap;
      for (int i = 0; i < distinct; ++i) bitmap.set(RollingBitmap::bucket_of(random()));
      const double error = bitmap.estimate() - distinct;
      sum += error;
      squares += error * error;
    }
    const double t = distinct / 2048.0, bound = std::sqrt(2048 * (std::exp(t) - t - 1));
    EXPECT_LE(std::abs(sum / kRuns), 0.01 * distinct + 3 * bound / std::sqrt(kRuns)) << distinct;
    EXPECT_LE(std::sqrt(squares / kRuns), 1.2 * bound + 0.1) << distinct;
  }
  RollingBitmap full;
  for (std::uint32_t bucket = 0; bucket < RollingBitmap::kBits; ++bucket) full.set(bucket);
  EXPECT_NEAR(full.estimate(), 15'615, 1);
}

}  // namespace
}  // namespace stillwatch::sketch
