// How many distinct tokens were seen: a HyperLogLog of 64 one-byte registers.
//
// Estimator: O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017
// (arXiv 1702.01284), section 4: one formula over the whole range, without tables of bias. Sketch:
// Flajolet, Fusy, Gandouet, Meunier, 2007.
// Error bound: relative standard error 1.04 / sqrt(64) = 13 %, bias under 3 % from 1 to 10^7; below 32 it
// is near linear counting (standard error about 0.7 at 10; tested). Registers never go down: no removal.
// Invariant: merge(a, b) equals the sketch of both inputs; order and repetition do not matter. Tokens are
// remixed, so that callers may sample tokens by their value first.
// Threads: plain value. Cost: add ~2 ns, merge ~10 ns, estimate ~200 ns; 64 bytes, trivially copyable.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/random.h"
#include "base/token.h"

namespace stillwatch::sketch {

class Cardinality {
 public:
  static constexpr std::size_t kRegisters = 64;
  static constexpr double kRelativeError = 0.13;  // one standard error

  /// True when the token changed the sketch: it was certainly new.
  bool add(base::Token token) {
    const std::uint64_t hash = base::mix64(token ^ 0x6A09E667F3BCC909ULL);
    const std::uint64_t rest = hash >> 6;
    const auto rank = static_cast<std::uint8_t>(rest == 0 ? kRankMax : std::countl_zero(rest) - 6 + 1);
    std::uint8_t& known = registers_[hash & (kRegisters - 1)];
    if (rank <= known) return false;
    known = rank;
    return true;
  }

  void merge(const Cardinality& other) {
    for (std::size_t i = 0; i < kRegisters; ++i) registers_[i] = std::max(registers_[i], other.registers_[i]);
  }

  /// 0 exactly when nothing was added.
  double estimate() const {
    std::array<std::uint8_t, kRankMax + 1> having{};  // registers by value
    for (const std::uint8_t value : registers_) ++having[std::min<std::size_t>(value, kRankMax)];
    constexpr double kCount = kRegisters;
    if (having[0] == kRegisters) return 0;
    double z = kCount * tau((kCount - having[kRankMax]) / kCount);
    for (std::size_t value = kRankMax - 1; value >= 1; --value) z = 0.5 * (z + having[value]);
    z += kCount * sigma(having[0] / kCount);
    return kCount * kCount / (2 * std::log(2.0)) / z;
  }

  bool empty() const {
    return std::all_of(registers_.begin(), registers_.end(), [](auto v) { return v == 0; });
  }
  /// For snapshots: the 64 registers as they are. Values above the maximum are read as the maximum.
  const std::array<std::uint8_t, kRegisters>& registers() const { return registers_; }
  static Cardinality from_registers(const std::array<std::uint8_t, kRegisters>& registers) {
    Cardinality sketch;
    for (std::size_t i = 0; i < kRegisters; ++i) sketch.registers_[i] = std::min<std::uint8_t>(registers[i], kRankMax);
    return sketch;
  }
  bool operator==(const Cardinality&) const = default;

 private:
  static constexpr std::uint8_t kRankMax = 59;  // 58 hash bits after the 6 of the register, plus one

  static double sigma(double x) {
    double power = 1, z = x;
    for (double before = -1; z != before;) {
      x *= x;
      before = z;
      z += x * power;
      power += power;
    }
    return z;
  }
  static double tau(double x) {
    if (x == 0 || x == 1) return 0;
    double power = 1, z = 1 - x;
    for (double before = -1; z != before;) {
      x = std::sqrt(x);
      before = z;
      power *= 0.5;
      z -= (1 - x) * (1 - x) * power;
    }
    return z / 3;
  }

  std::array<std::uint8_t, kRegisters> registers_{};
};
static_assert(sizeof(Cardinality) == 64);

}  // namespace stillwatch::sketch
