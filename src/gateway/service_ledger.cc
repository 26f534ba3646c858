// What a running gateway makes of its audit log: metrics and alarms.
#include "gateway/service_state.h"

namespace stillwatch::gateway {

base::Status Service::State::start_ledger() {
  if (settings().ledger.folder.empty()) return {};
  STILLWATCH_TRY(link, LedgerLink::open(settings().ledger, policy_hash(settings())));
  ledger = std::move(link);
  if (!ledger->start_problem().empty()) {
    log->write(settings::LogLevel::error, "ledger_not_open", {{"why", Configured{ledger->start_problem()}}});
  }
  return {};
}

void Service::State::start_ledger_desk() {
  if (ledger == nullptr) return;
  DeskOptions options;
  options.ledger_folder = settings().ledger.folder;
  options.state_folder = settings().state.folder;
  options.log_folder = settings().query_log.folder;
  options.engines.push_back({observer.get(), keyed_hash.get()});
  if (previous != nullptr) options.engines.push_back({previous.get(), previous_hash.get()});
  options.feed = [this] { return ledger->feed(); };
  options.forget_lines = [this] { station->feed.forget(); };
  options.on_problem = [this](std::string_view problem) {
    log->write(settings::LogLevel::error, "ledger_order_problem", {{"problem", Configured{problem}}});
  };
  ledger_desk = LedgerDesk::start(std::move(options));
  admin_ports.ledger = ledger_desk.get();
}

void Service::State::count_ledger(const CountGrowth& up) {
  if (ledger == nullptr || ledger->feed() == nullptr) return;
  const audit::FeedCounters feed = ledger->feed()->counters();
  const audit::Counters& written = ledger->feed()->log().counters();
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
  show_alarm(metric::AlarmKind::ledger, "ledger", trouble.is_failing || ledger_desk->is_failing());
  show_alarm(metric::AlarmKind::ledger_behind, "ledger_behind", trouble.is_behind);
  show_alarm(metric::AlarmKind::ledger_quorum, "ledger_quorum", trouble.has_no_quorum);
  show_alarm(metric::AlarmKind::ledger_fork, "ledger_fork", trouble.has_fork);
  show_alarm(metric::AlarmKind::ledger_stamp, "ledger_stamp", trouble.has_no_stamp);
}

}  // namespace stillwatch::gateway
