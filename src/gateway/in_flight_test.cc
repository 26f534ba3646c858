#include "gateway/in_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/random.h"

namespace stillwatch::gateway {
namespace {

constexpr std::int64_t kStart = 1'776'000'000'000'000;

struct Clocks {
  std::int64_t wall_us = kStart, steady_us = 5;
  InFlight::Options options() {
    InFlight::Options out;
    out.wall_us = [this] { return wall_us; };
    out.steady_us = [this] { return steady_us; };
    return out;
  }
  void pass(std::int64_t us) { wall_us += us, steady_us += us; }
};

TEST(InFlight, ArrivalsIncreaseAndTheEarliestHoldsTheWatermark) {
  Clocks clocks;
  InFlight in_flight(clocks.options());
  auto first = in_flight.arrive();
  auto second = in_flight.arrive();  // the clock stands still
  EXPECT_EQ(first.arrived_us(), kStart);
  EXPECT_EQ(second.arrived_us(), kStart + 1);
  clocks.pass(base::kSecondUs);
  EXPECT_EQ(in_flight.watermark(), kStart);
  { const auto gone = std::move(first); }
  EXPECT_EQ(in_flight.watermark(), kStart + 1);
  second = in_flight.arrive();
  EXPECT_EQ(in_flight.watermark(), kStart + base::kSecondUs);
  second = {};
  const std::int64_t now_us = in_flight.watermark();
  EXPECT_GE(in_flight.arrive().arrived_us(), now_us) << "nothing arrives before a watermark";
}

TEST(InFlight, WhoTakesTooLongNoLongerHolds) {
  Clocks clocks;
  InFlight in_flight(clocks.options());
  auto slow = in_flight.arrive();
  clocks.pass(60 * base::kSecondUs);
  auto other = in_flight.arrive();
  clocks.pass(61 * base::kSecondUs);
  EXPECT_EQ(in_flight.watermark(), other.arrived_us());
  EXPECT_EQ(in_flight.counters().overdue, 1U);
  slow = {};
  other = {};
  EXPECT_EQ(in_flight.counters().in_flight, 0U);
  const auto reused = in_flight.arrive();
  EXPECT_EQ(in_flight.watermark(), reused.arrived_us());
}

TEST(InFlight, TimeNeverGoesBackAndCatchesUp) {
  Clocks clocks;
  InFlight in_flight(clocks.options());
  std::int64_t last_us = in_flight.arrive().arrived_us();
  clocks.pass(base::kSecondUs);
  clocks.wall_us -= 100 * base::kSecondUs;  // back
  for (int i = 0; i < 150; ++i) {
    const std::int64_t now_us = in_flight.arrive().arrived_us();
    EXPECT_GT(now_us, last_us);
    EXPECT_LE(now_us - last_us, base::kSecondUs + 1);
    if (i > 0) {
      EXPECT_GE(now_us - last_us, base::kSecondUs / 2) << "gaps stay gaps";
    }
    last_us = now_us;
    clocks.pass(base::kSecondUs);
  }
  EXPECT_GT(in_flight.counters().ahead_us, 0);
  for (int i = 0; i < 100; ++i) {
    last_us = in_flight.arrive().arrived_us();
    clocks.pass(base::kSecondUs);
  }
  EXPECT_EQ(last_us, clocks.wall_us - base::kSecondUs) << "caught up";
  EXPECT_EQ(in_flight.counters().clock_back, 1U);
  EXPECT_EQ(in_flight.counters().clock_forward, 0U);
  clocks.wall_us += base::kHourUs;
  EXPECT_EQ(in_flight.arrive().arrived_us(), clocks.wall_us);
  EXPECT_EQ(in_flight.counters().clock_forward, 1U);
}

TEST(InFlight, StartsAfterWhatWasLogged) {
  Clocks clocks;
  InFlight in_flight(clocks.options());
  in_flight.start_after(kStart + base::kHourUs);
  EXPECT_GT(in_flight.arrive().arrived_us(), kStart + base::kHourUs);
}

TEST(InFlight, GivenTimeComesFromTheRequestsAlone) {
  InFlight::Options options;
  options.given_time = true;
  InFlight in_flight(options);
  auto late = in_flight.arrive_at(kStart);
  EXPECT_EQ(in_flight.watermark(), kStart);
  EXPECT_EQ(in_flight.arrive_at(kStart - 5).arrived_us(), kStart + 1);
  EXPECT_EQ(in_flight.arrive_at(kStart + base::kDayUs).arrived_us(), kStart + base::kDayUs);
  EXPECT_EQ(in_flight.watermark(), kStart);
  late = {};
  EXPECT_EQ(in_flight.watermark(), kStart + base::kDayUs + 1);
}

// The contract the observer rests on: after it has read a watermark, nothing before it arrives or is still served.
TEST(InFlight, NoThreadIsEverBehindTheWatermark) {
  InFlight in_flight;
  std::atomic<std::int64_t> watermark_us{0};
  std::atomic<std::uint64_t> wrong{0}, arrivals{0};
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      base::Random random(thread);
      std::vector<InFlight::Ticket> open;
      for (int i = 0; i < 20'000; ++i) {
        const std::int64_t before_us = watermark_us.load();
        open.push_back(in_flight.arrive());
        wrong.fetch_add(open.back().arrived_us() < before_us ? 1 : 0);
        if (random.chance(0.6)) {
          const auto which = static_cast<std::ptrdiff_t>(random.below(open.size()));
          wrong.fetch_add(open[static_cast<std::size_t>(which)].arrived_us() < watermark_us.load() ? 1 : 0);
          open.erase(open.begin() + which);
        }
        arrivals.fetch_add(1);
      }
    });
  }
  std::int64_t last_us = 0;
  while (arrivals.load() < 60'000) {
    const std::int64_t now_us = in_flight.watermark();
    EXPECT_GE(now_us, last_us);
    last_us = now_us;
    watermark_us.store(now_us);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_EQ(in_flight.counters().in_flight, 0U);
}

}  // namespace
}  // namespace stillwatch::gateway
