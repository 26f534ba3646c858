#include "stats/shapiro_wilk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace stillwatch::stats {
namespace {

std::optional<WilkResult> wilk(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return ShapiroWilk().test(values);
}

TEST(NormalQuantile, InvertsTheNormalLaw) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(normal_quantile(1e-9), -5.997807015007687, 1e-12);
  EXPECT_EQ(normal_quantile(0.5), 0);
  base::Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const double p = std::pow(10, -12 * random.uniform()) * random.uniform();
    if (p <= 0) continue;
    EXPECT_NEAR(0.5 * std::erfc(-normal_quantile(p) / std::sqrt(2.0)) / p, 1, 1e-11) << p;
  }
}

// Weights in pounds of 11 men, the example of Shapiro and Wilk (1965): W = 0.79; by AS R94 p = 0.006704.
TEST(ShapiroWilk, GivesThePublishedValueOfTheFirstPaper) {
  const auto result = wilk({148, 154, 158, 160, 161, 162, 166, 170, 182, 195, 236});
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->w, 0.79, 5e-3);
  EXPECT_NEAR(result->p, 0.006704, 5e-7);
}

// Miles a gallon of 32 cars (Henderson and Velleman 1981); documented widely as W = 0.94756, p = 0.1229.
TEST(ShapiroWilk, GivesThePublishedValueForCars) {
  const auto result =
      wilk({21,   21,   22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4,
            14.7, 32.4, 30.4, 33.9, 21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26,   30.4, 15.8, 19.7, 15,   21.4});
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->w, 0.94756, 5e-6);
  EXPECT_NEAR(result->p, 0.1229, 5e-5);
}

// Sepal lengths of 150 irises (Fisher 1936), with many ties; documented widely as W = 0.97609, p = 0.01018.
TEST(ShapiroWilk, GivesThePublishedValueForIrises) {
  const std::vector<std::pair<double, int>> counts = {
      {4.3, 1}, {4.4, 3}, {4.5, 1}, {4.6, 4}, {4.7, 2}, {4.8, 5}, {4.9, 6}, {5.0, 10}, {5.1, 9},
      {5.2, 4}, {5.3, 1}, {5.4, 6}, {5.5, 7}, {5.6, 6}, {5.7, 8}, {5.8, 7}, {5.9, 3},  {6.0, 6},
      {6.1, 6}, {6.2, 4}, {6.3, 9}, {6.4, 7}, {6.5, 5}, {6.6, 2}, {6.7, 8}, {6.8, 3},  {6.9, 4},
      {7.0, 1}, {7.1, 1}, {7.2, 3}, {7.3, 1}, {7.4, 1}, {7.6, 1}, {7.7, 4}, {7.9, 1}};
  std::vector<double> lengths;
  for (const auto& [length, count] : counts) lengths.insert(lengths.end(), static_cast<std::size_t>(count), length);
  ASSERT_EQ(lengths.size(), 150U);
  const auto result = wilk(lengths);
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->w, 0.97609, 5e-6);
  EXPECT_NEAR(result->p, 0.01018, 5e-6);
}

// A test value of a widely used scientific library.
TEST(ShapiroWilk, GivesAReferenceValue) {
  const auto result = wilk({0.11, 7.87, 4.61, 10.14, 7.95, 3.14, 0.46, 4.43, 0.21, 4.75,
                            0.71, 1.52, 3.24, 0.93,  0.42, 4.97, 9.53, 4.55, 0.47, 6.66});
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->w, 0.900473, 1e-6);
  EXPECT_NEAR(result->p, 0.0420897, 1e-6);
}

TEST(ShapiroWilk, IsUnchangedByShiftScaleAndMirror) {
  base::Random random(2);
  for (const std::size_t n : {3U, 4U, 5U, 6U, 11U, 12U, 100U, 2000U}) {
    std::vector<double> values(n), moved, mirrored;
    for (double& value : values) value = random.exponential();
    for (const double value : values) moved.push_back(1e6 + 37 * value), mirrored.push_back(-value);
    const double w = wilk(values)->w;
    EXPECT_NEAR(wilk(moved)->w, w, 1e-8);
    EXPECT_NEAR(wilk(mirrored)->w, w, 1e-12);
    EXPECT_GT(w, 0);
    EXPECT_LE(w, 1);
  }
}

// Under normality p-values are uniform, in each of the three branches of the algorithm.
TEST(ShapiroWilk, KeepsItsLevelOnNormalValues) {
  base::Random random(3);
  for (const std::size_t n : {3U, 8U, 100U}) {
    constexpr int kRuns = 4000;
    int below_5 = 0, below_50 = 0;
    for (int run = 0; run < kRuns; ++run) {
      std::vector<double> values(n);
      for (double& value : values) value = random.normal();
      const double p = wilk(std::move(values))->p;
      below_5 += p < 0.05;
      below_50 += p < 0.5;
    }
    EXPECT_NEAR(below_5, 0.05 * kRuns, 5 * std::sqrt(0.05 * 0.95 * kRuns)) << n;
    EXPECT_NEAR(below_50, 0.5 * kRuns, 5 * std::sqrt(0.25 * kRuns)) << n;
  }
}

TEST(ShapiroWilk, HasNothingToSayOutsideItsRange) {
  EXPECT_FALSE(wilk({}));
  EXPECT_FALSE(wilk({1, 2}));
  EXPECT_FALSE(wilk({4, 4, 4, 4}));
  EXPECT_FALSE(wilk(std::vector<double>(ShapiroWilk::kValuesMax + 1, 1.0)));
  std::vector<double> normal;
  for (int i = 1; i <= 5000; ++i) normal.push_back(normal_quantile((i - 0.375) / 5000.25));
  EXPECT_GT(wilk(normal)->w, 0.9999);
}

}  // namespace
}  // namespace stillwatch::stats
