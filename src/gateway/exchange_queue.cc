#include "gateway/exchange_queue.h"

#include <algorithm>
#include <mutex>

namespace stillwatch::gateway {

struct alignas(64) ExchangeQueue::Shard {
  std::mutex mutex;
  std::vector<std::unique_ptr<Exchange>> waiting;
  std::vector<std::shared_ptr<EarlyBody>> bodies;
};

ExchangeQueue::ExchangeQueue(unsigned shards, const QueueLimits& limits)
    : limits_(limits), shard_count_(std::max(1U, shards)), shards_(std::make_unique<Shard[]>(shard_count_)) {}
ExchangeQueue::~ExchangeQueue() = default;

ExchangeQueue::Pushed ExchangeQueue::try_push(unsigned shard, std::unique_ptr<Exchange> exchange) {
  Pushed result = Pushed::whole;
  const std::size_t weight = exchange->bytes();
  // Taken first and given back when it was too much, so that many threads together never go over.
  const bool fits = (count_.fetch_add(1, std::memory_order_relaxed) < limits_.count_max) &
                    (bytes_.fetch_add(weight, std::memory_order_relaxed) + weight <= limits_.bytes_max);
  if (!fits) {
    count_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(weight, std::memory_order_relaxed);
    // A line of another log is nothing without its body.
    if (exchange->kind == Exchange::Kind::line ||
        shed_waiting_.fetch_add(1, std::memory_order_relaxed) >= limits_.shed_max) {
      if (exchange->kind != Exchange::Kind::line) shed_waiting_.fetch_sub(1, std::memory_order_relaxed);
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return Pushed::dropped;
    }
    exchange->shed = true;
    std::string().swap(exchange->body);
    std::string().swap(exchange->reply);
    result = Pushed::shed;
    shed_.fetch_add(1, std::memory_order_relaxed);
  } else {
    exchange->shed = false;
    pushed_.fetch_add(1, std::memory_order_relaxed);
  }
  Shard& mine = shards_[shard % shard_count_];
  const std::lock_guard lock(mine.mutex);
  mine.waiting.push_back(std::move(exchange));
  return result;
}

bool ExchangeQueue::take_room(std::size_t weight) {
  const std::uint64_t bytes = bytes_.load(std::memory_order_relaxed);
  // A single one that is over a quarter alone goes when nothing else waits.
  if (count_.load(std::memory_order_relaxed) >= std::max<std::size_t>(1, limits_.count_max / 4) ||
      (bytes > 0 && bytes + weight > limits_.bytes_max / 4))
    return false;
  count_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(weight, std::memory_order_relaxed);
  return true;
}

bool ExchangeQueue::push_if_room(unsigned shard, std::unique_ptr<Exchange>& exchange) {
  if (!take_room(exchange->bytes())) return false;
  pushed_.fetch_add(1, std::memory_order_relaxed);
  exchange->shed = false;
  Shard& mine = shards_[shard % shard_count_];
  const std::lock_guard lock(mine.mutex);
  mine.waiting.push_back(std::move(exchange));
  return true;
}

bool ExchangeQueue::push_body(unsigned shard, const std::shared_ptr<EarlyBody>& body) {
  if (!take_room(body->body.size())) return false;
  early_.fetch_add(1, std::memory_order_relaxed);
  Shard& mine = shards_[shard % shard_count_];
  const std::lock_guard lock(mine.mutex);
  mine.bodies.push_back(body);
  return true;
}

void ExchangeQueue::drain(std::vector<std::unique_ptr<Exchange>>& out,
                          std::vector<std::shared_ptr<EarlyBody>>& bodies) {
  std::vector<std::unique_ptr<Exchange>> taken;
  std::vector<std::shared_ptr<EarlyBody>> taken_bodies;
  for (unsigned i = 0; i < shard_count_; ++i) {
    {
      const std::lock_guard lock(shards_[i].mutex);
      taken.swap(shards_[i].waiting);
      taken_bodies.swap(shards_[i].bodies);
    }
    for (auto& body : taken_bodies) {
      count_.fetch_sub(1, std::memory_order_relaxed);
      bytes_.fetch_sub(body->body.size(), std::memory_order_relaxed);
      bodies.push_back(std::move(body));
    }
    taken_bodies.clear();
    for (auto& exchange : taken) {
      if (exchange->shed) {
        shed_waiting_.fetch_sub(1, std::memory_order_relaxed);
      } else {
        count_.fetch_sub(1, std::memory_order_relaxed);
        bytes_.fetch_sub(exchange->bytes(), std::memory_order_relaxed);
      }
      out.push_back(std::move(exchange));
    }
    taken.clear();
  }
}

ExchangeQueue::Counters ExchangeQueue::counters() const {
  Counters out;
  out.pushed = pushed_.load(std::memory_order_relaxed);
  out.shed = shed_.load(std::memory_order_relaxed);
  out.dropped = dropped_.load(std::memory_order_relaxed);
  out.bodies = early_.load(std::memory_order_relaxed);
  out.waiting = count_.load(std::memory_order_relaxed) + shed_waiting_.load(std::memory_order_relaxed);
  out.waiting_bytes = bytes_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace stillwatch::gateway
