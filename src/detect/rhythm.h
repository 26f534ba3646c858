// How regularly an account opens something: mean and spread of the logarithm of its gaps.
//
// A relay that takes the account used longest ago gives every account of its pool one rhythm: the same gap, give or
// take little. People pause for seconds, hours and days; the logarithm makes these comparable. Only requests that open
// a conversation count: follow-ups are answers to a machine's pace, not a choice of the scheduler.
// Invariant: older gaps count less and less once kGapsKept are known, so that an account that turns is seen.
// Threads: one writer. Cost: 24 bytes, one logarithm a request. Source: threat model, pattern A5.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <tuple>

#include "base/token.h"

namespace stillwatch::detect {

class Rhythm {
 public:
  static constexpr float kGapsKept = 32;
  static constexpr float kGapsMin = 6;  // fewer say nothing: a spread of six gaps is right within a third

  void add(std::int64_t time_us) {
    if (last_us_ != 0) {
      const float gap_s = static_cast<float>(time_us - last_us_) / 1e6F;
      const float value = std::log2(std::max(gap_s, 1.0F));
      gaps_ = std::min(gaps_ + 1, kGapsKept);
      ++gaps_total_;
      const float before = value - mean_;
      mean_ += before / gaps_;
      variance_ += (before * (value - mean_) - variance_) / gaps_;
    }
    last_us_ = time_us;
  }

  bool known() const { return gaps_ >= kGapsMin; }
  std::uint32_t gaps_total() const { return gaps_total_; }
  /// log2 of seconds.
  float mean() const { return mean_; }
  float deviation() const { return std::sqrt(std::max(variance_, 0.0F)); }

  auto members() const { return std::tie(last_us_, gaps_, mean_, variance_, gaps_total_); }
  auto members() { return std::tie(last_us_, gaps_, mean_, variance_, gaps_total_); }

 private:
  std::int64_t last_us_ = 0;
  float gaps_ = 0, mean_ = 0, variance_ = 0;
  std::uint32_t gaps_total_ = 0;
};

}  // namespace stillwatch::detect
