#include "gateway/service_state.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/files.h"
#include "gateway/api_answer.h"
#include "http/name_cache.h"

namespace stillwatch::gateway {
namespace {

constexpr auto kCareEvery = std::chrono::milliseconds(250);
constexpr std::uint64_t kQuotaBytesMax = std::uint64_t{1} << 30;
constexpr std::int64_t kQuotaSaveMs = 10'000;
std::int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::int64_t changed_ns(const std::string& path) {
  std::error_code code;
  const auto time = std::filesystem::last_write_time(path, code);
  return code ? 0 : time.time_since_epoch().count();
}

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
  to.set(metric::Gauge::calibrating, counters.calibrating ? 1 : 0);
  to.set(metric::Gauge::secret_overlap, previous != nullptr ? 1 : 0);
  engine::VerdictTable::Counters table = observer->verdicts().counters();
  // The same subjects stand in several tables during an overlap; how many do is not counted.
  for (const EarlierSource& source : station->earlier) {
    const engine::VerdictTable::Counters other = source.table->counters();
    for (std::size_t level = 0; level < table.by_level.size(); ++level)
      table.by_level[level] = std::max(table.by_level[level], other.by_level[level]);
  }
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
  const CountGrowth up{metrics->shard(observer_shard() - 1)};
  if (proxy != nullptr) {
    const http::ServerCounters& clients = proxy->counters();
    up(metric::Connection::accepted, clients.connections_accepted, told.accepted);
    up(metric::Connection::refused, clients.connections_refused, told.refused);
    up(metric::Connection::tls_failed, clients.tls_failures, told.tls_failed);
    up(metric::Connection::closed_by_client, clients.clients_gone, told.closed);
    up(metric::Refusal::malformed, clients.requests_rejected, told.rejected);
    up(metric::Refusal::overload, clients.streams_refused, told.overload);
  }
  const http::NameCache::Counters names = http::NameCache::of_process().counters();
  up(metric::NameLookUp::asked, names.look_ups, told.names_asked);
  up(metric::NameLookUp::failed, names.failures, told.names_failed);
  up(metric::NameLookUp::late, names.late, told.names_late);
  up(metric::NameLookUp::stale, names.stale, told.names_stale);
  const ObserverCounters counters = observer->counters();
  up(metric::LogRecord::written, counters.log.lines, told.written);
  up(metric::LogRecord::failed, counters.lost, told.failed);
  up(metric::Gap::queue_full, counters.gaps - counters.gaps_log_failed, told.gaps_queue);
  up(metric::Gap::log_failed, counters.gaps_log_failed, told.gaps_log);
  up(metric::Exchange::shed_late, counters.late_shed, told.shed_late);
  up(metric::Exchange::shed_unreadable, counters.lines.bodies_refused, told.shed_unreadable);
  up(metric::FedLine::refused, counters.feed_refused, told.fed_refused);
  up(metric::FedLine::repeated, counters.feed_repeated, told.fed_repeated);
  up(metric::FedLine::early, counters.feed_early, told.fed_early);
  if (tail != nullptr) {
    const LogTailCounters read = tail->counters();
    up(metric::FedLine::tailed, read.lines, told.tailed);
    up(metric::FedLine::too_long, read.lines_too_long, told.tailed_too_long);
    up(metric::TailEvent::opened, read.files_opened, told.tail_opened);
    up(metric::TailEvent::rotated, read.rotations, told.tail_rotated);
    up(metric::TailEvent::truncated, read.truncations, told.tail_truncated);
    up(metric::TailEvent::place_lost, read.places_lost, told.tail_lost);
    up(metric::TailEvent::read_error, read.read_errors, told.tail_errors);
    up(metric::TailEvent::wait, read.waits, told.tail_waits);
    metrics->set(metric::Gauge::tail_files, static_cast<double>(read.files_open));
    metrics->set(metric::Gauge::tail_bytes_behind, static_cast<double>(read.bytes_behind));
  }
  if (counters.snapshot_steady_us > 0) {
    metrics->set(metric::Gauge::snapshot_age_seconds,
                 static_cast<double>(http::monotonic_ms() - counters.snapshot_steady_us / 1'000) / 1e3);
  }
  count_ledger(up);
  if (webhooks == nullptr) return;
  const WebhookCounts sent = webhooks->counts();
  up(metric::WebhookResult::delivered, sent.delivered, told.delivered);
  up(metric::WebhookResult::failed, sent.failed_attempts, told.undelivered);
  up(metric::WebhookResult::dropped, sent.dropped, told.dropped);
}

/// The observer reads a changed accounts file by itself; the request path needs tiers and declared uses too.
void Service::State::follow_accounts() {
  const std::string& path = settings().identity.accounts_file;
  if (path.empty()) return;
  const std::int64_t now_ns = changed_ns(path);
  if (now_ns == 0 || now_ns == accounts_changed_ns) return;
  accounts_changed_ns = now_ns;
  const std::lock_guard lock(reload_mutex);
  auto rules = with_fresh_accounts();
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
