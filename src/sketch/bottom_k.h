// A consistent sample of a token set: its K smallest tokens, each with how often it came.
//
// Two sketches of overlapping sets keep the same tokens, so that overlap survives sampling. Tokens must
// already be keyed and uniform. Source: Cohen, Kaplan, "Summarizing data using bottom-k sketches", 2007.
// Invariants: the sample is exactly the live tokens below threshold(), with exact counts (saturating at
// 2^32 - 1). The threshold only goes down, so a token once cut never comes back half counted; remove()
// frees room below the threshold, and the sample is then smaller than K, still exact and unbiased.
// Error bound: distinct_estimate() is exact until the first cut, later unbiased with relative standard
// error at most 1 / sqrt(K - 1) without removals, 1 / sqrt(size) with. jaccard_estimate has standard error
// sqrt(J (1 - J) / k), k the sampled size of the union, at least min(K, |A u B|) without removals.
// Threads: plain value, trivially copyable, 12 K + 16 bytes. Cost: O(log K) look-up + O(K) moves.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/token.h"

namespace stillwatch::sketch {

template <std::size_t K>
class BottomK {
  static_assert(K >= 2 && K < 65'536);

 public:
  /// Counts the token. True when it is in the sample afterwards.
  bool add(base::Token token, std::uint32_t count = 1) {
    if (token >= threshold_ || count == 0) return false;
    const std::size_t at = place_of(token);
    if (at < size_ && tokens_[at] == token) {
      counts_[at] = saturating_sum(counts_[at], count);
      return true;
    }
    if (size_ == K) {
      if (at == K) {
        threshold_ = token;
        return false;
      }
      threshold_ = tokens_[--size_];
    }
    std::move_backward(tokens_.begin() + at, tokens_.begin() + size_, tokens_.begin() + size_ + 1);
    std::move_backward(counts_.begin() + at, counts_.begin() + size_, counts_.begin() + size_ + 1);
    tokens_[at] = token;
    counts_[at] = count;
    ++size_;
    return true;
  }

  /// Takes back `count` of earlier adds; the token leaves at 0. True when it was in the sample.
  bool remove(base::Token token, std::uint32_t count = 1) {
    const std::size_t at = place_of(token);
    if (at == size_ || tokens_[at] != token) return false;
    if (counts_[at] > count) {
      counts_[at] -= count;
      return true;
    }
    std::move(tokens_.begin() + at + 1, tokens_.begin() + size_, tokens_.begin() + at);
    std::move(counts_.begin() + at + 1, counts_.begin() + size_, counts_.begin() + at);
    --size_;
    tokens_[size_] = 0;  // equal states have equal bytes
    counts_[size_] = 0;
    return true;
  }

  /// Adds all that `other` knows; counts of equal tokens add up.
  void merge(const BottomK& other) {
    lower_threshold(other.threshold_);
    for (std::size_t i = 0; i < other.size_; ++i) add(other.tokens_[i], other.counts_[i]);
  }

  std::uint32_t count(base::Token token) const {
    const std::size_t at = place_of(token);
    return at < size_ && tokens_[at] == token ? counts_[at] : 0;
  }
  double distinct_estimate() const {
    if (threshold_ == kNothingCut) return size_;
    return static_cast<double>(size_) / (static_cast<double>(threshold_) * 0x1.0p-64);
  }

  /// Ascending; counts()[i] belongs to tokens()[i].
  std::span<const base::Token> tokens() const { return {tokens_.data(), size_}; }
  std::span<const std::uint32_t> counts() const { return {counts_.data(), size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Tokens from here on are not sampled; the largest value while nothing was cut.
  base::Token threshold() const { return threshold_; }
  bool operator==(const BottomK&) const = default;

 private:
  static constexpr base::Token kNothingCut = ~base::Token{0};

  std::size_t place_of(base::Token token) const {
    return static_cast<std::size_t>(std::lower_bound(tokens_.begin(), tokens_.begin() + size_, token) -
                                    tokens_.begin());
  }
  void lower_threshold(base::Token threshold) {
    threshold_ = std::min(threshold_, threshold);
    while (size_ > 0 && tokens_[size_ - 1] >= threshold_) {
      --size_;
      tokens_[size_] = 0;
      counts_[size_] = 0;
    }
  }
  static std::uint32_t saturating_sum(std::uint32_t a, std::uint32_t b) { return a > ~b ? ~std::uint32_t{0} : a + b; }

  std::array<base::Token, K> tokens_{};
  base::Token threshold_ = kNothingCut;
  std::array<std::uint32_t, K> counts_{};
  std::uint32_t size_ = 0;
};

/// Estimated Jaccard similarity of the two sets of live tokens: exact on the part below both thresholds.
template <std::size_t K>
double jaccard_estimate(const BottomK<K>& a, const BottomK<K>& b) {
  // The K smallest of the union, or all that both sides know, whichever ends first.
  const base::Token threshold = std::min(a.threshold(), b.threshold());
  std::size_t i = 0, j = 0, common = 0, all = 0;
  const auto left = a.tokens(), right = b.tokens();
  while (true) {
    const bool more_left = i < left.size() && left[i] < threshold,
               more_right = j < right.size() && right[j] < threshold;
    if (!more_left && !more_right) break;
    ++all;
    if (more_left && more_right && left[i] == right[j]) {
      ++common, ++i, ++j;
    } else if (!more_right || (more_left && left[i] < right[j])) {
      ++i;
    } else {
      ++j;
    }
  }
  return all == 0 ? 0 : static_cast<double>(common) / static_cast<double>(all);
}

}  // namespace stillwatch::sketch
