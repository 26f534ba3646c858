#include "ledger/leaf_queue.h"

#include <cstring>

namespace stillwatch::ledger {

LeafQueue::LeafQueue(std::size_t count_max, std::size_t bytes_max) : count_max_(count_max), bytes_max_(bytes_max) {
  bytes_.reserve(bytes_max);
  leaves_.reserve(count_max);
}

LeafQueue::Pushed LeafQueue::push(std::string_view leaf, std::uint64_t cookie, std::int64_t time_ms,
                                  std::size_t batch_max) {
  const std::lock_guard lock(mutex_);
  if (is_ended_ || !fits(leaf.size())) return Pushed::no_room;
  bytes_.append(leaf);
  leaves_.push_back({static_cast<std::uint32_t>(leaf.size()), cookie, time_ms});
  ++pushed_;
  if (leaves_.size() == 1) return Pushed::first;
  return leaves_.size() == batch_max ? Pushed::full_batch : Pushed::taken;
}

bool LeafQueue::lose(std::int64_t now_ms, const char* why) {
  const std::lock_guard lock(mutex_);
  if (is_ended_) return false;  // the writer may be gone
  if (losses_.empty() || losses_.back().before != leaves_.size() || std::strcmp(losses_.back().why, why) != 0)
    losses_.push_back({leaves_.size(), now_ms, now_ms, 0, why});
  QueuedLoss& loss = losses_.back();
  ++loss.leaves;
  loss.from_ms = std::min(loss.from_ms, now_ms);
  loss.to_ms = std::max(loss.to_ms, now_ms);
  return leaves_.empty() && losses_.size() == 1 && loss.leaves == 1;
}

void LeafQueue::wait_for_room(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  ++waiting_for_room_;
  room_.wait(lock, [&] { return is_ended_ || fits(bytes); });
  --waiting_for_room_;
}

void LeafQueue::end() {
  const std::lock_guard lock(mutex_);
  is_ended_ = true;
  room_.notify_all();
}

void LeafQueue::take(QueuedBatch& out) {
  out.bytes.clear();
  out.leaves.clear();
  out.losses.clear();
  out.bytes.reserve(bytes_max_);
  out.leaves.reserve(count_max_);
  const std::lock_guard lock(mutex_);
  std::swap(out.bytes, bytes_);
  std::swap(out.leaves, leaves_);
  std::swap(out.losses, losses_);
  out.pushed_before = pushed_;
  if (waiting_for_room_ > 0) room_.notify_all();
}

LeafQueue::Waiting LeafQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return {leaves_.size(), bytes_.size(), pushed_, !losses_.empty()};
}

bool LeafQueue::has_room(std::size_t bytes) const {
  const std::lock_guard lock(mutex_);
  return !is_ended_ && fits(bytes);
}

}  // namespace stillwatch::ledger
