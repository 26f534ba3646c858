// Changes of levels for whoever follows them (GET /v1/decisions/stream): the newest ones, each with its number.
//
// Invariant: numbers increase by one; a reader that asks for what follows a number gets everything since, or is told
// that some of it is no longer kept and that it must read the whole list again. Nothing waits for a slow reader.
// Threads: push by one (the observer's), the rest by any. Cost: a short mutex a change; changes are rare.
// Bounds: the given number of events; older ones are forgotten.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace stillwatch::gateway {

class DecisionFeed {
 public:
  struct Event {
    std::uint64_t number = 0;
    std::shared_ptr<const std::string> line;  // a line of verdicts.ndjson
  };

  explicit DecisionFeed(std::size_t events_max = 10'000) : events_max_(events_max) {}

  void push(std::string_view line);
  /// What is kept goes: followers are told that they missed something.
  void forget();
  /// The newest number; 0 before the first event.
  std::uint64_t newest() const;
  /// At most count_max events with numbers above `after`. `missed`: some between are no longer kept.
  std::vector<Event> after(std::uint64_t after, std::size_t count_max, bool& missed) const;

 private:
  std::size_t events_max_;
  mutable std::mutex mutex_;
  std::deque<Event> events_;
  std::uint64_t newest_ = 0;
};

}  // namespace stillwatch::gateway
