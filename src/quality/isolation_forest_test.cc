#include "quality/isolation_forest.h"

#include <gtest/gtest.h>

namespace stillwatch::quality {
namespace {

std::vector<FeaturePoint> cloud(std::size_t count, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<FeaturePoint> out(count);
  for (FeaturePoint& point : out) {
    for (float& value : point) value = static_cast<float>(random.normal());
  }
  return out;
}

// Equation 1 of the paper: harmonic numbers, here summed exactly.
TEST(UsualDepth, IsThatOfAnUnsuccessfulSearch) {
  EXPECT_EQ(usual_depth(0), 0);
  EXPECT_EQ(usual_depth(1), 0);
  EXPECT_EQ(usual_depth(2), 1);
  for (const std::size_t n : {16U, 256U, 5000U}) {
    double harmonic = 0;
    for (std::size_t i = 1; i < n; ++i) harmonic += 1.0 / static_cast<double>(i);
    const double exact = 2 * harmonic - 2 * static_cast<double>(n - 1) / static_cast<double>(n);
    EXPECT_NEAR(usual_depth(n), exact, 1.2 / static_cast<double>(n));
  }
  EXPECT_NEAR(usual_depth(256), 10.24, 0.01);
}

TEST(IsolationForest, SetsOutliersApart) {
  const auto points = cloud(2000, 1);
  const IsolationForest forest(points, 7);
  FeaturePoint far{};
  far.fill(6);
  FeaturePoint middle{};
  double sum = 0, most = 0;
  for (const FeaturePoint& point : points) {
    const double score = forest.score(point);
    EXPECT_GT(score, 0);
    EXPECT_LE(score, 1);
    sum += score;
    most = std::max(most, score);
  }
  EXPECT_GT(forest.score(far), 0.7);
  EXPECT_GT(forest.score(far), most);
  EXPECT_LT(forest.score(middle), 0.45);
  EXPECT_NEAR(sum / 2000, 0.47, 0.05);
}

TEST(IsolationForest, FollowsFromItsSeed) {
  const auto points = cloud(500, 2);
  const IsolationForest a(points, 7), b(points, 7), c(points, 8);
  bool differs = false;
  for (const FeaturePoint& point : points) {
    EXPECT_EQ(a.score(point), b.score(point));
    differs = differs || a.score(point) != c.score(point);
  }
  EXPECT_TRUE(differs);
}

// With every possible cut equally likely, a lone point among copies of another is cut off first: depth 1 against the
// depth that the copies still need.
TEST(IsolationForest, GivesTheDepthsOfASmallCaseExactly) {
  std::vector<FeaturePoint> points(8, FeaturePoint{});
  points[5].fill(1);
  const IsolationForest forest(points, 3);
  EXPECT_NEAR(forest.score(points[5]), std::exp2(-1 / usual_depth(8)), 1e-6);
  EXPECT_NEAR(forest.score(points[0]), std::exp2(-(1 + usual_depth(7)) / usual_depth(8)), 1e-6);
}

TEST(IsolationForest, TakesFewAndEqualPoints) {
  EXPECT_EQ(IsolationForest().score({}), 0);
  EXPECT_EQ(IsolationForest(std::vector<FeaturePoint>{}, 1).score({}), 0);
  const IsolationForest equal(std::vector<FeaturePoint>(300, FeaturePoint{}), 1);
  EXPECT_NEAR(equal.score({}), 0.5, 1e-6);
}

}  // namespace
}  // namespace stillwatch::quality
