#include "audit/record_feed.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "audit/feed_writer.h"
#include "audit/ledger_paths.h"
#include "base/files.h"

namespace stillwatch::audit {
namespace {

using base::Fault;
using Steady = std::chrono::steady_clock;

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
  std::atomic<bool> is_killed{false}, has_base_waiting{false};
  std::atomic<std::int64_t> stop_until_ms{INT64_MAX};
  std::thread thread;

  std::unique_ptr<FeedWriter> writer;  // of the feed's thread
  std::atomic<std::uint64_t> overflowed_all{0};
  std::atomic<std::int64_t> working_since_ms{0};

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
  void visit(Visit& visit);
  bool wait_after_failure();
};

bool RecordFeed::State::wait_after_failure() {
  std::unique_lock lock(mutex);
  wake.wait_for(lock, kRetry, [this] { return is_killed.load(); });
  return !is_killed.load() && steady_ms() <= stop_until_ms.load();
}

void RecordFeed::State::visit(Visit& visit) {
  base::Result<std::string> answer;
  if (visit.work) {
    if (const base::Status status = writer->run(visit.work); !status) answer = base::fail(status.error());
  } else {
    answer = writer->settle();
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
      if (auto* given = std::get_if<Given>(&work)) {
        if (options.is_replay) newest_ms.store(std::max(newest_ms.load(), time_of(*given) / 1'000));
        writer->write(*given);
        if (std::holds_alternative<Base>(*given)) has_base_waiting.store(false);
      } else if (auto* visitor = std::get_if<std::shared_ptr<Visit>>(&work)) {
        visit(**visitor);
      } else {
        writer->forget();
      }
    }
    taken.clear();
    // They came when the queue was full of what was written just now.
    if (overflow.records > 0) writer->write(overflow);
    writer->flush();
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
  FeedWriter::Parts parts;
  parts.options = &to;
  parts.keys = raw->keys.get();
  parts.vault = raw->vault.get();
  parts.log = raw->log.get();
  parts.now_ms = to.log.clock;
  parts.wait_after_failure = [raw] { return raw->wait_after_failure(); };
  raw->writer = std::make_unique<FeedWriter>(std::move(parts));
  return std::unique_ptr<RecordFeed>(new RecordFeed(std::move(state)));
}

RecordFeed::RecordFeed(std::unique_ptr<State> state) : state_(std::move(state)) {}

RecordFeed::~RecordFeed() {
  std::unique_lock lock(state_->mutex);
  state_->is_killed.store(true);
  const bool has_ended = state_->has_ended;
  lock.unlock();
  state_->wake.notify_all();
  state_->room.notify_all();
  // Ends appends that wait for a disk.
  if (state_->thread.joinable() && !has_ended) (void)state_->log->stop();
  if (state_->thread.joinable()) state_->thread.join();
}

base::Result<bool> RecordFeed::recall(const Recall& from) {
  State& state = *state_;
  STILLWATCH_TRY(is_known, state.writer->begin(from));
  state.thread = std::thread([&state] { state.run(); });
  return is_known;
}

void RecordFeed::forget() {
  const std::lock_guard lock(state_->mutex);
  state_->push_locked(State::Forget{}, 0);
  state_->wake.notify_one();
}

bool RecordFeed::wants_base() const {
  // One that was given and is not taken yet: a log that cannot be written must not fill the disk with states.
  return !state_->has_base_waiting.load() &&
         state_->writer->wants_base(ledger::month_of_day(ledger::day_of(state_->options.log.clock() * 1'000)));
}

bool RecordFeed::try_give(Given given) {
  State& state = *state_;
  const std::size_t bytes = weight_of(given);
  const std::lock_guard lock(state.mutex);
  const bool is_base = std::holds_alternative<Base>(given);
  const bool has_room = (is_base || state.has_room_locked(bytes)) && !state.is_stopping;
  const bool was_empty = state.queue.empty();
  if (has_room && is_base) state.has_base_waiting.store(true);
  if (has_room)
    state.push_locked(std::move(given), bytes);
  else if (!is_base)
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
  if (state_->writer->counters().is_failing.load() || !state_->log->not_ready().empty()) return false;
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size() < state_->options.queue_count_max &&
         state_->queue_bytes < state_->options.queue_bytes_max;
}

base::Result<std::string> RecordFeed::settle(std::int64_t wait_ms_max) {
  const auto late = [] {
    return base::fail(Fault::environment,
                      "the audit log is behind or cannot be written; see its alarms, and the disk of its folder", true);
  };
  if (state_->writer->counters().is_failing.load()) return late();
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
  const FeedWriter::Counters& written = state.writer->counters();
  out.records = written.records;
  out.decisions = written.decisions;
  out.deployments = written.deployments;
  out.losses = written.losses;
  out.recalled = written.recalled;
  out.unnamed = written.unnamed;
  out.payloads = written.payloads;
  out.payloads_failed = written.payloads_failed;
  out.failures = written.failures;
  out.overflowed = state.overflowed_all;
  out.is_failing = written.is_failing.load() || !state.log->not_ready().empty();
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
  const std::uint64_t given_up = state.writer->counters().given_up;
  if (given_up > 0 && status) {
    status =
        base::fail(Fault::environment,
                   fmt::format("{} leaves could not be written to the audit log; they are made again from the query "
                               "log at the next start",
                               given_up));
  }
  return status;
}

}  // namespace stillwatch::audit
