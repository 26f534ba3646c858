// A small, fast, seedable generator whose stream depends only on its key: simulation and permutation
// tests draw the same numbers for any number of threads because each entity keys its own.
//
// Source: SplitMix64 (Steele, Lea, Flood 2014). Not for secrets. Threads: one user each.
#pragma once

#include <cmath>
#include <cstdint>

namespace stillwatch::base {

constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

class Random {
 public:
  using result_type = std::uint64_t;
  constexpr explicit Random(std::uint64_t key) : state_(key) {}
  /// Stream number `stream` of a seed: independent for every pair.
  constexpr Random(std::uint64_t seed, std::uint64_t stream)
      : state_(mix64(seed + 0x9E3779B97F4A7C15ULL) ^ mix64(stream * 0xD1342543DE82EF95ULL + 1)) {}

  constexpr std::uint64_t next() { return mix64(state_ += 0x9E3779B97F4A7C15ULL); }
  constexpr std::uint64_t operator()() { return next(); }
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~0ULL; }

  /// Uniform in [0, bound); bound > 0. Bias below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }
  /// Uniform in [0, 1).
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  constexpr bool chance(double probability) { return uniform() < probability; }
  double exponential() { return -std::log1p(-uniform()); }
  double normal() {
    const double radius = std::sqrt(2 * exponential());
    return radius * std::cos(6.283185307179586 * uniform());
  }

 private:
  __extension__ typedef unsigned __int128 Wide;
  std::uint64_t state_;
};

}  // namespace stillwatch::base
