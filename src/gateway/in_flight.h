// When requests arrived, and the earliest arrival that is still being served: what the order of records rests on.
//
// Invariant: arrivals of a process are strictly increasing, whatever the clock does, and no arrival given later is at
// or before a watermark given earlier. When the clock jumps back, time goes on at half speed until the clock has caught
// up, so that the gaps between requests keep their meaning; jumps are counted. A ticket holds the watermark until it is
// destroyed, but at most order_wait_us of real time. So: push the exchange first, then let the ticket go; the observer
// reads the watermark first, then drains the queue. Threads: any. Cost: one short mutex for an arrival, one for its
// end. Bounds: 48 bytes a request in flight.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/event_time.h"

namespace stillwatch::gateway {

class InFlight {
 public:
  struct Options {
    std::int64_t order_wait_us = 120 * base::kSecondUs;
    /// Event time comes with each request (arrive_at) and from nowhere else: for a demonstration, in which weeks pass
    /// in a minute.
    bool given_time = false;
    std::function<std::int64_t()> wall_us, steady_us;  // other clocks, for tests; empty: the system's
  };

  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();
    std::int64_t arrived_us() const { return arrived_us_; }

   private:
    friend class InFlight;
    InFlight* owner_ = nullptr;
    std::uint32_t slot_ = 0;
    std::int64_t arrived_us_ = 0;
  };

  InFlight();  // the default options
  explicit InFlight(Options options);
  ~InFlight();  // after all tickets
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  Ticket arrive();
  /// At the given event time, or just after the latest arrival if that is later.
  Ticket arrive_at(std::int64_t event_us);

  /// The earliest arrival in flight, or just after now. Arrivals that waited too long no longer hold it.
  std::int64_t watermark();
  /// Every arrival from now on is after this time.
  void start_after(std::int64_t time_us);
  /// The time of the gateway as arrivals have it, without an arrival.
  std::int64_t now_us();

  struct Counters {
    std::uint64_t arrived = 0, in_flight = 0, overdue = 0;
    std::uint64_t clock_back = 0, clock_forward = 0;  // jumps of a second and more against the steady clock
    std::int64_t ahead_us = 0;                        // how far event time is before the clock now
  };
  Counters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::gateway
