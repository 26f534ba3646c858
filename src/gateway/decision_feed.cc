#include "gateway/decision_feed.h"

#include <algorithm>

namespace stillwatch::gateway {

void DecisionFeed::push(std::string_view line) {
  auto kept = std::make_shared<const std::string>(line);
  const std::lock_guard lock(mutex_);
  events_.push_back({++newest_, std::move(kept)});
  while (events_.size() > events_max_) events_.pop_front();
}

void DecisionFeed::forget() {
  const std::lock_guard lock(mutex_);
  events_.clear();
  ++newest_;  // a number that nobody was given: whoever follows has missed it
}

std::uint64_t DecisionFeed::newest() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

std::vector<DecisionFeed::Event> DecisionFeed::after(std::uint64_t after, std::size_t count_max, bool& missed) const {
  const std::lock_guard lock(mutex_);
  std::vector<Event> events;
  const std::uint64_t oldest = newest_ - events_.size() + 1;
  missed = after + 1 < oldest || after > newest_;
  const std::uint64_t from = missed ? oldest : after + 1;
  for (std::uint64_t number = from; number <= newest_ && events.size() < count_max; ++number) {
    events.push_back(events_[number - oldest]);
  }
  return events;
}

}  // namespace stillwatch::gateway
