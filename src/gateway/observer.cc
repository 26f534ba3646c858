#include "gateway/observer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "event/json_lines.h"
#include "gateway/observer_parts.h"

namespace stillwatch::gateway {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(10);
constexpr std::int64_t kGapUs = base::kSecondUs;  // between two gap lines

}  // namespace

std::int64_t steady_now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Observer::State::~State() = default;
Observer::State::State(ObserverOptions given, const crypto::KeyedHash& hash, ObserverPorts given_ports, QueryLog opened)
    : options(std::move(given)),
      keyed_hash(hash),
      ports(std::move(given_ports)),
      may_take_bodies_early(options.content == Content::fingerprint && !ports.on_taken &&
                            (ports.audit == nullptr || !ports.audit->wants_payloads())),
      queue(options.queue_shards, options.queue),
      in_flight(options.in_flight),
      log(std::move(opened)),
      record_line(hash, options.content, &identities),
      parser(intake::make_query_parser(hash, &identities)),
      fed_ids(2 * options.lateness_us),
      threads(std::make_unique<Threads>()) {
  feed_parsers.push_back(options.make_feed_parser ? options.make_feed_parser(hash, &identities)
                                                  : intake::make_query_parser(hash, &identities));
  for (const auto& make : options.tail_parsers) feed_parsers.push_back(make(hash, &identities));
  for (const auto& made : feed_parsers) (void)made->keep_raw(&fed);
  if (ports.audit != nullptr) (void)parser->keep_raw(&raw_fields);
  // Until the tail has looked what there is.
  if (!options.tail_parsers.empty()) clock.begin(0);
}

std::string_view Observer::State::name_of(event::Token token) {
  const std::string_view raw = identities.open(token);
  if (!raw.empty() || token == 0) return raw;
  return unnamed.try_emplace(token, fmt::format("unnamed-{:016x}", token)).first->second;
}

std::unique_ptr<engine::Engine> Observer::State::make_engine() {
  return std::make_unique<engine::Engine>(
      options.engine, options.workers, [this](event::Token token) { return name_of(token); },
      [this](std::span<const event::Verdict> given) { return take_verdicts(given); });
}

void Observer::State::tell(std::string_view text) {
  if (problem == text) return;
  problem = text;
  if (ports.on_problem) ports.on_problem(text);
}

bool Observer::State::is_late(std::int64_t time_us) const {
  // The engine has passed it, or a replay of the log would refuse it.
  return time_us < released_us || (logged_us != INT64_MIN && time_us < logged_us - options.lateness_us);
}

void Observer::State::parse_line(std::string_view padded_line, std::vector<event::Query>& out, bool is_read) {
  if (!is_read) parser->parse(padded_line, parsed);
  intake::NewIds& new_ids = is_read ? record_line.new_ids() : parser->new_ids();
  identities.add(new_ids);
  new_ids.clear();
  if (!parsed.is_blank) note_line(padded_line);
  const event::Query& query = parsed.query;
  counts.refused += parsed.accepted ? 0 : 1;
  // As intake::LogReader: of a refused line only account, time and size count, and only with an account.
  if (!parsed.accepted && (query.account == 0 || !parsed.has_time)) return;
  out.push_back(query);
}

void Observer::State::log_line(std::int64_t time_us, bool late, bool is_read) {
  log.append(line, time_us);
  logged_us = std::max(logged_us, time_us);
  const std::size_t size = line.size(), staged_before = staged.size();
  line.append(intake::kJsonPadding, ' ');
  parse_line(std::string_view(line).substr(0, size), staged, is_read);
  // What is late is marked as shed, and its turn is over: the engine would only count it.
  if (late) staged.resize(staged_before);
}

void Observer::State::take(Exchange& exchange) {
  if (exchange.kind == Exchange::Kind::line) return take_line(exchange);
  const bool late = is_late(exchange.arrived_us);
  counts.late_shed += late && !exchange.shed ? 1 : 0;
  counts.queue_shed += exchange.shed ? 1 : 0;
  if (log.lines_waiting() > 0 && log.wants_new_file(exchange.arrived_us)) flush();
  const std::size_t body_bytes = exchange.body.size(), reply_bytes = exchange.reply.size();
  const bool is_read = record_line.write(exchange, late, line, &parsed);
  if (is_read) take_raw(exchange);
  log_line(exchange.arrived_us, late, is_read);
  exchange.body.resize(std::min(body_bytes, exchange.body.size()));  // without the padding
  exchange.reply.resize(std::min(reply_bytes, exchange.reply.size()));
  note_bodies(exchange);
}

void Observer::State::flush() {
  flushed_at_us = steady_now_us();
  if (log.lines_waiting() == 0) return;
  const std::size_t lines = log.lines_waiting();
  if (const base::Status status = log.flush(); !status) {
    // The engine must not see what a replay will not find.
    if (lost_untold == 0) lost_since_us = staged.empty() ? in_flight.now_us() : staged.front().time_us;
    lost_untold += lines;
    counts.lost += lines;
    counts.log_failing = true;
    clock.set_log_failing(true);
    staged.clear();
    staged_places.clear();
    audit_lines.clear();
    audit_losses.clear();
    tell(status.error().message);
    return;
  }
  counts.log_failing = false;
  clock.set_log_failing(false);
  hand_over_lines();
  for (const TailPlace& place : staged_places) places.add(place);
  staged_places.clear();
  if (!problem.empty() && !verdicts->is_behind()) tell("");
  for (const event::Query& query : staged) {
    waiting.add(query);
    give_way.between_pieces();
  }
  staged.clear();
}

/// One line for all records that are not in the log, now that it can be written again.
void Observer::State::write_gaps(bool is_last) {
  const std::uint64_t dropped = queue.counters().dropped - dropped_told;
  const std::int64_t now_us = steady_now_us();
  if (dropped + lost_untold == 0 || (!is_last && now_us - gap_at_us < kGapUs)) return;
  // While the log fails, only real records try it.
  if (counts.log_failing && !is_last) return;
  gap_at_us = now_us;
  const std::int64_t unique_us = in_flight.arrive().arrived_us();
  const std::string id = "gap-" + request_id(unique_us, 0).substr(4);
  Gap gap;
  gap.id = id;
  // Where the log stands: a later time would have what is still in the queue refused as late.
  gap.time_us = logged_us == INT64_MIN ? unique_us : logged_us;
  gap.since_us = lost_untold > 0 ? lost_since_us : std::max<std::int64_t>(0, released_us);
  gap.records = dropped + lost_untold;
  gap.reason = lost_untold > 0 ? "log_failed" : "queue_full";
  record_line.write(gap, line);
  if (log.lines_waiting() > 0 && log.wants_new_file(gap.time_us)) flush();
  log_line(gap.time_us, false);
  const std::uint64_t lost_before = counts.lost, records = std::exchange(lost_untold, 0);
  flush();
  if (counts.lost != lost_before) {
    // Still not: this line is no record of anybody.
    lost_untold = records;
    return;
  }
  dropped_told += dropped;
  ++counts.gaps;
  counts.gaps_log_failed += records > 0 ? 1 : 0;
}

void Observer::State::release(std::int64_t until_us, std::size_t waiting_max) {
  while (!waiting.empty() && waiting.first_us() < until_us) {
    batch.push_back(waiting.take());
    if (batch.size() >= batch_records()) give();
  }
  released_us = std::max(released_us, until_us);
  while (waiting.size() > waiting_max) {
    batch.push_back(waiting.take());
    released_us = std::max(released_us, batch.back().time_us + 1);
    ++counts.order_overflows;
  }
  give();
}

void Observer::State::give() {
  if (batch.empty()) return;
  counts.records += batch.size();
  const base::Status status = engine->step(batch);
  STILLWATCH_ASSERT(status.has_value());  // only a verdict sink can fail, and ours keeps what it cannot write
  if (ports.on_given && !is_recovering) {
    const std::int64_t now_us = in_flight.now_us();
    for (const event::Query& query : batch) ports.on_given(now_us - std::max(query.ended_us, query.time_us));
  }
  batch.clear();
  if (ports.audit != nullptr) ports.audit->note(*engine, is_recovering);
  give_way.between_pieces();
  give_alarms();
  if (!is_recovering && engine->counters().epochs != epochs_seen) refresh_expiries();
}

base::Status Observer::State::take_verdicts(std::span<const event::Verdict> given) {
  const auto open_id = [this](event::Token token) { return name_of(token); };
  if (ports.audit != nullptr) ports.audit->note(*engine, is_recovering);
  for (const event::Verdict& verdict : given) {
    if (is_erasing && is_about_gone(verdict)) continue;
    const std::string text = event::to_json(verdict, options.policy_hash, open_id);
    const bool again = verdicts->give(text);
    if (remake != nullptr) remake_known.push_back(text);
    levels.apply(verdict);
    tell_verdict(verdict, text);
    if (ports.on_verdict) ports.on_verdict(verdict, text, again);
  }
  if (const base::Status status = verdicts->flush(); !status) tell(status.error().message);
  return {};
}

void Observer::State::give_alarms() {
  const auto& all = engine->alarm().alarms();
  for (; alarms_given < all.size(); ++alarms_given) {
    const event::Alarm& alarm = all[alarms_given];
    const std::string text =
        event::to_json(alarm, options.policy_hash, [this](event::Token token) { return name_of(token); });
    const bool again = alarms->give(text);
    if (ports.on_alarm) ports.on_alarm(alarm, text, again);
  }
  if (const base::Status status = alarms->flush(); !status) tell(status.error().message);
}

void Observer::State::poll_accounts() {
  accounts_at_us = steady_now_us();
  auto found = accounts->poll(released_us);
  if (!found) return tell(found.error().message);
  counts.account_lines = accounts->lines();
  counts.account_lines_rejected = accounts->rejected();
  if (remake != nullptr) remake_accounts.insert(remake_accounts.end(), found->begin(), found->end());
  if (!found->empty()) engine->add_accounts(std::move(*found));
}

void Observer::State::publish_counters() {
  counts.event_us = released_us;
  counts.lag_us = released_us == INT64_MIN ? 0 : std::max<std::int64_t>(0, in_flight.now_us() - released_us);
  counts.ordering = waiting.size();
  counts.verdicts = verdicts->lines();
  counts.verdicts_again = verdicts->again();
  counts.verdicts_waiting = verdicts->is_behind() ? 1 : 0;
  counts.journal_diverged = (verdicts->has_diverged() ? 1 : 0) + (alarms->has_diverged() ? 1 : 0);
  counts.alarms = alarms_given;
  counts.snapshot_steady_us = snapshot_at_us;
  counts.epochs = engine->counters().epochs;
  counts.accounts = engine->detector().accounts().size();
  counts.calibrating = engine->detector().calibrating();
  counts.calibration_drifted = engine->drift().is_drifted();
  counts.log = log.counters();
  counts.lines = record_line.counters();
  counts.is_erasing = is_erasing;
  counts.remake_records = remake == nullptr ? 0 : remake->records();
  const std::lock_guard lock(threads->mutex);
  threads->counters = counts;
}

void Observer::State::end_with(const base::Status& status) {
  const std::lock_guard lock(threads->mutex);
  threads->ended = status;
}

void Observer::State::take_queue() {
  taken.clear();
  queue.drain(taken, taken_bodies);
  for (std::shared_ptr<EarlyBody>& body : taken_bodies) {
    record_line.read(*body);
    body.reset();
    give_way.between_pieces();
  }
  taken_bodies.clear();
  // Shard by shard they may be far apart; a log that is nearly in order is what a replay reads.
  const auto earlier = [](const auto& a, const auto& b) { return a->arrived_us < b->arrived_us; };
  std::stable_sort(taken.begin(), taken.end(), earlier);
  for (auto& exchange : taken) {
    if (ports.on_taken) ports.on_taken(*exchange);
    take(*exchange);
    exchange.reset();
    give_way.between_pieces();
    if (log.bytes_waiting() >= options.flush_bytes) flush();
  }
}

void Observer::State::round(bool is_last) {
  // First the watermark, then the queue: whoever arrived before it has been drained.
  std::int64_t until_us = options.is_mirror ? mirrored_until_us.load(std::memory_order_acquire) : in_flight.watermark();
  const FeedClock::Reading fed_before = clock.read();
  take_queue();
  if (!is_last && steady_now_us() - flushed_at_us < options.flush_us) return;
  flush();
  write_gaps(is_last);
  if (options.feed_wait_us > 0 && !options.is_mirror) until_us = fed_until(fed_before, until_us);
  if (ports.on_until) ports.on_until(until_us);
  // Nothing follows the last round but a new start, which goes on behind all that was logged; but lines of another log
  // may then come out of order with what waits.
  const bool may_follow = options.feed_wait_us > 0 && !options.in_flight.given_time;
  if (is_last && logged_us != INT64_MIN && !may_follow) until_us = logged_us + 1;
  release(until_us, options.order_records_max);
  if (const base::Status status = verdicts->flush(); !status) {
    if (is_last) end_with(status);
    return publish_counters();
  }
  const std::int64_t now_us = steady_now_us();
  if (static_cast<double>(now_us - accounts_at_us) >= options.accounts_seconds * 1e6) poll_accounts();
  const auto interval_us = std::max(static_cast<std::int64_t>(options.snapshot_seconds * 1e6), 20 * snapshot_cost_us);
  if (remake != nullptr && !is_last) tend_remake();
  // What is erased must not be in one; the next start reads the log anew.
  if (!is_erasing && (is_last || (options.snapshot_seconds > 0 && now_us - snapshot_at_us >= interval_us))) {
    if (const base::Status status = verdicts->is_behind() ? base::Status{} : snapshot(); !status) {
      ++counts.snapshot_failures;
      snapshot_at_us = steady_now_us();
      tell(status.error().message);
      if (is_last) end_with(status);
    }
  }
  publish_counters();
}

void Observer::State::run() {
  GiveWay::while_short(&queue);
  for (;;) {
    bool is_last = false;
    {
      std::unique_lock lock(threads->mutex);
      threads->wake.wait_for(lock, kPoll, [this] { return threads->is_stopping || threads->has_failed; });
      if (threads->has_failed) break;
      is_last = threads->is_stopping;
    }
    round_started_us.store(steady_now_us(), std::memory_order_relaxed);
    round(is_last);
    receive();
    round_started_us.store(0, std::memory_order_relaxed);
    if (is_last) break;
  }
  const std::lock_guard lock(threads->mutex);
  threads->has_ended = true;
  threads->visited.notify_all();
}

Observer::Observer(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->threads->thread = std::thread([this] { state_->run(); });
}

Observer::~Observer() {
  {
    const std::lock_guard lock(state_->threads->mutex);
    state_->threads->has_failed = true;
  }
  state_->threads->wake.notify_all();
  if (state_->threads->thread.joinable()) state_->threads->thread.join();
}

base::Status Observer::stop() {
  {
    const std::lock_guard lock(state_->threads->mutex);
    state_->threads->is_stopping = true;
  }
  state_->threads->wake.notify_all();
  if (state_->threads->thread.joinable()) state_->threads->thread.join();
  return state_->threads->ended;
}

bool Observer::push_body(unsigned shard, const std::shared_ptr<EarlyBody>& body) {
  return state_->may_take_bodies_early && state_->queue.push_body(shard, body);
}

ExchangeQueue& Observer::queue() { return state_->queue; }
InFlight& Observer::in_flight() { return state_->in_flight; }
const engine::VerdictTable& Observer::verdicts() const { return state_->levels; }

std::string Observer::open(base::Token token) {
  const std::shared_lock lock(state_->names_mutex);
  const std::string_view raw = state_->identities.open(token);
  return raw.empty() && token != 0 ? fmt::format("unnamed-{:016x}", token) : std::string(raw);
}

ObserverCounters Observer::counters() const {
  ObserverCounters out;
  {
    const std::lock_guard lock(state_->threads->mutex);
    out = state_->threads->counters;
  }
  const std::int64_t started_us = state_->round_started_us.load(std::memory_order_relaxed);
  out.busy_us = started_us == 0 ? 0 : steady_now_us() - started_us;
  out.queue = state_->queue.counters();
  out.queue_dropped = out.queue.dropped;
  out.in_flight = state_->in_flight.counters();
  return out;
}

}  // namespace stillwatch::gateway
