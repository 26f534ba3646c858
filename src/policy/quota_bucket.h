// A bucket that leaks `limit` a window: the arithmetic of a quota, in whole numbers and without rounding.
//
// Invariant: over any sequence of leaks the sum that leaked is floor(time x limit / window) as long as the bucket is
// not empty: the rest of each division is kept, so looking often or seldom makes no difference.
// Threads: plain values. Cost: a multiplication, and one division by a constant; 128 bits wide only after long idling.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/event_time.h"

namespace stillwatch::policy {

__extension__ typedef unsigned __int128 WideCount;

template <std::uint64_t WindowUs>
struct Bucket {
  static constexpr std::uint64_t kWindowUs = WindowUs;
  static constexpr std::uint64_t kChargedMax = 1ULL << 62;  // adding saturates far above any limit

  std::uint64_t charged = 0;
  std::uint64_t rest = 0;  // of the last division: in 1 / WindowUs

  void leak(std::uint64_t limit, std::uint64_t elapsed_us) {
    if (charged == 0) return;
    const WideCount sum = static_cast<WideCount>(elapsed_us) * limit + rest;
    if (sum >> 64 == 0) {
      const auto narrow = static_cast<std::uint64_t>(sum);
      take(narrow / WindowUs, narrow % WindowUs);
    } else if (const WideCount leaked = sum / WindowUs; leaked >= charged) {
      charged = rest = 0;
    } else {
      take(static_cast<std::uint64_t>(leaked), static_cast<std::uint64_t>(sum % WindowUs));
    }
  }

  void charge(std::uint64_t amount) { charged = std::min(charged + std::min(amount, kChargedMax), kChargedMax); }

  /// Until at most `target` is charged; `more` is thought to be charged on top. Needs limit > 0.
  std::int64_t time_until(std::uint64_t target, std::uint64_t more, std::uint64_t limit) const {
    const std::uint64_t full = charged + more;
    if (full <= target) return 0;
    const WideCount wanted = static_cast<WideCount>(full - target) * WindowUs - rest;
    const WideCount us = (wanted + limit - 1) / limit;
    return us > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(us);
  }

 private:
  void take(std::uint64_t leaked, std::uint64_t rest_new) {
    const bool emptied = leaked >= charged;
    charged = emptied ? 0 : charged - leaked;
    rest = emptied ? 0 : rest_new;
  }
};

using MinuteBucket = Bucket<static_cast<std::uint64_t>(base::kMinuteUs)>;
using DayBucket = Bucket<static_cast<std::uint64_t>(base::kDayUs)>;

}  // namespace stillwatch::policy
