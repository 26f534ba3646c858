// How state is divided: 64 partitions by the top six bits of a token, whatever the number of threads.
//
// Invariant: a partition is written by one worker at a time, and everything that crosses partitions is
// sorted by a total order first, so that results do not depend on the number of workers.
#pragma once

#include <cstdint>

#include "base/token.h"

namespace stillwatch::detect {

inline constexpr unsigned kPartitions = 64;

constexpr unsigned partition_of(base::Token token) { return static_cast<unsigned>(token >> 58); }

/// Dense name of an account inside the detector: partition in the top six bits, index below. Never written to files.
using Handle = std::uint32_t;
inline constexpr Handle kNoHandle = ~Handle{0};
constexpr Handle make_handle(unsigned partition, std::uint32_t index) { return partition << 26 | index; }
constexpr unsigned partition_of_handle(Handle handle) { return handle >> 26; }
constexpr std::uint32_t index_of_handle(Handle handle) { return handle & ((1U << 26) - 1); }

/// Who is behind an account: its own token, or that of the organisation the provider knows. Accounts of one
/// organisation are one actor, so that its two thousand keys are not two thousand strangers.
using Actor = base::Token;

/// One of several workers: it does the partitions congruent to its index.
struct Worker {
  unsigned index = 0;
  unsigned count = 1;
  bool owns(base::Token token) const { return partition_of(token) % count == index; }
};

}  // namespace stillwatch::detect
