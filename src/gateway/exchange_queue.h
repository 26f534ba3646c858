// From the network threads to the observer: bounded by number and bytes, and never waiting for whoever reads.
//
// Invariant: what try_push() says is what becomes of the exchange. When the bounds are met it is taken without its body
// and marked shed, so that its record is still written; when even that has no room it is dropped and counted, and the
// observer writes a gap. Threads: any number push, each to a shard of its own (then a push meets nobody but the
// observer, which holds the shard's mutex for a swap of two pointers); one drains. Cost: see exchange_queue_bench.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/exchange.h"

namespace stillwatch::gateway {

struct QueueLimits {
  std::size_t count_max = 65'536;                  // whole exchanges: seconds of traffic at full speed
  std::size_t bytes_max = std::size_t{256} << 20;  // most are of a few KB; 600 of 400 KB
  std::size_t shed_max = 262'144;                  // exchanges without body, about 600 bytes each
};

class ExchangeQueue {
 public:
  enum class Pushed : std::uint8_t { whole, shed, dropped };

  explicit ExchangeQueue(unsigned shards, const QueueLimits& limits = {});
  ~ExchangeQueue();

  /// `shard` is the number of the calling thread; taken modulo the number of shards.
  Pushed try_push(unsigned shard, std::unique_ptr<Exchange> exchange);
  /// For who can come again: takes a whole exchange while less than a quarter of the bounds is used; else leaves it as
  /// it is, and nothing is counted.
  bool push_if_room(unsigned shard, std::unique_ptr<Exchange>& exchange);
  /// A body ahead of its exchange, which the same thread pushes to the same shard later. False, and nothing is counted,
  /// under the conditions of push_if_room(): then the body stays with its request.
  bool push_body(unsigned shard, const std::shared_ptr<EarlyBody>& body);
  /// False when the next whole exchange might not fit: for a gateway that refuses requests then.
  bool has_room() const {
    return count_.load(std::memory_order_relaxed) < limits_.count_max &&
           bytes_.load(std::memory_order_relaxed) < limits_.bytes_max;
  }
  /// Beyond a part of either bound that is drained in a fraction of a second: who drains it must not take its time.
  bool is_filling() const {
    return count_.load(std::memory_order_relaxed) > limits_.count_max / 32 ||
           bytes_.load(std::memory_order_relaxed) > limits_.bytes_max / 32;
  }
  /// Appends all that is there; of one shard in the order of its pushes. The body of an exchange comes with it at the
  /// latest.
  void drain(std::vector<std::unique_ptr<Exchange>>& out, std::vector<std::shared_ptr<EarlyBody>>& bodies);

  struct Counters {
    std::uint64_t pushed = 0, shed = 0, dropped = 0;
    std::uint64_t bodies = 0;  // that came ahead of their exchanges
    std::uint64_t waiting = 0, waiting_bytes = 0;
  };
  Counters counters() const;

 private:
  struct Shard;
  bool take_room(std::size_t weight);
  QueueLimits limits_;
  unsigned shard_count_;
  std::unique_ptr<Shard[]> shards_;
  alignas(64) std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> bytes_{0}, shed_waiting_{0};
  std::atomic<std::uint64_t> pushed_{0}, shed_{0}, dropped_{0}, early_{0};
};

}  // namespace stillwatch::gateway
