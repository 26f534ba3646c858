#include "intake/duplicate_filter.h"

#include <algorithm>
#include <utility>

namespace stillwatch::intake {

DuplicateFilter::Slot* DuplicateFilter::Generation::find(base::Token id) {
  if (slots.empty()) return nullptr;
  for (std::size_t at = id & (slots.size() - 1);; at = (at + 1) & (slots.size() - 1)) {
    if (slots[at].id == id) return &slots[at];
    if (slots[at].id == 0) return nullptr;
  }
}

void DuplicateFilter::Generation::insert(Slot slot) {
  if (4 * (used + 1) > 3 * slots.size()) {
    std::vector<Slot> old(std::max<std::size_t>(1024, 2 * slots.size()));
    old.swap(slots);
    used = 0;
    for (const Slot& other : old) {
      if (other.id != 0) insert(other);
    }
  }
  std::size_t at = slot.id & (slots.size() - 1);
  while (slots[at].id != 0) at = (at + 1) & (slots.size() - 1);
  slots[at] = slot;
  ++used;
}

void DuplicateFilter::Generation::clear() {
  std::fill(slots.begin(), slots.end(), Slot{});
  used = 0;
}

DuplicateFilter::DuplicateFilter(std::int64_t window_us, std::size_t ids_max)
    : window_us_(std::max<std::int64_t>(1, window_us)), ids_max_(ids_max) {}

bool DuplicateFilter::is_repeat(base::Token id, std::int64_t time_us) {
  if (started_us_ == INT64_MIN || time_us - started_us_ > window_us_) {
    // The generation before holds ids up to one window old; older ones cannot be repeats.
    std::swap(current_, previous_);
    current_.clear();
    if (started_us_ == INT64_MIN || time_us - started_us_ > 2 * window_us_) previous_.clear();
    started_us_ = time_us;
  }
  for (Generation* generation : {&current_, &previous_}) {
    Slot* const slot = generation->find(id);
    if (slot == nullptr || time_us - slot->time_us > window_us_) continue;
    return true;
  }
  if (Slot* const slot = current_.find(id)) {
    slot->time_us = time_us;
  } else if (current_.used < ids_max_) {
    current_.insert({id, time_us});
  } else {
    ++forgotten_;
  }
  return false;
}

void DuplicateFilter::save(ByteWriter& out) const {
  out.put(started_us_);
  out.put(forgotten_);
  for (const Generation* generation : {&current_, &previous_}) {
    out.put<std::uint64_t>(generation->used);
    for (const Slot& slot : generation->slots) {
      if (slot.id == 0) continue;
      out.put(slot.id);
      out.put(slot.time_us);
    }
  }
}

bool DuplicateFilter::restore(ByteReader& in) {
  started_us_ = in.take<std::int64_t>();
  forgotten_ = in.take<std::uint64_t>();
  for (Generation* generation : {&current_, &previous_}) {
    *generation = {};
    const std::size_t count = in.take_count(16);
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = in.take<base::Token>();
      const auto time_us = in.take<std::int64_t>();
      if (id == 0) return false;
      generation->insert({id, time_us});
    }
  }
  return in.ok();
}

}  // namespace stillwatch::intake
