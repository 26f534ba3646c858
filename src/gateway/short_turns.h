// Turns on the processor: short ones for network threads, so that who wakes up for a request does not wait for the end
// of another thread's turn; long ones for the observer, which gives them up while it has time.
//
// Invariant: shares of processor time stay as they are, but for what the observer gives up. Does nothing where the
// kernel cannot do it (before Linux 6.12) or where an administrator chose another scheduling policy. Threads: the
// calling thread. Cost: two system calls, once; GiveWay says its own. Spec: sched_setattr(2), sched_runtime of
// SCHED_OTHER.
#pragma once

#include <cstdint>

#include "gateway/exchange_queue.h"

namespace stillwatch::gateway {

/// False when the kernel refused.
bool take_short_turns();

/// For a thread that works in bursts beside network threads, to be asked between two pieces of its work. While what it
/// works off does not pile up, it gives up its turn after every piece: the kernel then charges it the whole long turn,
/// so that it runs where network threads sleep, and they go first as soon as they wake up. With equal shares they would
/// wait for it whenever they need more than half of a core. Cost: a look at the clock, and a system call every 50 us.
class GiveWay {
 public:
  /// The calling thread takes long turns and works off this queue; without one a thread never gives way. The queue
  /// lives as long as the thread.
  static void while_short(const ExchangeQueue* queue);
  void between_pieces();

 private:
  std::int64_t yielded_ns_ = 0;
};

}  // namespace stillwatch::gateway
