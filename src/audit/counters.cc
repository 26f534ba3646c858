#include "audit/counters.h"

#include <algorithm>

namespace stillwatch::audit {
namespace {

auto is(AlarmKind kind, std::string_view subject) {
  return [kind, subject](const Alarm& alarm) { return alarm.active && alarm.kind == kind && alarm.subject == subject; };
}

}  // namespace

std::string_view alarm_name(AlarmKind kind) {
  switch (kind) {
    case AlarmKind::shard_failed: return "shard_failed";
    case AlarmKind::anchor_failed: return "anchor_failed";
    case AlarmKind::quorum_missing: return "quorum_missing";
    case AlarmKind::witness_disagrees: return "witness_disagrees";
    case AlarmKind::stamp_missing: return "stamp_missing";
    case AlarmKind::clock_skew: return "clock_skew";
  }
  return "unknown";
}

void AlarmBook::raise(AlarmKind kind, std::string_view subject, std::string message, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(alarms_.begin(), alarms_.end(), is(kind, subject));
  if (found != alarms_.end()) {
    found->message = std::move(message);
    return;
  }
  alarms_.push_back({kind, std::string(subject), std::move(message), now_ms, true});
  ++counters_.alarms_raised;
}

void AlarmBook::end(AlarmKind kind, std::string_view subject) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(alarms_.begin(), alarms_.end(), is(kind, subject));
  if (found == alarms_.end()) return;
  found->active = false;
  const auto ended = std::count_if(alarms_.begin(), alarms_.end(), [](const Alarm& alarm) { return !alarm.active; });
  if (static_cast<std::size_t>(ended) <= kEndedMax) return;
  alarms_.erase(std::find_if(alarms_.begin(), alarms_.end(), [](const Alarm& alarm) { return !alarm.active; }));
}

bool AlarmBook::is_on(AlarmKind kind, std::string_view subject) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(alarms_.begin(), alarms_.end(), is(kind, subject));
}

std::vector<Alarm> AlarmBook::list() const {
  const std::lock_guard lock(mutex_);
  return {alarms_.begin(), alarms_.end()};
}

}  // namespace stillwatch::audit
