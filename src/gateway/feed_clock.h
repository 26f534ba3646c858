// How far the lines of other logs have come, so that the engine does not run ahead of a tail that is behind.
//
// Invariant: a source's bit is set before its first line is pushed and cleared only when all that its file held has
// been pushed; so an observer that reads the bits, then drains the queue, has every line of a source that it found
// clear. caught_up_us: everything that was in the logs at that time of the gateway has been pushed.
// Threads: the tail's thread sets bits and caught_up; the observer's sets times; anybody reads. Cost: an atomic each.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace stillwatch::gateway {

class FeedClock {
 public:
  static constexpr unsigned kSources = 64;  // files read at a time; source 0 stands for a tail that is still starting

  struct Reading {
    std::uint64_t behind = 0;  // one bit a source
    std::int64_t caught_up_us = INT64_MIN;
  };

  // The tail.
  void begin(unsigned source) {
    times_[source].store(INT64_MIN, std::memory_order_relaxed);
    set_behind(source, true);
  }
  void set_behind(unsigned source, bool is_behind) {
    const std::uint64_t bit = std::uint64_t{1} << source;
    if (is_behind)
      behind_.fetch_or(bit, std::memory_order_release);
    else
      behind_.fetch_and(~bit, std::memory_order_release);
  }
  void set_caught_up(std::int64_t now_us) { caught_up_us_.store(now_us, std::memory_order_release); }
  /// The latest event time that the observer has taken from a source; INT64_MIN: none yet.
  std::int64_t time_us(unsigned source) const { return times_[source].load(std::memory_order_relaxed); }

  /// The query log cannot be written: what is fed now is lost.
  bool log_failing() const { return log_failing_.load(std::memory_order_relaxed); }

  // The observer.
  void set_log_failing(bool is_failing) { log_failing_.store(is_failing, std::memory_order_relaxed); }
  Reading read() const {
    // In this order: a source that is found clear was pushed whole before.
    const std::int64_t caught_up_us = caught_up_us_.load(std::memory_order_acquire);
    return {behind_.load(std::memory_order_acquire), caught_up_us};
  }
  void took(unsigned source, std::int64_t time_us) {
    if (time_us > times_[source].load(std::memory_order_relaxed))
      times_[source].store(time_us, std::memory_order_relaxed);
  }
  /// The earliest time among sources that are behind; INT64_MIN when one has given nothing yet.
  std::int64_t earliest_us(std::uint64_t behind) const {
    std::int64_t earliest_us = INT64_MAX;
    for (unsigned source = 0; source < kSources; ++source) {
      if ((behind >> source & 1U) != 0) earliest_us = std::min(earliest_us, time_us(source));
    }
    return earliest_us;
  }

 private:
  std::atomic<std::uint64_t> behind_{0};
  std::atomic<bool> log_failing_{false};
  std::atomic<std::int64_t> caught_up_us_{INT64_MIN};
  std::array<std::atomic<std::int64_t>, kSources> times_{};
};

}  // namespace stillwatch::gateway
