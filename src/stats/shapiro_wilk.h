// The W statistic of Shapiro and Wilk: how straight the ordered values lie against those of a normal law.
//
// Invariant: 0 < W <= 1, unchanged by shift and scale of the values; the p-value is P(W or smaller) under
// normality. Arguments outside their range are a broken invariant.
// Threads: pure functions; a ShapiroWilk keeps coefficients, one user each. Cost: O(n) a test after the first of
// its n.
// Source: P. Royston, "Remark AS R94: a remark on algorithm AS 181: the W-test for normality", Applied Statistics
// 44 (1995) 547-551, with its polynomials; S. S. Shapiro, M. B. Wilk, Biometrika 52 (1965) 591-611.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace stillwatch::stats {

/// Quantile of the standard normal law, 0 < p < 1; exact to about 14 digits.
double normal_quantile(double p);

struct WilkResult {
  double w = 1, p = 1;
};

class ShapiroWilk {
 public:
  static constexpr std::size_t kValuesMin = 3, kValuesMax = 5000;  // the range of AS R94
  /// `sorted` in ascending order. Nothing when there are too few or too many values, or all are equal.
  std::optional<WilkResult> test(std::span<const double> sorted);

 private:
  const std::vector<double>& upper_half(std::size_t n);
  std::unordered_map<std::size_t, std::vector<double>> coefficients_;  // of the n / 2 largest, largest first
};

}  // namespace stillwatch::stats
