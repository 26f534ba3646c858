#include "audit/record_feed.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "audit/leaf_maker.h"
#include "audit/ledger_paths.h"
#include "audit/recalled_leaves.h"
#include "base/files.h"

namespace stillwatch::audit {
namespace {

using base::Fault;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kPendingMax = 4'096;                        // leaves between two syncs of new keys
constexpr auto kRetry = std::chrono::milliseconds(500);           // after an error of the disk
constexpr auto kStopPatience = std::chrono::milliseconds(3'000);  // a disk that fails must not keep a stop for longer

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now().time_since_epoch()).count();
}

std::size_t weight_of(const Record& record) {
  return sizeof(Record) + record.id.size() + record.account.size() + record.model.size() + record.line.size() +
         record.prompt.size() + record.response.size();
}
std::size_t weight_of(const Given& given) {
  if (const auto* record = std::get_if<Record>(&given)) return weight_of(*record);
  if (const auto* decision = std::get_if<Decision>(&given)) return sizeof(Given) + decision->line.size();
  return sizeof(Given);
}

std::int64_t time_of(const Given& given) {
  if (const auto* loss = std::get_if<Loss>(&given)) return loss->to_us;
  if (const auto* record = std::get_if<Record>(&given)) return record->time_us;
  if (const auto* decision = std::get_if<Decision>(&given)) return decision->time_us;
  return std::get<Deployment>(given).time_us;
}

}  // namespace

struct RecordFeed::State {
  /// Somebody waits for the feed's thread to have come so far.
  struct Visit {
    std::function<base::Status()> work;  // empty: only the mark is wanted
    std::mutex mutex;
    std::condition_variable wake;
    bool is_done = false;
    base::Result<std::string> answer;
  };
  struct Forget {};
  using Work = std::variant<Given, std::shared_ptr<Visit>, Forget>;

  explicit State(FeedOptions given) : options(std::move(given)) {}

  FeedOptions options;
  std::atomic<std::int64_t> newest_ms{0};  // in a replay, the ledger's clock
  std::unique_ptr<ledger::KeyBook> keys;
  std::unique_ptr<ledger::Vault> vault;
  std::unique_ptr<AuditLog> log;

  std::mutex mutex;
  std::condition_variable wake, room;
  std::vector<Work> queue;
  std::size_t queue_bytes = 0;
  std::int64_t queue_since_ms = 0;  // of the oldest in it; 0: empty
  std::uint64_t overflowed = 0;     // since the last gap
  std::int64_t overflow_from_us = 0, overflow_to_us = 0;
  bool is_stopping = false, has_ended = false;
  std::atomic<bool> is_killed{false};
  std::atomic<std::int64_t> stop_until_ms{INT64_MAX};
  std::thread thread;

  // Of the feed's thread.
  std::unique_ptr<LeafMaker> maker;
  RecalledLeaves recalled;
  std::string leaf;
  std::vector<std::string> leaves;
  struct Pending {
    std::size_t end;  // in pending_bytes
    std::int64_t time_ms;
  };
  std::string pending_bytes;
  std::vector<Pending> pending;
  std::vector<ledger::DecisionLeaf::Input> inputs;
  FeedMark base;
  bool is_dirty = true;  // something was written since `inputs` were looked up
  std::string policy_bytes;
  std::uint64_t lost_at_stop = 0;

  std::atomic<std::uint64_t> records{0}, decisions{0}, deployments{0}, losses{0}, recalled_count{0}, overflowed_all{0},
      unnamed{0}, payloads{0}, payloads_failed{0}, failures{0};
  std::atomic<bool> is_failing{false};
  std::atomic<std::int64_t> working_since_ms{0};

  std::int64_t ledger_ms(std::int64_t event_us) const { return options.is_replay ? event_us / 1'000 : 0; }

  bool has_room_locked(std::size_t bytes) const {
    return queue.empty() || (queue.size() < options.queue_count_max && queue_bytes + bytes <= options.queue_bytes_max);
  }
  void push_locked(Work work, std::size_t bytes) {
    if (queue.empty()) queue_since_ms = steady_ms();
    queue.push_back(std::move(work));
    queue_bytes += bytes;
  }
  void overflow_locked(std::int64_t time_us) {
    if (overflowed++ == 0) overflow_from_us = overflow_to_us = time_us;
    overflow_from_us = std::min(overflow_from_us, time_us);
    overflow_to_us = std::max(overflow_to_us, time_us);
    ++overflowed_all;
  }

  void run();
  void process(Given& given);
  void process(Visit& visit);
  void put(std::int64_t event_us);
  void write_loss(const Loss& loss);
  void flush_pending();
  void look_up_inputs();
  base::Status read_inputs();
  /// Until it works, the time to stop is over or the process is to end.
  bool insist(const std::function<base::Status()>& step);
};

bool RecordFeed::State::insist(const std::function<base::Status()>& step) {
  for (;;) {
    const base::Status status = step();
    is_failing.store(!status, std::memory_order_relaxed);
    if (status) return true;
    ++failures;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, kRetry, [this] { return is_killed.load(); });
    if (is_killed.load() || steady_ms() > stop_until_ms.load()) return false;
  }
}

void RecordFeed::State::put(std::int64_t event_us) {
  pending_bytes += leaf;
  pending.push_back({pending_bytes.size(), ledger_ms(event_us)});
  if (pending.size() >= kPendingMax) flush_pending();
}

void RecordFeed::State::flush_pending() {
  if (pending.empty()) return;
  // What is under new keys may be in the log only when these are on the disk.
  const bool is_kept = insist([this]() -> base::Status {
    if (vault != nullptr) STILLWATCH_CHECK(vault->commit());
    return keys->sync();
  });
  std::size_t begin = 0;
  for (const Pending& one : pending) {
    const std::string_view bytes = std::string_view(pending_bytes).substr(begin, one.end - begin);
    begin = one.end;
    if (!is_kept || !log->append(bytes, 0, one.time_ms)) ++lost_at_stop;
  }
  pending.clear();
  pending_bytes.clear();
  is_dirty = true;
}

base::Status RecordFeed::State::read_inputs() {
  STILLWATCH_CHECK(log->flush());
  const Published now = log->checkpoint();
  if (!inputs.empty() && inputs.back().log == now.origin) {
    inputs.back().to = now.size;
    return {};
  }
  STILLWATCH_TRY(logs, logs_of_shard(options.log.folder, options.log.shards.front()));
  inputs.clear();
  bool is_in = base.base_origin.empty();
  for (const ShardLog& one : logs) {
    const bool is_base = one.origin == base.base_origin;
    is_in = is_in || is_base;
    if (!is_in) continue;
    const std::uint64_t from = is_base ? base.base_index : 0;
    inputs.push_back({one.origin, from, std::max(from, one.origin == now.origin ? now.size : one.size)});
  }
  // More than ten years of months: the last ones are named, and their `open` leaves lead to the others.
  if (inputs.size() > ledger::kLeafListMax)
    inputs.erase(inputs.begin(), inputs.end() - static_cast<std::ptrdiff_t>(ledger::kLeafListMax));
  return {};
}

void RecordFeed::State::look_up_inputs() {
  flush_pending();
  if (!is_dirty) return;
  is_dirty = !insist([this] { return read_inputs(); });
}

void RecordFeed::State::write_loss(const Loss& loss) {
  const std::int64_t now_ms = options.is_replay ? newest_ms.load() : options.log.clock();
  if (!make_gap(now_ms, loss, leaf)) return;
  if (recalled.take_alike(leaf)) {
    ++recalled_count;
    return;
  }
  put(loss.to_us);
  ++losses;
}

void RecordFeed::State::process(Given& given) {
  if (options.is_replay) newest_ms.store(std::max(newest_ms.load(), time_of(given) / 1'000));
  if (const auto* loss = std::get_if<Loss>(&given)) return write_loss(*loss);
  const std::int64_t event_us = time_of(given);
  if (const auto* deployment = std::get_if<Deployment>(&given)) {
    const std::int64_t now_ms = options.is_replay ? newest_ms.load() : options.log.clock();
    const ledger::RetentionProfile* profile = options.is_replay ? nullptr : &options.retention;
    if (!insist([&] { return maker->deploy(*deployment, profile, now_ms, leaves); })) return;
    for (std::string& made : leaves) {
      leaf.swap(made);
      policy_bytes = leaf;  // the last one is the policy leaf
      if (recalled.take_alike(leaf)) {
        ++recalled_count;
        continue;
      }
      put(event_us);
      ++deployments;
    }
    return;
  }
  LeafMaker::Made made;
  std::optional<base::Error> refused;
  const auto make = [&](auto&& step) {
    return insist([&]() -> base::Status {
      auto result = step();
      if (!result && result.error().fault == Fault::environment) return base::fail(std::move(result).error());
      if (result)
        made = *result;
      else
        refused = std::move(result).error();
      return {};
    });
  };
  bool is_made = false;
  if (auto* record = std::get_if<Record>(&given)) {
    is_made = make([&] { return maker->make(*record, leaf); });
  } else {
    auto& decision = std::get<Decision>(given);
    is_made = make([&] { return maker->make(decision, inputs, leaf); });
    if (is_made && !refused && !(recalled.size() > 0 && recalled.take(made.id))) {
      look_up_inputs();
      is_made = make([&] { return maker->make(decision, inputs, leaf); });
    } else if (is_made && !refused) {
      ++recalled_count;
      return;
    }
  }
  if (!is_made) {
    ++lost_at_stop;
    return;
  }
  if (refused) {
    // Ours to have avoided; the log says that something is missing.
    return write_loss({event_us, event_us, 1, "not representable"});
  }
  const bool is_record = std::holds_alternative<Record>(given);
  if (is_record && recalled.size() > 0 && recalled.take(made.id)) {
    ++recalled_count;
    return;
  }
  unnamed += made.is_named ? 0 : 1;
  payloads += made.has_payload ? 1 : 0;
  payloads_failed += made.payload_failed ? 1 : 0;
  put(event_us);
  ++(is_record ? records : decisions);
}

void RecordFeed::State::process(Visit& visit) {
  flush_pending();
  base::Result<std::string> answer;
  if (visit.work) {
    const base::Status status = visit.work();
    maker->forget_names();
    is_dirty = true;
    if (!status) answer = base::fail(status.error());
  } else if (const base::Status status = log->flush(); !status) {
    answer = base::fail(status.error());
  } else {
    const Published now = log->checkpoint();
    FeedMark mark = base;
    mark.origin = now.origin;
    mark.index = now.size;
    mark.policy = policy_bytes;
    answer = text_of(mark);
  }
  const std::lock_guard lock(visit.mutex);
  visit.answer = std::move(answer);
  visit.is_done = true;
  visit.wake.notify_all();
}

void RecordFeed::State::run() {
  std::vector<Work> taken;
  for (;;) {
    Loss overflow;
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return !queue.empty() || overflowed > 0 || is_stopping || is_killed.load(); });
      if (is_killed.load() || (queue.empty() && overflowed == 0)) {
        has_ended = true;
        room.notify_all();
        for (Work& work : queue) {
          if (auto* visit = std::get_if<std::shared_ptr<Visit>>(&work)) {
            const std::lock_guard inner((*visit)->mutex);
            (*visit)->answer = base::fail(Fault::environment, "the audit log is being stopped", true);
            (*visit)->is_done = true;
            (*visit)->wake.notify_all();
          }
        }
        return;
      }
      taken.swap(queue);
      queue_bytes = 0;
      working_since_ms.store(queue_since_ms);
      queue_since_ms = 0;
      overflow = {overflow_from_us, overflow_to_us, std::exchange(overflowed, 0), "overflow"};
    }
    room.notify_all();
    for (Work& work : taken) {
      if (is_killed.load()) break;
      if (auto* given = std::get_if<Given>(&work))
        process(*given);
      else if (auto* visit = std::get_if<std::shared_ptr<Visit>>(&work))
        process(**visit);
      else
        recalled = {};
    }
    taken.clear();
    // They came when the queue was full of what was written just now.
    if (overflow.records > 0) write_loss(overflow);
    flush_pending();
    working_since_ms.store(0);
  }
}

base::Result<std::unique_ptr<RecordFeed>> RecordFeed::open(FeedOptions options) {
  if (options.log.shards.size() != 1) return base::fail(Fault::caller, "a feed writes to one shard; name one");
  auto state = std::make_unique<State>(std::move(options));
  State* const raw = state.get();
  FeedOptions& to = raw->options;
  if (to.is_replay) {
    raw->newest_ms.store(to.begin_us / 1'000);
    to.log.clock = [raw] { return raw->newest_ms.load(); };
    to.log.by_hand = true;
  } else if (!to.log.clock) {
    to.log.clock = wall_clock_ms;
  }
  STILLWATCH_CHECK(base::make_writable_folder(to.log.folder));
  ledger::KeyBookOptions book;
  book.now_us = [raw] { return raw->options.log.clock() * 1'000; };
  STILLWATCH_TRY(keys, ledger::KeyBook::open(key_book_folder(to.log.folder), *to.master, std::move(book)));
  raw->keys = std::move(keys);
  if (to.has_vault) {
    STILLWATCH_TRY(vault, ledger::Vault::open(vault_folder(to.log.folder), *raw->keys, to.vault));
    raw->vault = std::move(vault);
  }
  if (to.is_replay) {
    const ledger::Key32 key = raw->keys->key_for("keys of replayed logs");
    to.log.derivation_key.assign(reinterpret_cast<const char*>(key.view().data()), key.view().size());
  }
  STILLWATCH_TRY(log, AuditLog::open(to.log));
  raw->log = std::move(log);
  raw->maker = std::make_unique<LeafMaker>(*raw->keys, raw->vault.get(), to.is_replay);
  return std::unique_ptr<RecordFeed>(new RecordFeed(std::move(state)));
}

RecordFeed::RecordFeed(std::unique_ptr<State> state) : state_(std::move(state)) {}

RecordFeed::~RecordFeed() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_killed.store(true);
  }
  state_->wake.notify_all();
  state_->room.notify_all();
  // Ends appends that wait for a disk.
  if (state_->thread.joinable() && !state_->has_ended) (void)state_->log->stop();
  if (state_->thread.joinable()) state_->thread.join();
}

base::Status RecordFeed::recall(std::string_view mark) {
  State& state = *state_;
  STILLWATCH_TRY(parsed, parse_mark(mark));
  // So that the checkpoint covers what a crash left unsigned.
  STILLWATCH_CHECK(state.log->flush());
  STILLWATCH_TRY(logs, logs_of_shard(state.options.log.folder, state.options.log.shards.front()));
  state.base.base_origin = parsed.base_origin;
  state.base.base_index = parsed.base_index;
  if (mark.empty() && state.options.is_replay) {
    // A run of its own: what stands there already is of others.
    const Published now = state.log->checkpoint();
    state.base.base_origin = now.origin;
    state.base.base_index = now.size;
  } else {
    STILLWATCH_CHECK(state.recalled.read(logs, parsed));
  }
  if (!parsed.policy.empty()) {
    STILLWATCH_TRY(leaf, ledger::read_leaf(parsed.policy));
    if (const auto* policy = std::get_if<ledger::PolicyLeaf>(&leaf)) state.maker->take_deployed(*policy);
    state.policy_bytes = parsed.policy;
  }
  state.thread = std::thread([&state] { state.run(); });
  return {};
}

void RecordFeed::forget() {
  const std::lock_guard lock(state_->mutex);
  state_->push_locked(State::Forget{}, 0);
  state_->wake.notify_one();
}

bool RecordFeed::try_give(Given given) {
  State& state = *state_;
  const std::size_t bytes = weight_of(given);
  const std::lock_guard lock(state.mutex);
  const bool has_room = state.has_room_locked(bytes) && !state.is_stopping;
  const bool was_empty = state.queue.empty();
  if (has_room)
    state.push_locked(std::move(given), bytes);
  else
    state.overflow_locked(time_of(given));
  if (was_empty) state.wake.notify_one();
  return has_room;
}

void RecordFeed::try_give(std::vector<Record>& records) {
  if (records.empty()) return;
  State& state = *state_;
  {
    const std::lock_guard lock(state.mutex);
    for (Record& record : records) {
      const std::size_t bytes = weight_of(record);
      if (state.has_room_locked(bytes) && !state.is_stopping)
        state.push_locked(Given(std::move(record)), bytes);
      else
        state.overflow_locked(record.time_us);
    }
  }
  state.wake.notify_one();
  records.clear();
}

void RecordFeed::give(std::vector<Record>& records) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  for (Record& record : records) {
    const std::size_t bytes = weight_of(record);
    if (!state.has_room_locked(bytes)) state.wake.notify_one();
    state.room.wait(lock, [&] { return state.has_room_locked(bytes) || state.is_stopping || state.is_killed.load(); });
    if (state.is_stopping || state.is_killed.load())
      state.overflow_locked(record.time_us);
    else
      state.push_locked(Given(std::move(record)), bytes);
  }
  state.wake.notify_one();
  records.clear();
}

void RecordFeed::give(Given given) {
  State& state = *state_;
  const std::size_t bytes = weight_of(given);
  std::unique_lock lock(state.mutex);
  state.room.wait(lock, [&] { return state.has_room_locked(bytes) || state.is_stopping || state.is_killed.load(); });
  if (state.is_stopping || state.is_killed.load()) return state.overflow_locked(time_of(given));
  const bool was_empty = state.queue.empty();
  state.push_locked(std::move(given), bytes);
  if (was_empty) state.wake.notify_one();
}

bool RecordFeed::has_room() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size() < state_->options.queue_count_max &&
         state_->queue_bytes < state_->options.queue_bytes_max && !state_->is_failing.load();
}

base::Result<std::string> RecordFeed::settle(std::int64_t wait_ms_max) {
  const auto late = [] {
    return base::fail(Fault::environment,
                      "the audit log is behind or cannot be written; see its alarms, and the disk of its folder", true);
  };
  if (state_->is_failing.load()) return late();
  auto visit = std::make_shared<State::Visit>();
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->has_ended) return late();
    state_->push_locked(visit, 0);
  }
  state_->wake.notify_one();
  std::unique_lock lock(visit->mutex);
  if (!visit->wake.wait_for(lock, std::chrono::milliseconds(wait_ms_max), [&] { return visit->is_done; }))
    return late();
  return visit->answer;
}

base::Status RecordFeed::run(const std::function<base::Status()>& work) {
  auto visit = std::make_shared<State::Visit>();
  visit->work = work;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->has_ended) return base::fail(Fault::environment, "the audit log is being stopped", true);
    state_->push_locked(visit, 0);
  }
  state_->wake.notify_one();
  std::unique_lock lock(visit->mutex);
  visit->wake.wait(lock, [&] { return visit->is_done; });
  if (!visit->answer) return base::fail(visit->answer.error());
  return {};
}

AuditLog& RecordFeed::log() { return *state_->log; }
ledger::KeyBook& RecordFeed::keys() { return *state_->keys; }
ledger::Vault* RecordFeed::vault() { return state_->vault.get(); }

FeedCounters RecordFeed::counters() const {
  const State& state = *state_;
  FeedCounters out;
  out.records = state.records;
  out.decisions = state.decisions;
  out.deployments = state.deployments;
  out.losses = state.losses;
  out.recalled = state.recalled_count;
  out.overflowed = state.overflowed_all;
  out.unnamed = state.unnamed;
  out.payloads = state.payloads;
  out.payloads_failed = state.payloads_failed;
  out.failures = state.failures;
  out.is_failing = state.is_failing.load() || !state.log->not_ready().empty();
  std::int64_t since_ms = state.working_since_ms.load();
  {
    const std::lock_guard lock(state_->mutex);
    out.waiting = state.queue.size();
    out.waiting_bytes = state.queue_bytes;
    if (since_ms == 0) since_ms = state.queue_since_ms;
  }
  out.behind_ms = since_ms == 0 ? 0 : steady_ms() - since_ms;
  return out;
}

base::Status RecordFeed::stop() {
  State& state = *state_;
  state.stop_until_ms.store(steady_ms() + kStopPatience.count());
  {
    const std::lock_guard lock(state.mutex);
    state.is_stopping = true;
  }
  state.wake.notify_all();
  state.room.notify_all();
  for (bool has_ended = !state.thread.joinable(); !has_ended;) {
    {
      std::unique_lock lock(state.mutex);
      has_ended = state.room.wait_for(lock, kStopPatience, [&] { return state.has_ended; });
    }
    // A disk that fails lets no append end.
    if (!has_ended && counters().is_failing) {
      (void)state.log->stop();
      break;
    }
  }
  if (state.thread.joinable()) state.thread.join();
  base::Status status;
  if (state.options.is_replay) status = state.log->anchor_now(state.newest_ms.load());
  if (const base::Status stopped = state.log->stop(); !stopped && status) status = stopped;
  if (state.lost_at_stop > 0 && status) {
    status =
        base::fail(Fault::environment,
                   fmt::format("{} leaves could not be written to the audit log; they are made again from the query "
                               "log at the next start",
                               state.lost_at_stop));
  }
  return status;
}

}  // namespace stillwatch::audit
