// Leaves on their way to the writer, and what was lost on the way.
//
// Internal to this module. Invariants: bounded by number and bytes; a loss stands between the leaves before and after
// it, so that the writer can say it in its place. Threads: any number push; one takes. Cost: a push is a copy of the
// bytes under a mutex; both buffers are allocated at the beginning.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace stillwatch::ledger {

struct QueuedLeaf {
  std::uint32_t bytes = 0;
  std::uint64_t cookie = 0;
  std::int64_t time_ms = 0;
};
/// Leaves lost between two that were taken.
struct QueuedLoss {
  std::size_t before = 0;  // stands before the leaf of this number in the batch
  std::int64_t from_ms = 0, to_ms = 0;
  std::uint64_t leaves = 0;
  const char* why = "";
};
/// What was taken at once, in order.
struct QueuedBatch {
  std::string bytes;
  std::vector<QueuedLeaf> leaves;
  std::vector<QueuedLoss> losses;
  std::uint64_t pushed_before = 0;  // all that was ever pushed up to and with this batch
  bool empty() const { return leaves.empty() && losses.empty(); }
};

class LeafQueue {
 public:
  LeafQueue(std::size_t count_max, std::size_t bytes_max);

  enum class Pushed : std::uint8_t { taken, first, full_batch, no_room };
  /// `first`: the writer may be asleep. `full_batch`: exactly batch_max are there.
  Pushed push(std::string_view leaf, std::uint64_t cookie, std::int64_t time_ms, std::size_t batch_max);
  /// True when the writer may be asleep.
  bool lose(std::int64_t now_ms, const char* why);
  /// Waits until there is room, or end() was called.
  void wait_for_room(std::size_t bytes);
  /// Nothing is taken any more; what is there stays for take().
  void end();
  /// Exchanges buffers; `out` must have been worked off.
  void take(QueuedBatch& out);

  struct Waiting {
    std::uint64_t count = 0, bytes = 0, pushed = 0;
    bool has_losses = false;
  };
  Waiting waiting() const;
  bool has_room(std::size_t bytes) const;

 private:
  bool fits(std::size_t bytes) const { return leaves_.size() < count_max_ && bytes_.size() + bytes <= bytes_max_; }

  const std::size_t count_max_, bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::string bytes_;
  std::vector<QueuedLeaf> leaves_;
  std::vector<QueuedLoss> losses_;
  std::uint64_t pushed_ = 0;
  std::uint32_t waiting_for_room_ = 0;
  bool is_ended_ = false;
};

}  // namespace stillwatch::ledger
