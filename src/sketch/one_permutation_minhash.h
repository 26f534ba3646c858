// One-permutation MinHash: 64 bins of 8 bits that estimate the Jaccard similarity of two token sets.
//
// Tokens must already be keyed and uniform (the sketch adds no hash of its own). The set is cut into 64
// bins by the top 6 bits; each bin keeps its smallest token, of which 8 bits are stored. Empty bins copy
// a non-empty one: densification by rotation, Shrivastava, Li, "Improved Densification of One Permutation
// Hashing", UAI 2014, with a random start and direction a bin, which spreads the donors nearly as well as
// the walks of "Optimal Densification" (Shrivastava, ICML 2017) at a tenth of their cost for short texts.
// 8 stored bits follow Li, König, "b-Bit Minwise Hashing", WWW 2010.
// Error bound: the estimate's standard error is at most sqrt((J (1 - J) + 1/128) / min(64, |A u B|)) with
// a factor of 1.25 for the copied bins, about 0.08 at J = 0.5 (tested against exact Jaccard).
// Invariant: equal sets give equal sketches, in whatever order and how often tokens were added. The
// empty set gives all zeros, which says nothing: callers look at the word count first.
// Threads: one user each. Cost: ~1 ns a token, ~60 ns to finish, 512 B while building.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/random.h"
#include "base/token.h"

namespace stillwatch::sketch {

class OnePermutationMinhash {
 public:
  static constexpr std::size_t kBins = 64;
  using Sketch = std::array<std::uint8_t, kBins>;

  OnePermutationMinhash() { clear(); }
  void clear() { smallest_.fill(kEmpty); }

  void add(base::Token token) {
    std::uint64_t& smallest = smallest_[token >> 58];
    smallest = std::min(smallest, token & (kEmpty >> 6));
  }

  Sketch finish() const {
    Sketch sketch{};
    std::uint64_t filled = 0;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      sketch[bin] = static_cast<std::uint8_t>(smallest_[bin]);
      filled |= static_cast<std::uint64_t>(smallest_[bin] != kEmpty) << bin;
    }
    if (filled == 0) return {};
    for (std::uint64_t empty = ~filled; empty != 0; empty &= empty - 1) {
      const auto bin = static_cast<std::size_t>(std::countr_zero(empty));
      sketch[bin] = sketch[donor(bin, filled)];
    }
    return sketch;
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  // Each bin's walk to a donor: a fixed start and direction, the same for every set.
  struct Walk {
    std::uint8_t start, backward;
  };
  static constexpr std::array<Walk, kBins> make_walks() {
    std::array<Walk, kBins> walks{};
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      const std::uint64_t walk = base::mix64(bin + 1);
      walks[bin] = {static_cast<std::uint8_t>(walk >> 58), (walk & 1U) != 0 ? std::uint8_t{0} : std::uint8_t{1}};
    }
    return walks;
  }

  // The first non-empty bin of the walk. Both directions are computed: a branch on one would be a guess.
  static std::size_t donor(std::size_t bin, std::uint64_t filled) {
    static constexpr std::array<Walk, kBins> kWalks = make_walks();
    const Walk walk = kWalks[bin];
    const std::uint64_t turned = std::rotr(filled, walk.start);
    const int steps = walk.backward != 0 ? 63 - std::countl_zero(turned) : std::countr_zero(turned);
    return static_cast<std::size_t>(walk.start + steps) % kBins;
  }

  std::array<std::uint64_t, kBins> smallest_;
};

/// Estimated Jaccard similarity, corrected for equal 8-bit values by chance; 0 to 1.
inline double jaccard_estimate(const OnePermutationMinhash::Sketch& a, const OnePermutationMinhash::Sketch& b) {
  int equal = 0;
  for (std::size_t bin = 0; bin < a.size(); ++bin) equal += a[bin] == b[bin] ? 1 : 0;
  constexpr double kChance = 1.0 / 256;
  const double share = static_cast<double>(equal) / static_cast<double>(a.size());
  return std::clamp((share - kChance) / (1 - kChance), 0.0, 1.0);
}

}  // namespace stillwatch::sketch
