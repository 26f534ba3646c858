// Short turns on the processor for network threads: who wakes up for a request does not wait for the end of another
// thread's turn, such as the observer's.
//
// Invariant: shares of processor time stay as they are; only their pieces become smaller. Does nothing where the kernel
// cannot do it (before Linux 6.12) or where an administrator chose another scheduling policy.
// Threads: the calling thread. Cost: two system calls, once; GiveWay says its own. Spec: sched_setattr(2),
// sched_runtime of SCHED_OTHER.
#pragma once

#include <cstdint>

namespace stillwatch::gateway {

/// False when the kernel refused.
bool take_short_turns();

/// For a thread that works in bursts beside network threads: looks between two pieces of work whether one of them waits
/// for the core, which the kernel itself would only do at its next tick, milliseconds later. Cost: a look at the clock,
/// and a system call every 50 us.
class GiveWay {
 public:
  void between_pieces();

 private:
  std::int64_t yielded_ns_ = 0;
};

}  // namespace stillwatch::gateway
