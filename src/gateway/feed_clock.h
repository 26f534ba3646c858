// How far the lines of other logs have come, so that the engine does not run ahead of a tail that is behind.
//
// Invariant: a source's bit is set before its first line is pushed and cleared only when all that its file held has
// been pushed; so an observer that reads the bits, then drains the queue, has every line of a source that it found
// clear. caught_up_us: everything that was in the logs at that time of the gateway has been pushed.
// Threads: the tail's thread sets bits and caught_up; it and the observer's move times on; anybody reads. Cost: an
// atomic each.
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
    bool is_behind = false;              // a source has more than it has pushed
    std::int64_t behind_us = INT64_MAX;  // the earliest time of such a source; INT64_MIN: one has given nothing yet
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
  /// The latest event time that has come from a source; INT64_MIN: none yet.
  std::int64_t time_us(unsigned source) const { return times_[source].load(std::memory_order_acquire); }

  /// The query log cannot be written: what is fed now is lost.
  bool log_failing() const { return log_failing_.load(std::memory_order_relaxed); }

  // The observer.
  void set_log_failing(bool is_failing) { log_failing_.store(is_failing, std::memory_order_relaxed); }
  /// Before the queue is drained: all lines up to these times are in it, or were.
  Reading read() const {
    Reading out;
    // In this order: a source that is found clear was pushed whole before.
    out.caught_up_us = caught_up_us_.load(std::memory_order_acquire);
    const std::uint64_t behind = behind_.load(std::memory_order_acquire);
    out.is_behind = behind != 0;
    for (unsigned source = 0; source < kSources; ++source) {
      if ((behind >> source & 1U) != 0) out.behind_us = std::min(out.behind_us, time_us(source));
    }
    return out;
  }
  /// The tail, too, for a line that it looked at.
  void took(unsigned source, std::int64_t time_us) {
    std::int64_t before_us = times_[source].load(std::memory_order_relaxed);
    while (time_us > before_us &&
           !times_[source].compare_exchange_weak(before_us, time_us, std::memory_order_release)) {
    }
  }

 private:
  std::atomic<std::uint64_t> behind_{0};
  std::atomic<bool> log_failing_{false};
  std::atomic<std::int64_t> caught_up_us_{INT64_MIN};
  std::array<std::atomic<std::int64_t>, kSources> times_{};
};

}  // namespace stillwatch::gateway
