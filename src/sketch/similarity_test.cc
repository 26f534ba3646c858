#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

#include "base/random.h"
#include "sketch/one_permutation_minhash.h"
#include "sketch/simhash.h"

namespace stillwatch::sketch {
namespace {

OnePermutationMinhash::Sketch minhash_of(const std::vector<base::Token>& tokens) {
  OnePermutationMinhash minhash;
  for (const auto token : tokens) minhash.add(token);
  return minhash.finish();
}

TEST(OnePermutationMinhash, OrderAndRepetitionDoNotMatter) {
  base::Random random(1);
  std::vector<base::Token> tokens(100);
  for (auto& token : tokens) token = random();
  auto other = tokens;
  std::reverse(other.begin(), other.end());
  other.insert(other.end(), tokens.begin(), tokens.begin() + 50);
  EXPECT_EQ(minhash_of(tokens), minhash_of(other));
  EXPECT_EQ(minhash_of({}), OnePermutationMinhash::Sketch{});
}

TEST(OnePermutationMinhash, OneTokenFillsEveryBin) {
  const auto sketch = minhash_of({0x123456789ABCDEF7ULL});
  EXPECT_TRUE(std::all_of(sketch.begin(), sketch.end(), [](auto value) { return value == 0xF7; }));
}

// The header's error bound, over set sizes below and above the number of bins and over the range of J.
TEST(OnePermutationMinhash, ErrorAgainstExactJaccardStaysInTheBound) {
  for (const std::size_t all : {8U, 40U, 200U, 2'000U}) {
    for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      const auto common = static_cast<std::size_t>(share * static_cast<double>(all));
      const double exact = static_cast<double>(common) / static_cast<double>(all);
      double squares = 0, sum = 0;
      constexpr int kRuns = 400;
      for (int run = 0; run < kRuns; ++run) {
        base::Random random(all * 1000 + common, run);
        std::vector<base::Token> a, b;
        for (std::size_t i = 0; i < all; ++i) {
          const base::Token token = random();
          if (i < common || i % 2 == 0) a.push_back(token);
          if (i < common || i % 2 == 1) b.push_back(token);
        }
        const double error = jaccard_estimate(minhash_of(a), minhash_of(b)) - exact;
        squares += error * error;
        sum += error;
      }
      const double bound =
          1.25 * std::sqrt((exact * (1 - exact) + 1.0 / 128) / static_cast<double>(std::min<std::size_t>(64, all)));
      EXPECT_LE(std::sqrt(squares / kRuns), bound) << "union " << all << " J " << exact;
      // Clamping at 0 biases the empty overlap upwards; elsewhere the mean must be close.
      EXPECT_LE(std::abs(sum / kRuns), 0.02) << "union " << all << " J " << exact;
    }
  }
}

TEST(Simhash, ManyTokensSpillWithoutLoss) {
  // 1,000 copies of one token among 999 of its complement: the majority is the token itself.
  Simhash simhash;
  const base::Token token = 0xDEADBEEF01234567ULL;
  for (int i = 0; i < 1000; ++i) simhash.add(token);
  for (int i = 0; i < 999; ++i) simhash.add(~token);
  EXPECT_EQ(simhash.value(), token);
  simhash.add(~token);
  EXPECT_EQ(simhash.value(), 0U);  // a draw is no majority
  EXPECT_EQ(Simhash().value(), 0U);
}

TEST(Simhash, AllAtOnceIsOneAfterTheOther) {
  base::Random random(5);
  std::vector<base::Token> tokens;
  for (std::size_t count = 0; count < 128; ++count) {
    Simhash simhash;
    for (const base::Token token : tokens) simhash.add(token);
    EXPECT_EQ(simhash_of(tokens), simhash.value()) << count;
    tokens.push_back(count % 3 == 0 && count > 0 ? tokens[count / 2] : random.next());
  }
}

TEST(Simhash, DistanceFollowsTheAngle) {
  for (const int common : {0, 30, 60, 90}) {
    constexpr int kWords = 100, kRuns = 300;
    const double angle_share = std::acos(static_cast<double>(common) / kWords) / std::numbers::pi;
    double sum = 0, squares = 0;
    for (int run = 0; run < kRuns; ++run) {
      base::Random random(common, run);
      Simhash a, b;
      for (int i = 0; i < kWords; ++i) {
        const base::Token token = random();
        a.add(token);
        b.add(i < common ? token : random());
      }
      const double share = hamming_distance(a.value(), b.value()) / 64.0;
      sum += share;
      squares += (share - angle_share) * (share - angle_share);
    }
    EXPECT_NEAR(sum / kRuns, angle_share, 0.03) << common;
    EXPECT_LE(std::sqrt(squares / kRuns), 1.0 / 16 + 0.03) << common;
  }
}

}  // namespace
}  // namespace stillwatch::sketch
