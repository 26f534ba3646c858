// The observer of a gateway and what feeds it beside the network threads, as the configuration says.
#include <algorithm>

#include "gateway/api_answer.h"
#include "gateway/service_state.h"
#include "gateway/tail_format.h"

namespace stillwatch::gateway {
namespace {

Sync sync_of(settings::Sync sync) {
  switch (sync) {
    case settings::Sync::never: return Sync::never;
    case settings::Sync::second: return Sync::per_second;
    case settings::Sync::flush: return Sync::every_flush;
  }
  return Sync::per_second;
}

/// During an overlap: the engine of before has the subject higher, and that is what holds for it.
bool is_outdone(const Station& station, const event::Verdict& verdict) {
  if (station.earlier.empty() || verdict.kind == event::SubjectKind::campaign) return false;
  const bool is_end_user = verdict.kind == event::SubjectKind::end_user;
  const std::string account = station.observer.open(is_end_user ? verdict.account : verdict.subject);
  const std::string end_user = is_end_user ? station.observer.open(verdict.subject) : std::string();
  return std::any_of(station.earlier.begin(), station.earlier.end(), [&](const EarlierSource& other) {
    return other.table->look_up(subject_in(other, account, end_user), verdict.time_us).level > verdict.level;
  });
}

}  // namespace

base::Status Service::State::take_up_secrets(const Configuration& from) {
  STILLWATCH_TRY(secret, crypto::load_or_create_secret(from.state.secret_file));
  keyed_hash = std::make_unique<crypto::KeyedHash>(secret);
  STILLWATCH_TRY(keys, crypto::load_key_set(from.state.secret_file));
  STILLWATCH_TRY(taken, gateway::take_up_secrets(from.state.folder, from.query_log.folder, keys, *keyed_hash));
  overlap = std::move(taken);
  if (overlap.has_previous) {
    previous_hash = std::make_unique<crypto::KeyedHash>(*keys.previous);
    log->write(settings::LogLevel::info, "secret_overlap", {});
  }
  if (overlap.inherited_now + overlap.unnamed > 0) {
    log->write(overlap.unnamed > 0 ? settings::LogLevel::warn : settings::LogLevel::info, "secret_overlap_ended",
               {{"levels_kept", overlap.inherited_now}, {"levels_without_a_name", overlap.unnamed}});
  }
  return {};
}

std::vector<EarlierSource> Service::State::earlier_levels() {
  std::vector<EarlierSource> out;
  if (previous != nullptr) {
    out.push_back({previous_hash.get(), &previous->verdicts(),
                   [from = previous.get()](base::Token token) { return from->open(token); }});
  }
  if (overlap.inherited != nullptr) {
    out.push_back({keyed_hash.get(), &overlap.inherited->table(),
                   [from = overlap.inherited.get()](base::Token token) { return from->open(token); }});
  }
  return out;
}

base::Result<ObserverOptions> Service::State::observer_options() const {
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
  options.queue_shards = network_threads() + 1;  // the last is the tail's
  options.in_flight.order_wait_us = from.observer.order_wait_us;
  options.in_flight.given_time = !from.demo.time_header.empty();
  options.lateness_us = from.run.lateness_us;
  // Beside another proxy all records come by POST /v1/traces and /v1/logs or from its log, after their requests. In
  // front of a model server none does, and the engine need not wait.
  const bool is_fed = from.upstreams.empty() || !from.tails.empty();
  options.feed_wait_us = is_fed ? from.observer.order_wait_us : 0;
  for (const settings::Tail& tailed : from.tails) {
    STILLWATCH_TRY(make, tail_parser(tailed.format));
    options.tail_parsers.push_back(std::move(make));
  }
  options.snapshot_seconds = from.run.snapshot_seconds;
  return options;
}

ObserverPorts Service::State::observer_ports(bool is_previous) {
  ObserverPorts ports;
  // One writer a shard: recovery runs on the starting thread, before the observer's own.
  Metrics::Shard& shard = metrics->shard(is_previous ? previous_shard() : observer_shard());
  ports.on_verdict = [this, &shard, is_previous](const event::Verdict& verdict, std::string_view line, bool again) {
    shard.count(static_cast<metric::VerdictChange>(verdict.level));
    Station* const to = published.load(std::memory_order_acquire);
    if (again || to == nullptr || (!is_previous && is_outdone(*to, verdict))) return;
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
  // The lines of the engine under the previous secret have their leaves by the other one.
  if (ledger != nullptr) ports.audit = is_previous ? &ledger->previous() : ledger.get();
  ports.on_given = [&shard, is_previous](std::int64_t wait_us) {
    if (is_previous) return;  // each record once
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
  return ports;
}

base::Status Service::State::start_observer() {
  STILLWATCH_TRY(options, observer_options());
  ObserverPorts ports = observer_ports(false);
  if (overlap.has_previous) {
    // All of it twice: the engine under the previous secret goes on, with a log of its own to recover from.
    ObserverOptions earlier = options;
    earlier.state_folder = overlap.state_folder;
    earlier.log.folder = overlap.log_folder;
    earlier.content = Content::fingerprint;
    earlier.is_mirror = true;
    earlier.queue_shards = 1;
    STILLWATCH_TRY(started, Observer::start(std::move(earlier), *previous_hash, observer_ports(true)));
    previous = std::move(started);
    options.tail_places = previous->tail_places();
    ports.on_taken = [to = previous.get()](const Exchange& exchange) {
      (void)to->queue().try_push(0, std::make_unique<Exchange>(exchange));
    };
    ports.on_until = [to = previous.get()](std::int64_t until_us) { to->mirror_until(until_us); };
  }
  STILLWATCH_TRY(started, Observer::start(std::move(options), *keyed_hash, std::move(ports)));
  observer = std::move(started);
  accounts_changed_ns = changed_ns(settings().identity.accounts_file);
  return {};
}

base::Status Service::State::start_tail() {
  const Configuration& from = settings();
  if (from.tails.empty()) return {};
  LogTailOptions options;
  for (const settings::Tail& tailed : from.tails) {
    STILLWATCH_TRY(make, tail_parser(tailed.format));
    options.logs.push_back({std::move(make), tailed.path, tailed.begin == settings::TailBegin::end});
  }
  options.skew_us = std::min(options.skew_us, from.run.lateness_us / 6);
  options.state_folder = from.state.folder;
  options.shard = network_threads();
  options.line_bytes_max = base::limits::kLineBytesMax;
  STILLWATCH_TRY(started, LogTail::start(std::move(options), *observer, [this](std::string_view problem) {
                   log->write(settings::LogLevel::error, "tail_problem", {{"problem", Configured{problem}}});
                 }));
  tail = std::move(started);
  return {};
}

}  // namespace stillwatch::gateway
