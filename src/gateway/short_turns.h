// Short turns on the processor for network threads: who wakes up for a request does not wait for the end of another
// thread's turn, such as the observer's.
//
// Invariant: shares of processor time stay as they are; only their pieces become smaller. Does nothing where the kernel
// cannot do it (before Linux 6.12) or where an administrator chose another scheduling policy.
// Threads: the calling thread. Cost: two system calls, once. Spec: sched_setattr(2), sched_runtime of SCHED_OTHER.
#pragma once

namespace stillwatch::gateway {

/// False when the kernel refused.
bool take_short_turns();

}  // namespace stillwatch::gateway
