#include "gateway/in_flight.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace stillwatch::gateway {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;
constexpr std::int64_t kJumpUs = base::kSecondUs;

template <class Clock>
std::int64_t now_of() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

struct InFlight::State {
  struct Node {
    std::int64_t arrived_us = 0, steady_us = 0;
    std::uint32_t before = kNone, after = kNone;
    bool is_overdue = false;  // no longer in the list
  };

  Options options;
  mutable std::mutex mutex;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> free_nodes;
  std::uint32_t first = kNone, last = kNone;  // in the order of arrival, which is the order of time
  std::int64_t last_us = 0;                   // given out
  // The clocks when time was read last.
  std::int64_t wall_seen_us = 0, steady_seen_us = 0;
  bool has_seen = false;
  Counters counters;

  std::int64_t steady() const { return options.steady_us ? options.steady_us() : now_of<std::chrono::steady_clock>(); }
  std::int64_t wall() const { return options.wall_us ? options.wall_us() : now_of<std::chrono::system_clock>(); }

  /// Moves time on; the result is at or after every time given out.
  std::int64_t advance(std::int64_t steady_us) {
    if (options.given_time) return last_us;
    const std::int64_t wall_us = wall();
    const std::int64_t passed_us = has_seen ? std::max<std::int64_t>(0, steady_us - steady_seen_us) : 0;
    if (has_seen) {
      const std::int64_t jump_us = wall_us - wall_seen_us - passed_us;
      counters.clock_back += jump_us <= -kJumpUs ? 1 : 0;
      counters.clock_forward += jump_us >= kJumpUs ? 1 : 0;
    }
    wall_seen_us = wall_us;
    steady_seen_us = std::max(steady_us, steady_seen_us);
    has_seen = true;
    // Behind what was given out: at half speed, so that the clock catches up and gaps stay gaps.
    last_us = std::max(wall_us, last_us + (wall_us < last_us ? passed_us / 2 : 0));
    counters.ahead_us = last_us - wall_us;
    return last_us;
  }

  std::uint32_t add(std::int64_t arrived_us, std::int64_t steady_us) {
    std::uint32_t slot = 0;
    if (free_nodes.empty()) {
      STILLWATCH_ASSERT(nodes.size() < kNone);
      slot = static_cast<std::uint32_t>(nodes.size());
      nodes.emplace_back();
    } else {
      slot = free_nodes.back();
      free_nodes.pop_back();
    }
    nodes[slot] = {arrived_us, steady_us, last, kNone, false};
    (last == kNone ? first : nodes[last].after) = slot;
    last = slot;
    ++counters.arrived;
    ++counters.in_flight;
    return slot;
  }

  void unlink(std::uint32_t slot) {
    const Node& node = nodes[slot];
    (node.before == kNone ? first : nodes[node.before].after) = node.after;
    (node.after == kNone ? last : nodes[node.after].before) = node.before;
  }

  void leave(std::uint32_t slot) {
    const std::lock_guard lock(mutex);
    if (!nodes[slot].is_overdue) unlink(slot);
    free_nodes.push_back(slot);
    --counters.in_flight;
  }
};

InFlight::Ticket::Ticket(Ticket&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), slot_(other.slot_), arrived_us_(other.arrived_us_) {}
InFlight::Ticket& InFlight::Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->state_->leave(slot_);
  owner_ = std::exchange(other.owner_, nullptr);
  slot_ = other.slot_;
  arrived_us_ = other.arrived_us_;
  return *this;
}
InFlight::Ticket::~Ticket() {
  if (owner_ != nullptr) owner_->state_->leave(slot_);
}

InFlight::InFlight() : InFlight(Options{}) {}
InFlight::InFlight(Options options) : state_(std::make_unique<State>()) { state_->options = std::move(options); }
InFlight::~InFlight() { STILLWATCH_ASSERT(state_->counters.in_flight == 0); }

InFlight::Ticket InFlight::arrive() {
  State& state = *state_;
  Ticket ticket;
  const std::lock_guard lock(state.mutex);
  const std::int64_t steady_us = state.steady(), before_us = state.last_us;
  state.last_us = std::max(before_us + 1, state.advance(steady_us));
  ticket.slot_ = state.add(state.last_us, steady_us);
  ticket.arrived_us_ = state.last_us;
  ticket.owner_ = this;
  return ticket;
}

InFlight::Ticket InFlight::arrive_at(std::int64_t event_us) {
  State& state = *state_;
  Ticket ticket;
  const std::lock_guard lock(state.mutex);
  state.last_us = std::max(state.last_us + 1, event_us);
  ticket.slot_ = state.add(state.last_us, state.steady());
  ticket.arrived_us_ = state.last_us;
  ticket.owner_ = this;
  return ticket;
}

std::int64_t InFlight::watermark() {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const std::int64_t steady_us = state.steady();
  while (state.first != kNone && steady_us - state.nodes[state.first].steady_us > state.options.order_wait_us) {
    const std::uint32_t slot = state.first;
    state.unlink(slot);
    state.nodes[slot].is_overdue = true;
    ++state.counters.overdue;
  }
  if (state.first != kNone) return state.nodes[state.first].arrived_us;
  // Whatever arrives from now on is later than what was given out.
  return state.advance(steady_us) + 1;
}

void InFlight::start_after(std::int64_t time_us) {
  const std::lock_guard lock(state_->mutex);
  state_->last_us = std::max(state_->last_us, time_us);
}

std::int64_t InFlight::now_us() {
  const std::lock_guard lock(state_->mutex);
  return state_->advance(state_->steady());
}

InFlight::Counters InFlight::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counters;
}

}  // namespace stillwatch::gateway
