#include "gateway/short_turns.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

namespace stillwatch::gateway {
namespace {

constexpr std::uint64_t kShortTurnNs = 100'000;   // the shortest that the kernel takes; a request needs about 20 us
constexpr std::uint64_t kLongTurnNs = 5'000'000;  // what giving way costs: more than a network thread is ever owed
constexpr std::int64_t kPieceNs = 50'000;         // a request may wait that long

thread_local const ExchangeQueue* worked_off = nullptr;

/// As the kernel has it; the C library has no name for it.
struct Attributes {
  std::uint32_t size = 0, policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0, deadline_ns = 0, period_ns = 0;
};
static_assert(sizeof(Attributes) == 48);

bool take_turns(std::uint64_t turn_ns) {
  Attributes attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0U) != 0) return false;
  if (attributes.policy != SCHED_OTHER) return true;
  attributes.runtime_ns = turn_ns;
  return ::syscall(SYS_sched_setattr, 0, &attributes, 0U) == 0;
}

}  // namespace

bool take_short_turns() { return take_turns(kShortTurnNs); }

void GiveWay::while_short(const ExchangeQueue* queue) {
  (void)take_turns(kLongTurnNs);
  worked_off = queue;
}

void GiveWay::between_pieces() {
  if (worked_off == nullptr || worked_off->is_filling()) return;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t now_ns = static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  if (now_ns - yielded_ns_ < kPieceNs) return;
  ::sched_yield();
  yielded_ns_ = now_ns;
}

}  // namespace stillwatch::gateway
