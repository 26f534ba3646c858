// What the care thread watches: alarms, as metrics and as webhooks.
#include "gateway/api_answer.h"
#include "gateway/certificate_file.h"
#include "gateway/service_state.h"

namespace stillwatch::gateway {
namespace {

// A verdict-rate alarm is shown this long after it was raised.
constexpr std::int64_t kAlarmShownMs = 3'600'000;

}  // namespace

/// Of the certificate that is served from now on.
void Service::State::note_certificate() {
  const std::string& path = settings().server.tls.certificate_file;
  if (path.empty()) return;
  if (const auto dates = read_certificate(path); dates) certificate_ends_us.store(dates->ends_us);
}

/// The metric, and a webhook when it comes on. `name` is that of the reference.
void Service::State::show_alarm(metric::AlarmKind kind, std::string_view name, bool active) {
  metrics->set_alarm(kind, active);
  bool& was = alarms_on[static_cast<std::size_t>(kind)];
  if (active && !was) {
    log->write(settings::LogLevel::warn, "alarm", {{"alarm", Configured{name}}});
    if (webhooks != nullptr) {
      JsonWriter json;
      json.text("alarm", name);
      webhooks->push(WebhookType::alarm_raised, observer->in_flight().now_us(), json.finish());
    }
  }
  was = active;
}

void Service::State::raise_alarms() {
  const ObserverCounters counters = observer->counters();
  // Of the log alone: another problem of the observer must not refuse traffic.
  station->log_failing.store(counters.log_failing);
  const bool behind =
      counters.lag_us / 1'000 > settings().alarms.engine_behind_ms + settings().observer.order_wait_us / 1'000 ||
      counters.busy_us > kStalledUs;
  show_alarm(metric::AlarmKind::engine_behind, "engine_behind", behind && settings().demo.time_header.empty());
  show_alarm(metric::AlarmKind::query_log, "query_log", counters.log_failing);
  raise_ledger_alarms();
  show_alarm(metric::AlarmKind::calibration_drift, "calibration_drift", counters.calibration_drifted);
  show_alarm(metric::AlarmKind::snapshot, "snapshot", counters.snapshot_failures > 0 && alarm_log.load());
  const bool recent = alarm_verdict_rate.load() && http::monotonic_ms() - alarm_verdict_rate_ms.load() < kAlarmShownMs;
  metrics->set_alarm(metric::AlarmKind::verdict_rate, recent);
}

}  // namespace stillwatch::gateway
