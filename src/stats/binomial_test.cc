#include "stats/binomial.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace stillwatch::stats {
namespace {

// The other road: long double terms by recurrence from the end of the tail, smallest first.
long double upper_by_summation(std::uint64_t k, std::uint64_t n, long double p) {
  long double log_term = static_cast<long double>(n) * std::log(p), sum = 0;
  for (std::uint64_t i = n + 1; i-- > k;) {
    sum += std::exp(log_term);
    if (i > 0) {
      log_term += std::log(static_cast<long double>(i)) - std::log(static_cast<long double>(n - i + 1)) +
                  std::log1p(-p) - std::log(p);
    }
  }
  return sum;
}

TEST(Binomial, TailsEqualExactSummation) {
  base::Random random(11);
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t n = 1 + random.below(400), k = random.below(n + 1);
    const double p = random.chance(0.3) ? std::pow(10, -8 * random.uniform()) : random.uniform();
    if (p == 0) continue;
    const auto expected = static_cast<double>(std::log10(upper_by_summation(k, n, p)));
    EXPECT_NEAR(log10_binomial_upper_tail(k, n, p), expected, 1e-11 * (1 + std::fabs(expected)))
        << k << " of " << n << " at " << p;
  }
}

TEST(Binomial, FarTailKeepsItsDigits) {
  // P(X >= 1000 | 1000, p) = p^1000: far below the smallest double.
  EXPECT_NEAR(log10_binomial_upper_tail(1000, 1000, 1e-3), -3000, 1e-9);
  // P(X >= 200 | 1e6, 1e-6), by its leading terms.
  long double log_term = 0;
  for (int i = 1; i <= 200; ++i) log_term += std::log((1e6L - i + 1) / i);
  log_term += 200 * std::log(1e-6L) + (1e6L - 200) * std::log1p(-1e-6L);
  long double sum = 0, term = 1;
  for (int i = 200; i < 260; ++i) {
    sum += term;
    term *= (1e6L - i) / (i + 1) * 1e-6L / (1 - 1e-6L);
  }
  const auto expected = static_cast<double>((log_term + std::log(sum)) / std::log(10.0L));
  ASSERT_LT(expected, -300);
  EXPECT_NEAR(log10_binomial_upper_tail(200, 1'000'000, 1e-6), expected, 1e-9);
}

TEST(Binomial, UpperAndLowerTailAddUp) {
  base::Random random(12);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t n = 1 + random.below(1'000'000), k = 1 + random.below(n);
    const double p = std::pow(random.uniform(), 3);
    const double sum =
        std::pow(10, log10_binomial_upper_tail(k, n, p)) + std::pow(10, log10_binomial_lower_tail(k - 1, n, p));
    EXPECT_NEAR(sum, 1, 1e-9) << k << " of " << n << " at " << p;
  }
}

TEST(Binomial, EdgesOfTheLaw) {
  EXPECT_EQ(log10_binomial_upper_tail(0, 10, 0.2), 0);
  EXPECT_EQ(log10_binomial_upper_tail(11, 10, 0.2), -INFINITY);
  EXPECT_EQ(log10_binomial_upper_tail(1, 10, 0), -INFINITY);
  EXPECT_EQ(log10_binomial_upper_tail(10, 10, 1), 0);
  EXPECT_EQ(log10_binomial_lower_tail(10, 10, 0.7), 0);
  EXPECT_NEAR(log10_binomial_upper_tail(1, 1'000'000'000'000, 1e-30), -18, 1e-9);
}

TEST(Binomial, ProbabilitiesSumToOne) {
  for (const std::uint64_t n : {1U, 7U, 40U, 5000U}) {
    for (const double p : {1e-6, 0.03, 0.5, 0.99}) {
      double sum = 0;
      for (std::uint64_t k = 0; k <= n; ++k) sum += std::exp(log_binomial_probability(k, n, p));
      EXPECT_NEAR(sum, 1, 1e-11) << n << " " << p;
    }
  }
}

TEST(IncompleteBeta, IsTheBinomialTailAndItsClosedForms) {
  base::Random random(13);
  for (int i = 0; i < 1000; ++i) {
    const double x = random.uniform(), a = 0.1 + 20 * random.uniform();
    EXPECT_NEAR(incomplete_beta(a, 1, x), std::pow(x, a), 1e-12);
    EXPECT_NEAR(incomplete_beta(1, a, x), 1 - std::pow(1 - x, a), 1e-12);
    const std::uint64_t n = 1 + random.below(60), k = 1 + random.below(n);
    EXPECT_NEAR(incomplete_beta(static_cast<double>(k), static_cast<double>(n - k + 1), x),
                std::pow(10, log10_binomial_upper_tail(k, n, x)), 1e-11);
  }
  EXPECT_NEAR(incomplete_beta(0.5, 0.5, 0.5), 0.5, 1e-12);
}

TEST(RateBound, KnownBounds) {
  // No event in n trials: 1 - 0.05^(1/n), the rule of three.
  for (const std::uint64_t n : {1ULL, 40ULL, 20'000ULL, 10'000'000ULL}) {
    EXPECT_NEAR(rate_upper_bound(0, n) / -std::expm1(std::log(0.05) / static_cast<double>(n)), 1, 1e-9) << n;
  }
  // Published table values of the exact two-sided 90 % interval for 3 of 10: 0.0873 to 0.6066.
  EXPECT_NEAR(rate_upper_bound(3, 10), 0.6066, 5e-5);
  EXPECT_NEAR(rate_lower_bound(3, 10), 0.0873, 5e-5);
  EXPECT_EQ(rate_upper_bound(10, 10), 1);
  EXPECT_EQ(rate_upper_bound(0, 0), 1);
  EXPECT_EQ(rate_lower_bound(0, 10), 0);
}

TEST(RateBound, SolvesItsDefinition) {
  base::Random random(14);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t n = 1 + random.below(100'000), k = random.below(n);
    const double bound = rate_upper_bound(k, n);
    EXPECT_NEAR(std::pow(10, log10_binomial_lower_tail(k, n, bound)), 0.05, 1e-8) << k << " of " << n;
    EXPECT_GT(bound, static_cast<double>(k) / static_cast<double>(n));
  }
}

}  // namespace
}  // namespace stillwatch::stats
