#include "stats/shapiro_wilk.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/assert.h"

namespace stillwatch::stats {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr std::size_t kCached = 4096;  // coefficient sets kept; a set of n costs 4 n bytes

// Coefficients from the constant term up.
template <std::size_t kTerms>
double polynomial(const std::array<double, kTerms>& terms, double x) {
  double sum = 0;
  for (std::size_t i = kTerms; i-- > 0;) sum = sum * x + terms[i];
  return sum;
}

double upper_tail(double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); }

double p_value(double w, std::size_t n) {
  const auto count = static_cast<double>(n);
  if (n == 3) {
    // Exact: W of three values is never below 3/4.
    return std::clamp(6 / kPi * (std::asin(std::sqrt(w)) - std::asin(std::sqrt(0.75))), 0.0, 1.0);
  }
  const double log_rest = std::log1p(-w);
  if (n <= 11) {
    const double gamma = polynomial(std::array{-2.273, 0.459}, count);
    if (log_rest >= gamma) return 0;
    const double mean = polynomial(std::array{0.5440, -0.39978, 0.025054, -0.0006714}, count);
    const double log_deviation = polynomial(std::array{1.3822, -0.77857, 0.062767, -0.0020322}, count);
    return upper_tail((-std::log(gamma - log_rest) - mean) / std::exp(log_deviation));
  }
  const double log_count = std::log(count);
  const double mean = polynomial(std::array{-1.5861, -0.31082, -0.083751, 0.0038915}, log_count);
  const double log_deviation = polynomial(std::array{-0.4803, -0.082676, 0.0030302}, log_count);
  return upper_tail((log_rest - mean) / std::exp(log_deviation));
}

std::vector<double> coefficients_of(std::size_t n) {
  if (n == 3) return {std::sqrt(0.5)};
  std::vector<double> out(n / 2);
  double squares = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    // Blom's approximation to the expected i-th largest of n normal values.
    out[i] = -normal_quantile((static_cast<double>(i) + 0.625) / (static_cast<double>(n) + 0.25));
    squares += 2 * out[i] * out[i];
  }
  const double root = 1 / std::sqrt(static_cast<double>(n)), norm = std::sqrt(squares);
  const double first =
      out[0] / norm + polynomial(std::array{0.0, 0.221157, -0.147981, -2.071190, 4.434685, -2.706056}, root);
  std::size_t corrected = 1;
  double second = 0, rest = (squares - 2 * out[0] * out[0]) / (1 - 2 * first * first);
  if (n > 5) {
    corrected = 2;
    second = out[1] / norm + polynomial(std::array{0.0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633}, root);
    rest = (squares - 2 * out[0] * out[0] - 2 * out[1] * out[1]) / (1 - 2 * first * first - 2 * second * second);
  }
  out[0] = first;
  if (corrected == 2) out[1] = second;
  for (std::size_t i = corrected; i < out.size(); ++i) out[i] /= std::sqrt(rest);
  return out;
}

}  // namespace

double normal_quantile(double p) {
  STILLWATCH_ASSERT(p > 0 && p < 1);
  if (p > 0.5) return -normal_quantile(1 - p);
  // A start good to half a digit, then Newton on the logarithm of the tail, which is concave: it cannot overshoot.
  double x = p < 0.02 ? -std::sqrt(-2 * std::log(p)) : (p - 0.5) * std::sqrt(2 * kPi);
  for (int i = 0; i < 60; ++i) {
    const double tail = upper_tail(-x);
    const double slope = std::exp(-0.5 * x * x) / std::sqrt(2 * kPi) / tail;
    const double step = std::log(tail / p) / slope;
    x -= step;
    if (std::fabs(step) <= 1e-15 * (1 + std::fabs(x))) break;
  }
  return x;
}

const std::vector<double>& ShapiroWilk::upper_half(std::size_t n) {
  if (coefficients_.size() >= kCached && !coefficients_.contains(n)) coefficients_.clear();
  auto& out = coefficients_[n];
  if (out.empty()) out = coefficients_of(n);
  return out;
}

std::optional<WilkResult> ShapiroWilk::test(std::span<const double> sorted) {
  const std::size_t n = sorted.size();
  if (n < kValuesMin || n > kValuesMax) return std::nullopt;
  const double range = sorted.back() - sorted.front();
  if (!(range > 0)) return std::nullopt;
  const auto& upper = upper_half(n);
  double mean = 0;
  for (const double value : sorted) mean += (value - sorted.front()) / range;
  mean /= static_cast<double>(n);
  double around = 0, line = 0;
  for (const double value : sorted) {
    const double from_mean = (value - sorted.front()) / range - mean;
    around += from_mean * from_mean;
  }
  for (std::size_t i = 0; i < upper.size(); ++i) line += upper[i] * (sorted[n - 1 - i] - sorted[i]) / range;
  const double w = std::min(1.0, line * line / around);
  return WilkResult{w, w < 1 ? p_value(w, n) : 1};
}

}  // namespace stillwatch::stats
