// The writer's half of a sequencer: batches into the chain, again after errors, and what follows a commit.
//
// Internal to this module. Invariant: a leaf is appended once: after an error reopen() tells, by the committed size,
// whether the leaves of the failed call are in. Threads: one user. Cost: LogChain's; a list of views a batch.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/leaf_queue.h"
#include "ledger/sequencer.h"

namespace stillwatch::ledger {

class BatchWriter {
 public:
  BatchWriter(LogChain chain, const SequencerOptions& options, const Sequencer::Clock& clock)
      : options_(options), clock_(clock), chain_(std::move(chain)) {}

  /// A `gap` leaf when the writer before did not end in order; the mark that tells so the next time.
  void say_crash();
  /// The batch must live until it is written or given up.
  void begin(const QueuedBatch& batch);
  /// Writes what is left of the batch, and a checkpoint when it is time. After an error call it again.
  base::Status write();
  /// Counts what is left as lost.
  void give_up();
  base::Status run(const std::function<base::Status(LogChain&)>& work);
  base::Status sign();
  /// When the next checkpoint is to be signed; nothing when all is signed.
  std::optional<std::chrono::steady_clock::time_point> checkpoint_due() const;
  /// Signs, takes the mark away. Error: leaves were given up, or the disk's.
  base::Status finish();

  struct Counters {
    std::uint64_t committed = 0, pushed_done = 0, lost_stopped = 0, gaps = 0, failures = 0;
    LogChain::Counters chain;
    LogStore::Counters log;
  };
  Counters counters() const;

 private:
  // One entry of the batch: a leaf of the queue, or the `gap` leaf of a loss.
  struct Entry {
    std::string_view bytes;
    std::uint64_t cookie = 0;
    std::int64_t time_ms = 0;
  };
  base::Status recover();
  base::Status write_entries();
  void written(std::size_t count, std::uint64_t first);
  void alarm(const base::Error* error);
  std::string gap_leaf(std::int64_t from_ms, std::int64_t to_ms, std::uint64_t leaves, std::string_view why);

  const SequencerOptions& options_;
  const Sequencer::Clock& clock_;
  LogChain chain_;
  std::vector<Entry> entries_;
  std::vector<std::string> gap_leaves_;
  std::vector<std::string_view> views_;
  std::vector<Sequenced> sequenced_;
  std::size_t at_ = 0;  // entries_ before it are committed
  std::uint64_t pushed_with_batch_ = 0;
  std::size_t count_under_way_ = 0;  // of a call that failed; 0: none
  std::uint64_t size_before_ = 0;
  std::string origin_before_;
  bool has_failed_ = false, is_alarmed_ = false;
  std::chrono::steady_clock::time_point signed_at_ = std::chrono::steady_clock::now();
  Counters counters_;
};

}  // namespace stillwatch::ledger
