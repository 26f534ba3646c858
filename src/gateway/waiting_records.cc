#include "gateway/waiting_records.h"

#include <algorithm>
#include <functional>

namespace stillwatch::gateway {

void WaitingRecords::add(const event::Query& query) {
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = slots_count_++;
    if (slot / kPieceRecords == pieces_.size()) pieces_.push_back(std::make_unique<event::Query[]>(kPieceRecords));
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  at(slot) = query;
  heap_.push_back({query.time_us, next_number_++, slot});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

event::Query WaitingRecords::take() {
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
  const std::uint32_t slot = heap_.back().slot;
  heap_.pop_back();
  free_slots_.push_back(slot);
  return at(slot);
}

std::vector<event::Query> WaitingRecords::list() const {
  std::vector<Place> places = heap_;
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.number < b.number; });
  std::vector<event::Query> out;
  out.reserve(places.size());
  for (const Place& place : places) out.push_back(at(place.slot));
  return out;
}

}  // namespace stillwatch::gateway
