// The binomial law, exactly and far into its tails: probabilities, log tails, Clopper-Pearson bounds.
//
// Invariant: tails are computed in logarithms, so 1e-300 and far below keep their digits; no normal
// approximation anywhere. Arguments outside their range are a broken invariant.
// Threads: pure functions. Cost: about sqrt(n) steps of a continued fraction at the mean, a few in the tails.
// Source: tail = incomplete beta function by its continued fraction (DLMF 8.17.22, modified Lentz);
// point probability by the saddle-point form of C. Loader, "Fast and accurate computation of binomial
// probabilities" (2000); bounds of Clopper and Pearson (Biometrika 1934).
#pragma once

#include <cstdint>

namespace stillwatch::stats {

/// log P(X = k), X ~ Binomial(n, p); natural logarithm, -infinity when impossible. k <= n, 0 <= p <= 1.
double log_binomial_probability(std::uint64_t k, std::uint64_t n, double p);

/// log10 P(X >= k). 0 for k = 0; -infinity for k > n, or p = 0 and k > 0.
double log10_binomial_upper_tail(std::uint64_t k, std::uint64_t n, double p);
/// log10 P(X <= k).
double log10_binomial_lower_tail(std::uint64_t k, std::uint64_t n, double p);

/// Regularised incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1.
double incomplete_beta(double a, double b, double x);

/// One-sided Clopper-Pearson bounds on a rate after k events in n trials: the true rate lies above the upper
/// bound (below the lower one) in at most a share 1 - confidence of repetitions. n = 0: 1 and 0.
double rate_upper_bound(std::uint64_t k, std::uint64_t n, double confidence = 0.95);
double rate_lower_bound(std::uint64_t k, std::uint64_t n, double confidence = 0.95);

}  // namespace stillwatch::stats
