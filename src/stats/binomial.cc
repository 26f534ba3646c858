#include "stats/binomial.h"

#include <cmath>
#include <limits>

#include "base/assert.h"

namespace stillwatch::stats {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLn10 = 2.302585092994045684;
constexpr double kTwoPi = 6.283185307179586477;

// log(n!) minus Stirling's formula; its series is exact to double precision above 15.
double stirling_error(double n) {
  if (n <= 15) return std::lgamma(n + 1) - (n + 0.5) * std::log(n) + n - 0.5 * std::log(kTwoPi);
  const double square = n * n;
  return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / square) / square) / square) / square) / n;
}

// x log(x / mean) + mean - x, without cancellation where x is near the mean.
double deviance(double x, double mean) {
  const double difference = x - mean;
  if (std::fabs(difference) >= 0.1 * (x + mean)) return x * std::log(x / mean) + mean - x;
  const double ratio = difference / (x + mean);
  double sum = difference * ratio, term = 2 * x * ratio;
  const double square = ratio * ratio;
  for (int i = 1; i < 1000; ++i) {
    term *= square;
    const double next = sum + term / (2 * i + 1);
    if (next == sum) break;
    sum = next;
  }
  return sum;
}

// The factor of I_x(a, b) = x^a (1-x)^b / (a B(a,b)) * factor; quick where x < (a + 1) / (a + b + 2).
double continued_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int kStepsMax = 1'000'000;  // sqrt(n) steps are needed: enough for n = 10^12
  const auto away_from_zero = [](double value) { return std::fabs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double product = d;
  for (int i = 1; i < kStepsMax; ++i) {
    const double m = i;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    product *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    const double step = d * c;
    product *= step;
    if (std::fabs(step - 1) < 1e-15) break;
  }
  return product;
}

// log of 1 - e^x for x <= 0.
double log_complement(double x) {
  if (x >= 0) return -kInfinity;
  return x > -0.6931471805599453 ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x));
}

// log P(X >= k) where it is the small side: 1 <= k <= n, k above the mean.
double log_upper_small(std::uint64_t k, std::uint64_t n, double p) {
  const auto a = static_cast<double>(k), b = static_cast<double>(n - k + 1);
  return log_binomial_probability(k, n, p) + std::log1p(-p) + std::log(continued_fraction(a, b, p));
}

double log_upper(std::uint64_t k, std::uint64_t n, double p) {
  if (k == 0) return 0;
  if (k > n || p == 0) return -kInfinity;
  if (p == 1) return 0;
  const auto a = static_cast<double>(k), b = static_cast<double>(n - k + 1);
  if (p <= (a + 1) / (a + b + 2)) return log_upper_small(k, n, p);
  return log_complement(log_upper_small(n - k + 1, n, 1 - p));  // P(X >= k) = 1 - P(n - X >= n - k + 1)
}

}  // namespace

double log_binomial_probability(std::uint64_t k, std::uint64_t n, double p) {
  STILLWATCH_ASSERT(k <= n && p >= 0 && p <= 1);
  const auto kd = static_cast<double>(k), nd = static_cast<double>(n), md = nd - kd;
  if (p == 0) return k == 0 ? 0 : -kInfinity;
  if (p == 1) return k == n ? 0 : -kInfinity;
  if (k == 0) return nd * std::log1p(-p);
  if (k == n) return nd * std::log(p);
  return stirling_error(nd) - stirling_error(kd) - stirling_error(md) - deviance(kd, nd * p) -
         deviance(md, nd * (1 - p)) + 0.5 * std::log(nd / (kTwoPi * kd * md));
}

double log10_binomial_upper_tail(std::uint64_t k, std::uint64_t n, double p) {
  STILLWATCH_ASSERT(p >= 0 && p <= 1);
  return log_upper(k, n, p) / kLn10;
}

double log10_binomial_lower_tail(std::uint64_t k, std::uint64_t n, double p) {
  STILLWATCH_ASSERT(p >= 0 && p <= 1);
  if (k >= n) return 0;
  // 1 - p is exact enough unless p is tiny; then the complement of the upper tail keeps p's digits.
  if (p < 0.5) {
    const double upper = log_upper(k + 1, n, p);
    if (upper < -0.1) return log_complement(upper) / kLn10;
  }
  return log_upper(n - k, n, 1 - p) / kLn10;
}

double incomplete_beta(double a, double b, double x) {
  STILLWATCH_ASSERT(a > 0 && b > 0 && x >= 0 && x <= 1);
  if (x == 0 || x == 1) return x;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  const double log_front =
      a * std::log(x) + b * std::log1p(-x) + std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) - std::log(a);
  return std::exp(log_front) * continued_fraction(a, b, x);
}

double rate_upper_bound(std::uint64_t k, std::uint64_t n, double confidence) {
  STILLWATCH_ASSERT(k <= n && confidence > 0 && confidence < 1);
  if (k == n) return 1;
  const double target = std::log10(1 - confidence);
  double low = static_cast<double>(k) / static_cast<double>(n), high = 1;
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    (log10_binomial_lower_tail(k, n, middle) > target ? low : high) = middle;
  }
  return high;
}

double rate_lower_bound(std::uint64_t k, std::uint64_t n, double confidence) {
  return k == 0 || n == 0 ? 0 : 1 - rate_upper_bound(n - k, n, confidence);
}

}  // namespace stillwatch::stats
