#include "gateway/service_state.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/files.h"
#include "gateway/api_answer.h"
#include "gateway/certificate_file.h"

namespace stillwatch::gateway {
namespace {

constexpr auto kCareEvery = std::chrono::milliseconds(250);
constexpr std::uint64_t kQuotaBytesMax = std::uint64_t{1} << 30;
constexpr std::int64_t kQuotaSaveMs = 10'000;
// A verdict-rate alarm is shown this long after it was raised.
constexpr std::int64_t kAlarmShownMs = 3'600'000;
// A round of the observer that takes longer is a stalled engine: closing an epoch takes milliseconds to a second.
constexpr std::int64_t kStalledUs = 30 * base::kSecondUs;

std::int64_t changed_ns(const std::string& path) {
  std::error_code code;
  const auto time = std::filesystem::last_write_time(path, code);
  return code ? 0 : time.time_since_epoch().count();
}

std::int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Sync sync_of(settings::Sync sync) {
  switch (sync) {
    case settings::Sync::never: return Sync::never;
    case settings::Sync::second: return Sync::per_second;
    case settings::Sync::flush: return Sync::every_flush;
  }
  return Sync::per_second;
}

}  // namespace

Service::State::~State() {
  {
    const std::lock_guard lock(care_mutex);
    care_stopping = true;
  }
  care_wake.notify_all();
  if (care.joinable()) care.join();
  // Network threads end before what they use.
  proxy.reset();
  decisions.reset();
  admin.reset();
}

base::Status Service::State::start_observer() {
  const Configuration& from = settings();
  ObserverOptions options;
  options.state_folder = from.state.folder;
  options.accounts_file = from.identity.accounts_file;
  options.log.folder = from.query_log.folder;
  options.log.rotate_bytes = from.query_log.rotate_bytes;
  options.log.rotate_us = from.query_log.rotate_ms * 1'000;
  options.log.sync = sync_of(from.query_log.sync);
  options.log.keep_us = from.query_log.retention_days * base::kDayUs;
  options.log.keep_bytes = from.query_log.retention_bytes;
  options.log.level = static_cast<int>(from.query_log.compression_level);
  options.content = from.observer.content == settings::Content::full ? Content::full : Content::fingerprint;
  options.engine = from.run.engine;
  options.policy_hash = policy_hash(from);
  options.queue.count_max = from.observer.queue_exchanges_max;
  options.queue.bytes_max = from.observer.queue_bytes_max;
  options.queue.shed_max = from.observer.queue_shed_max;
  options.order_records_max = from.observer.order_records_max;
  options.workers = from.observer.threads;
  options.accounts_seconds = static_cast<double>(from.identity.accounts_ms) / 1e3;
  options.queue_shards = network_threads();
  options.in_flight.order_wait_us = from.observer.order_wait_us;
  options.in_flight.given_time = !from.demo.time_header.empty();
  options.lateness_us = from.run.lateness_us;
  // Beside another proxy all records come by POST /v1/traces and /v1/logs, after their requests. In front of a model
  // server none does, and the engine need not wait.
  options.feed_wait_us = from.upstreams.empty() ? from.observer.order_wait_us : 0;
  options.snapshot_seconds = from.run.snapshot_seconds;
  ObserverPorts ports;
  // One writer a shard: recovery runs on the starting thread, before the observer's own.
  Metrics::Shard& shard = metrics->shard(observer_shard());
  ports.on_verdict = [this, &shard](const event::Verdict& verdict, std::string_view line, bool again) {
    shard.count(static_cast<metric::VerdictChange>(verdict.level));
    Station* const to = published.load(std::memory_order_acquire);
    if (again || to == nullptr) return;
    to->feed.push(line);
    if (webhooks == nullptr) return;
    webhooks->push(WebhookType::verdict_changed, verdict.time_us, line);
    if (verdict.level == event::Level::notice && to->rules.take()->configuration().remedies.notice_hook)
      webhooks->push(WebhookType::notice_due, verdict.time_us, line);
  };
  ports.on_alarm = [this](const event::Alarm& alarm, std::string_view line, bool again) {
    if (again) return;
    alarm_verdict_rate.store(true);
    alarm_verdict_rate_ms.store(http::monotonic_ms());
    if (webhooks != nullptr) webhooks->push(WebhookType::alarm_raised, alarm.time_us, line);
  };
  ports.audit = ledger.get();
  ports.on_given = [&shard](std::int64_t wait_us) {
    shard.observe(metric::Duration::observer_wait, static_cast<double>(wait_us) / 1e6);
  };
  ports.on_problem = [this](std::string_view problem) {
    alarm_log.store(!problem.empty());
    log->write(problem.empty() ? settings::LogLevel::info : settings::LogLevel::error, "observer_problem",
               {{"problem", Configured{problem.empty() ? std::string_view("none, it works again") : problem}}});
    if (webhooks != nullptr && !problem.empty()) {
      JsonWriter json;
      json.text("problem", problem);
      webhooks->push(WebhookType::observer_gap, observer == nullptr ? 0 : observer->in_flight().now_us(),
                     json.finish());
    }
  };
  STILLWATCH_TRY(started, Observer::start(std::move(options), *keyed_hash, std::move(ports)));
  observer = std::move(started);
  accounts_changed_ns = changed_ns(from.identity.accounts_file);
  return {};
}

base::Status Service::State::start_webhooks() {
  const settings::Webhooks& from = settings().webhooks;
  if (from.endpoints.empty()) return {};
  WebhookSettings to = webhook_settings(from);
  to.journal_path = settings().state.folder + "/webhooks.journal";
  to.jitter_seed = keyed_hash->secret_id();
  std::vector<WebhookEndpoint> endpoints;
  for (const settings::Webhook& webhook : from.endpoints) {
    STILLWATCH_TRY(endpoint, webhook_endpoint(webhook));
    endpoints.push_back(std::move(endpoint));
  }
  const std::int64_t timeout_ms = from.timeout_ms;
  WebhookSend send = [timeout_ms](const std::string& url, const WebhookFields& fields,
                                  std::string_view body) -> base::Result<int> {
    http::FetchRequest request;
    request.url = url;
    request.method = "POST";
    for (const auto& [name, value] : fields) request.fields.set(name, value);
    request.body = body;
    request.timeout_ms = timeout_ms;
    STILLWATCH_TRY(answer, http::fetch_blocking(std::move(request)));
    return answer.status;
  };
  STILLWATCH_TRY(sender, WebhookSender::start(std::move(to), std::move(endpoints), std::move(send)));
  webhooks = std::move(sender);
  return {};
}

base::Status Service::State::load_quota() {
  const std::string path = settings().state.folder + "/quota";
  std::error_code code;
  if (std::filesystem::exists(path, code)) {
    STILLWATCH_TRY(bytes, base::read_file(path, kQuotaBytesMax));
    STILLWATCH_CHECK(station->quota.load(bytes, observer->in_flight().now_us()));
  } else if (std::filesystem::exists(settings().state.folder + "/quota_began", code)) {
    // There was a state, and it is gone: what was granted is not known.
    station->quota.assume_used(observer->in_flight().now_us());
  }
  STILLWATCH_CHECK(base::write_file(settings().state.folder + "/quota_began", ""));
  return save_quota(false);
}

base::Status Service::State::save_quota(bool stopped) {
  return base::write_file(settings().state.folder + "/quota",
                          station->quota.save(observer->in_flight().now_us(), stopped));
}

std::string Service::State::not_ready() const {
  if (!serving.load()) return "starting";
  if (station->draining.load()) return "draining";
  const ObserverCounters counters = observer->counters();
  if (counters.busy_us > kStalledUs) return "the engine is stalled";
  if (counters.log_failing && settings().query_log.on_error == settings::Answer::refuse)
    return "the query log cannot be written";
  return {};
}

void Service::State::update_gauges() {
  count_up();
  const ObserverCounters counters = observer->counters();
  Metrics& to = *metrics;
  to.set(metric::Gauge::observer_lag_seconds, static_cast<double>(counters.lag_us) / 1e6);
  to.set(metric::Gauge::campaigns, static_cast<double>(counters.campaigns));
  to.set(metric::Gauge::observer_queue_exchanges, static_cast<double>(counters.queue.waiting));
  to.set(metric::Gauge::observer_queue_bytes, static_cast<double>(counters.queue.waiting_bytes));
  to.set(metric::Gauge::overrides, static_cast<double>(station->overrides.size()));
  to.set(metric::Gauge::dry_run, station->switches.master() ? 1 : 0);
  to.set(metric::Gauge::query_log_bytes, static_cast<double>(counters.log.bytes_compressed));
  to.set(metric::Gauge::run_log_dropped_lines, static_cast<double>(log->dropped_lines()));
  if (webhooks != nullptr) to.set(metric::Gauge::webhook_queue_events, static_cast<double>(webhooks->counts().waiting));
  if (const std::int64_t ends_us = certificate_ends_us.load(); ends_us != 0) {
    to.set(metric::Gauge::certificate_expiry_seconds, static_cast<double>(ends_us - wall_us()) / 1e6);
  }
  const engine::VerdictTable::Counters table = observer->verdicts().counters();
  std::uint64_t subjects = 0;
  for (std::size_t level = 0; level < table.by_level.size(); ++level) {
    to.set_subjects(static_cast<event::Level>(level), table.by_level[level]);
    subjects += table.by_level[level];
  }
  to.set(metric::Gauge::verdict_table_subjects, static_cast<double>(subjects));
  // Connections are counted by the servers; the first shard carries them all.
  std::uint64_t connections = 0, streams = 0;
  for (const auto* server : {proxy.get(), decisions.get(), admin.get()}) {
    if (server == nullptr) continue;
    connections += server->counters().connections_open.load();
    streams += server->counters().streams_open.load();
  }
  to.shard(0).set(metric::Held::connections, connections);
  to.shard(0).set(metric::Held::requests, streams);
}

/// Counters that others keep, as the metrics have them. Called by the admin thread, whose shard it is.
void Service::State::count_up() {
  Metrics::Shard& shard = metrics->shard(observer_shard() - 1);
  const auto up = [&shard](auto label, std::uint64_t now, std::uint64_t& before) {
    shard.count(label, now - std::exchange(before, now));
  };
  if (proxy != nullptr) {
    const http::ServerCounters& clients = proxy->counters();
    up(metric::Connection::accepted, clients.connections_accepted, told.accepted);
    up(metric::Connection::refused, clients.connections_refused, told.refused);
    up(metric::Connection::tls_failed, clients.tls_failures, told.tls_failed);
    up(metric::Connection::closed_by_client, clients.clients_gone, told.closed);
    up(metric::Refusal::malformed, clients.requests_rejected, told.rejected);
    up(metric::Refusal::overload, clients.streams_refused, told.overload);
  }
  const ObserverCounters counters = observer->counters();
  up(metric::LogRecord::written, counters.log.lines, told.written);
  up(metric::LogRecord::failed, counters.lost, told.failed);
  up(metric::Gap::queue_full, counters.gaps - counters.gaps_log_failed, told.gaps_queue);
  up(metric::Gap::log_failed, counters.gaps_log_failed, told.gaps_log);
  up(metric::Exchange::shed_late, counters.late_shed, told.shed_late);
  up(metric::Exchange::shed_unreadable, counters.lines.bodies_refused, told.shed_unreadable);
  if (counters.snapshot_steady_us > 0) {
    metrics->set(metric::Gauge::snapshot_age_seconds,
                 static_cast<double>(http::monotonic_ms() - counters.snapshot_steady_us / 1'000) / 1e3);
  }
  count_ledger(shard);
  if (webhooks == nullptr) return;
  const WebhookCounts sent = webhooks->counts();
  up(metric::WebhookResult::delivered, sent.delivered, told.delivered);
  up(metric::WebhookResult::failed, sent.failed_attempts, told.undelivered);
  up(metric::WebhookResult::dropped, sent.dropped, told.dropped);
}

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

/// The observer reads a changed accounts file by itself; the request path needs tiers and declared uses too.
void Service::State::follow_accounts() {
  const std::string& path = settings().identity.accounts_file;
  if (path.empty()) return;
  const std::int64_t now_ns = changed_ns(path);
  if (now_ns == 0 || now_ns == accounts_changed_ns) return;
  accounts_changed_ns = now_ns;
  const std::lock_guard lock(reload_mutex);
  auto rules = compile_rules();
  if (rules) {
    station->rules.publish(std::move(*rules));
    log->write(settings::LogLevel::info, "accounts_read", {});
  } else {
    log->write(settings::LogLevel::error, "accounts_kept", {{"why", Failure{rules.error()}}});
  }
}

void Service::State::look_after() {
  std::int64_t saved_ms = http::monotonic_ms();
  std::unique_lock lock(care_mutex);
  while (!care_wake.wait_for(lock, kCareEvery, [this] { return care_stopping; })) {
    lock.unlock();
    raise_alarms();
    follow_accounts();
    if (http::monotonic_ms() - saved_ms >= kQuotaSaveMs) {
      saved_ms = http::monotonic_ms();
      if (const auto saved = save_quota(false); !saved)
        log->write(settings::LogLevel::error, "quota_not_saved", {{"why", Failure{saved.error()}}});
    }
    lock.lock();
  }
}

}  // namespace stillwatch::gateway
