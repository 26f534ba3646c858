// The roll of UTC days for a baseline that decides once a day.
//
// Invariant: a day is closed at the first event of a later one, with that event's time, so that no step looks ahead;
// the first event closes the (empty) time before it. Threads: one user. Cost: a division an event.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/event_time.h"

namespace stillwatch::quality {

class DayRoll {
 public:
  /// Before anything else of an event; close(time_us) when it is the first of its day.
  template <class Close>
  void open(std::int64_t time_us, Close&& close) {
    const std::int64_t day = time_us / base::kDayUs;
    if (day > day_) {
      close(time_us);
      day_ = day;
    }
    newest_us_ = std::max(newest_us_, time_us);
  }
  /// When the last day is closed, after the last event.
  std::int64_t newest_us() const { return newest_us_; }

 private:
  std::int64_t day_ = -1, newest_us_ = 0;
};

}  // namespace stillwatch::quality
