// A prompt as 64 numbers: the poor man's semantic embedding, for baselines whose papers use a neural one.
//
// Signed feature hashing (Weinberger et al., ICML 2009) of words and three-byte runs, in lower case; signed square
// roots of the counts, divided by their length; then the mean of the log's first texts is taken off, because all texts
// of one language point the same way, and the rest is brought to length 1. Long texts count by head and tail.
// Invariant: the same texts in the same order give the same vectors. No text is kept.
// Threads: one user. Cost: about 2 ns a byte of at most 4 KiB; 128 bytes a vector.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace stillwatch::quality {

inline constexpr std::size_t kVectorSize = 64;

/// Length 1 in units of kOne, so that sums are exact and the same on every machine.
struct TextVector {
  static constexpr double kOne = 16384;
  std::array<std::int16_t, kVectorSize> at{};

  /// Cosine times kOne squared.
  static std::int32_t dot(const TextVector& a, const TextVector& b) {
    std::int32_t sum = 0;
#pragma GCC unroll 8  // vector steps without a loop around them: the baselines spend a third of their time here
    for (std::size_t i = 0; i < kVectorSize; ++i) sum += std::int32_t{a.at[i]} * b.at[i];
    return sum;
  }
  static double cosine(std::int32_t dot) { return dot / (kOne * kOne); }
  static double distance(std::int32_t dot) { return std::sqrt(std::fmax(0.0, 2 - 2 * cosine(dot))); }
  /// Brought to length 1; nothing for a vector that is about zero.
  static std::optional<TextVector> unit(const std::array<float, kVectorSize>& raw);
  /// A direction without preference.
  static TextVector random(base::Random& random);
};

/// TextVector::dot of one with each of many, with the widest instructions of the machine; `out` has a place for each.
void dots(std::span<const TextVector> many, const TextVector& one, std::int32_t* out);

class TextVectors {
 public:
  static constexpr std::size_t kMeanOf = 1000;  // first texts that set the mean; they get no vector
  static constexpr std::size_t kHalfBytes = 2048;

  std::optional<TextVector> of(std::string_view text);

 private:
  std::array<float, kVectorSize> sum_{};
  std::size_t texts_ = 0;
};

/// Counts without mean and length; for tests and for TextVectors.
std::array<float, kVectorSize> hashed_counts(std::string_view text);

}  // namespace stillwatch::quality
