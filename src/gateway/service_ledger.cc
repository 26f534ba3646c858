// What a running gateway makes of its audit log: metrics and alarms.
#include "gateway/service_state.h"

namespace stillwatch::gateway {

base::Status Service::State::start_ledger() {
  if (settings().ledger.folder.empty()) return {};
  STILLWATCH_TRY(link, LedgerLink::open(settings().ledger, policy_hash(settings())));
  ledger = std::move(link);
  return {};
}

void Service::State::count_ledger(const CountGrowth& up) {
  if (ledger == nullptr) return;
  const audit::FeedCounters feed = ledger->feed().counters();
  const audit::Counters& written = ledger->feed().log().counters();
  up(metric::LedgerEvent::record, feed.records, told.records);
  up(metric::LedgerEvent::decision, feed.decisions, told.decisions);
  up(metric::LedgerEvent::other, feed.deployments + feed.losses, told.others);
  up(metric::LedgerEvent::recalled, feed.recalled, told.recalled);
  up(metric::LedgerEvent::lost, feed.overflowed, told.lost);
  up(metric::LedgerEvent::failed, feed.failures, told.failures);
  up(metric::LedgerEvent::payload, feed.payloads, told.payloads);
  up(metric::LedgerEvent::anchor, written.anchors, told.anchors);
  up(metric::LedgerEvent::quorum, written.quorums_met, told.quorums);
  up(metric::LedgerEvent::stamp, written.stamps, told.stamps);
  metrics->set(metric::Gauge::ledger_waiting_leaves, static_cast<double>(feed.waiting));
  metrics->set(metric::Gauge::ledger_behind_seconds, static_cast<double>(feed.behind_ms) / 1e3);
  metrics->set(metric::Gauge::ledger_anchored_entries, static_cast<double>(written.newest_anchor_size));
  metrics->set(metric::Gauge::ledger_cosigned_entries, static_cast<double>(written.newest_cosigned_size));
  metrics->set(metric::Gauge::ledger_stamped_entries, static_cast<double>(written.newest_stamped_size));
}

void Service::State::raise_ledger_alarms() {
  if (ledger == nullptr) return;
  const LedgerTrouble trouble = ledger->look();
  station->ledger_failing.store(trouble.is_failing || !ledger->has_room());
  show_alarm(metric::AlarmKind::ledger, "ledger", trouble.is_failing);
  show_alarm(metric::AlarmKind::ledger_behind, "ledger_behind", trouble.is_behind);
  show_alarm(metric::AlarmKind::ledger_quorum, "ledger_quorum", trouble.has_no_quorum);
  show_alarm(metric::AlarmKind::ledger_fork, "ledger_fork", trouble.has_fork);
  show_alarm(metric::AlarmKind::ledger_stamp, "ledger_stamp", trouble.has_no_stamp);
}

}  // namespace stillwatch::gateway
