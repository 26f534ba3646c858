#include "ledger/sequencer.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "ledger/batch_writer.h"
#include "ledger/disk_file.h"
#include "ledger/leaf_queue.h"

namespace stillwatch::ledger {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

}  // namespace

struct Sequencer::Impl {
  Impl(LogChain chain, SequencerOptions sequencer_options, Clock ledger_clock)
      : options(std::move(sequencer_options)),
        clock(std::move(ledger_clock)),
        queue(options.queue_entries_max, options.queue_bytes_max),
        writer(std::move(chain), options, clock) {}

  // Work for the writer's thread, done when all that was pushed before it is written.
  struct Request {
    const std::function<base::Status(LogChain&)>* work;
    std::uint64_t after_pushed = 0;
    std::optional<base::Status> done;
  };

  void write_until_stopped();
  bool wait_for_work();
  bool wait_to_retry();
  void answer_requests(const base::Error* failed);
  void publish_counters();
  void wake() {
    { const std::lock_guard lock(mutex); }
    work_there.notify_one();
  }

  const SequencerOptions options;
  const Clock clock;
  LeafQueue queue;
  BatchWriter writer;  // of the writer's thread

  std::atomic<std::uint64_t> lost_overflow{0}, lost_size{0}, refused{0};
  std::atomic<bool> is_stopping{false};

  std::mutex mutex;
  std::condition_variable work_there, request_done;
  std::deque<Request*> requests;
  bool is_over = false;
  base::Status end_status;
  BatchWriter::Counters shown;  // a copy for other threads
  std::thread thread;
};

// A batch is written when it is full, or batch_ms_max after its first leaf, or at once when somebody waits for it.
bool Sequencer::Impl::wait_for_work() {
  std::unique_lock lock(mutex);
  const auto is_urgent = [this] { return is_stopping.load() || !requests.empty(); };
  const auto has_any = [&] {
    const LeafQueue::Waiting waiting = queue.waiting();
    return is_urgent() || waiting.count > 0 || waiting.has_losses;
  };
  const auto checkpoint_due = writer.checkpoint_due();
  if (checkpoint_due) {
    if (!work_there.wait_until(lock, *checkpoint_due, has_any)) return true;
  } else {
    work_there.wait(lock, has_any);
  }
  work_there.wait_for(lock, milliseconds(options.batch_ms_max),
                      [&] { return is_urgent() || queue.waiting().count >= options.batch_entries_max; });
  return !is_stopping.load();
}

// False: stopping, and no more patience.
bool Sequencer::Impl::wait_to_retry() {
  std::unique_lock lock(mutex);
  work_there.wait_for(lock, milliseconds(options.retry_ms), [this] { return is_stopping.load(); });
  return !is_stopping.load();
}

void Sequencer::Impl::answer_requests(const base::Error* failed) {
  for (;;) {
    Request* request = nullptr;
    {
      const std::lock_guard lock(mutex);
      if (requests.empty()) return;
      request = requests.front();
      if (failed == nullptr && request->after_pushed > writer.counters().pushed_done) return;
      requests.pop_front();
    }
    base::Status status = failed != nullptr ? base::fail(*failed) : writer.run(*request->work);
    publish_counters();
    const std::lock_guard lock(mutex);
    request->done = std::move(status);
    request_done.notify_all();
  }
}

void Sequencer::Impl::publish_counters() {
  const std::lock_guard lock(mutex);
  shown = writer.counters();
}

void Sequencer::Impl::write_until_stopped() {
  // After an error that lasts, a stop tries once more and then gives up.
  constexpr int kTriesWhenStopping = 2;
  QueuedBatch batch;
  writer.say_crash();
  for (bool goes_on = true; goes_on;) {
    goes_on = wait_for_work();
    queue.take(batch);
    writer.begin(batch);
    int tries = 0;
    for (base::Status status = writer.write(); !status; status = writer.write()) {
      publish_counters();
      answer_requests(&status.error());
      const bool is_patient = wait_to_retry();
      if (!is_patient && ++tries >= kTriesWhenStopping) {
        writer.give_up();
        break;
      }
    }
    publish_counters();
    answer_requests(nullptr);
    if (goes_on) continue;
    // What came between the last look and the end of taking.
    goes_on = queue.waiting().count > 0 || queue.waiting().has_losses;
  }
  base::Status status = writer.finish();
  publish_counters();
  const std::lock_guard lock(mutex);
  end_status = std::move(status);
  is_over = true;
  for (Request* request : requests)
    request->done = base::fail(base::Fault::environment, "the log's writer was stopped");
  requests.clear();
  request_done.notify_all();
}

Sequencer::Sequencer(LogChain chain, SequencerOptions options, Clock clock)
    : impl_(std::make_unique<Impl>(std::move(chain), std::move(options), std::move(clock))) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->write_until_stopped(); });
}

Sequencer::~Sequencer() { (void)stop(); }

bool Sequencer::try_append(std::string_view leaf, std::uint64_t cookie, std::int64_t time_ms) {
  const bool has_size = !leaf.empty() && leaf.size() <= kEntryBytesMax;
  if (has_size && !impl_->is_stopping.load(std::memory_order_relaxed)) {
    switch (impl_->queue.push(leaf, cookie, time_ms, impl_->options.batch_entries_max)) {
      case LeafQueue::Pushed::taken: return true;
      case LeafQueue::Pushed::first:
      case LeafQueue::Pushed::full_batch: impl_->wake(); return true;
      case LeafQueue::Pushed::no_room: break;
    }
  }
  if (impl_->options.is_fail_closed) {
    impl_->refused.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  (has_size ? impl_->lost_overflow : impl_->lost_size).fetch_add(1, std::memory_order_relaxed);
  if (impl_->queue.lose(impl_->clock(), has_size ? "overflow" : "size")) impl_->wake();
  return false;
}

bool Sequencer::append(std::string_view leaf, std::uint64_t cookie, std::int64_t time_ms) {
  if (leaf.empty() || leaf.size() > kEntryBytesMax) return try_append(leaf, cookie, time_ms);
  while (!impl_->is_stopping.load(std::memory_order_relaxed)) {
    const auto pushed = impl_->queue.push(leaf, cookie, time_ms, impl_->options.batch_entries_max);
    if (pushed == LeafQueue::Pushed::first || pushed == LeafQueue::Pushed::full_batch) impl_->wake();
    if (pushed != LeafQueue::Pushed::no_room) return true;
    impl_->queue.wait_for_room(leaf.size());
  }
  return false;
}

bool Sequencer::has_room() const {
  return !impl_->is_stopping.load(std::memory_order_relaxed) && impl_->queue.has_room(kLeafBytesMax);
}

base::Status Sequencer::run(const std::function<base::Status(LogChain&)>& work) {
  Impl::Request request{&work, impl_->queue.waiting().pushed, std::nullopt};
  std::unique_lock lock(impl_->mutex);
  if (impl_->is_over || impl_->is_stopping.load())
    return base::fail(base::Fault::environment, "the log's writer was stopped");
  impl_->requests.push_back(&request);
  impl_->work_there.notify_one();
  impl_->request_done.wait(lock, [&request] { return request.done.has_value(); });
  return std::move(*request.done);
}

base::Status Sequencer::flush() {
  return run([this](LogChain&) { return impl_->writer.sign(); });
}

base::Status Sequencer::stop() {
  if (!impl_->thread.joinable()) return impl_->end_status;
  impl_->is_stopping.store(true);
  impl_->queue.end();
  impl_->wake();
  impl_->thread.join();
  return impl_->end_status;
}

Sequencer::Counters Sequencer::counters() const {
  Counters out;
  const LeafQueue::Waiting waiting = impl_->queue.waiting();
  const std::lock_guard lock(impl_->mutex);
  const BatchWriter::Counters& shown = impl_->shown;
  out.taken = waiting.pushed;
  out.committed = shown.committed;
  out.lost_overflow = impl_->lost_overflow.load(std::memory_order_relaxed);
  out.lost_size = impl_->lost_size.load(std::memory_order_relaxed);
  out.lost_stopped = shown.lost_stopped;
  out.refused = impl_->refused.load(std::memory_order_relaxed);
  out.gaps = shown.gaps;
  out.write_failures = shown.failures;
  out.clock_backwards = shown.chain.clock_backwards;
  out.rotations = shown.chain.rotations;
  out.waiting = waiting.count;
  out.waiting_bytes = waiting.bytes;
  out.log = shown.log;
  return out;
}

}  // namespace stillwatch::ledger
