// Leaves from any thread, in batches, into the logs of one shard.
//
// Invariants: what try_append() took is written in the order in which it was taken, or its loss is counted and said in
// a `gap` leaf before anything later is written. An error of the disk loses nothing as long as the queue has room: the
// batch is kept and tried again after reopen(). Acknowledged means on the disk, not signed yet.
// Threads: any number append; one thread of its own writes. Cost: try_append() is a copy under a mutex that the writer
// holds for a swap of two buffers: below 1 µs, no allocation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/log_chain.h"

namespace stillwatch::ledger {

/// Where a leaf stands.
struct Sequenced {
  std::uint64_t cookie = 0;  // what the caller gave
  std::uint64_t index = 0;
};

struct SequencerOptions {
  std::size_t batch_entries_max = 4'096;
  std::int64_t batch_ms_max = 100;     // from the first leaf of a batch to its commit's start
  std::int64_t checkpoint_ms = 1'000;  // between signed checkpoints, when something is new; 0: after each batch
  std::size_t queue_bytes_max = std::size_t{64} << 20;
  std::size_t queue_entries_max = 262'144;
  std::int64_t retry_ms = 1'000;  // after an error of the disk
  /// After a crash of the writer before: a `gap` leaf without a number, from the last time known to now.
  bool is_crash_said = true;
  /// Full: refuse without loss, for a caller that then refuses the request; no gap leaf is written.
  bool is_fail_closed = false;
  /// On the writer's thread, after a commit: the leaves of the batch that have a cookie, in order of index.
  std::function<void(const std::string& origin, std::span<const Sequenced>)> on_sequenced;
  /// On the writer's thread, after a checkpoint was signed and published: the signed note.
  std::function<void(const std::string& origin, const std::string& note)> on_checkpoint;
  /// On the writer's thread, once when writing begins to fail and once when it works again (then `error` is null).
  std::function<void(const base::Error* error)> on_alarm;
};

class Sequencer {
 public:
  /// Milliseconds since 1970, the ledger's clock; may go backwards. Called from any thread.
  using Clock = std::function<std::int64_t()>;

  Sequencer(LogChain chain, SequencerOptions options, Clock clock);
  ~Sequencer();  // stop()

  /// False: the queue is full, the leaf is empty or over kEntryBytesMax, or the sequencer is stopped. Then the leaf is
  /// lost and will stand in a `gap` leaf (unless is_fail_closed). `time_ms` is the ledger time of the leaf, which
  /// decides its month; 0: the clock's when it is written.
  bool try_append(std::string_view leaf, std::uint64_t cookie = 0, std::int64_t time_ms = 0);
  /// Waits for room instead. False only when stopped, or for a leaf of a wrong size.
  bool append(std::string_view leaf, std::uint64_t cookie = 0, std::int64_t time_ms = 0);
  bool has_room() const;
  /// Waits until all that was taken before is committed, and signs it. Error: the disk's, when writing fails now.
  base::Status flush();
  /// Runs `work` on the writer's thread between two batches, with the chain, and waits for it (rotation, pruning).
  /// Not from a callback.
  base::Status run(const std::function<base::Status(LogChain&)>& work);
  /// Writes what is queued, signs, ends the thread. Error: leaves that could not be written, with their number.
  base::Status stop();

  struct Counters {
    std::uint64_t taken = 0, committed = 0;
    std::uint64_t lost_overflow = 0, lost_size = 0, lost_stopped = 0, refused = 0;  // refused: is_fail_closed
    std::uint64_t gaps = 0, write_failures = 0, clock_backwards = 0, rotations = 0;
    std::uint64_t waiting = 0, waiting_bytes = 0;
    LogStore::Counters log;  // of the present log's store
  };
  Counters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stillwatch::ledger
