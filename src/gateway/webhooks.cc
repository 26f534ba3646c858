#include "gateway/webhooks.h"

#include <sodium.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/event_time.h"
#include "base/random.h"
#include "gateway/webhook_journal.h"

namespace stillwatch::gateway {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kDataBytesMax = 64U << 10;        // a verdict with all its reasons has < 10 KB
constexpr int kGone = 410;                              // Standard Webhooks: the endpoint wants no more
constexpr std::uint64_t kJournalSlackBytes = 1U << 20;  // removals below this are not worth a rewrite

std::string new_id() {
  std::uint8_t bytes[12];
  char hex[2 * sizeof bytes + 1];
  randombytes_buf(bytes, sizeof bytes);
  sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
  return std::string("msg_") + hex;
}

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

class WebhookSender::Worker {
 public:
  Worker(WebhookSettings settings, std::vector<WebhookEndpoint> endpoints, WebhookSend send,
         std::unique_ptr<WebhookJournal> journal)
      : settings_(std::move(settings)), send_(std::move(send)), journal_(std::move(journal)) {
    for (WebhookEndpoint& endpoint : endpoints) {
      types_ |= endpoint.types;
      targets_.push_back({std::move(endpoint), {}, 0, Clock::now(), false});
    }
    if (journal_) take_up_journal();
    thread_ = std::thread([this] { run(); });
  }

  bool push(WebhookType type, std::int64_t time_us, std::string_view data) {
    if ((types_ >> static_cast<unsigned>(type) & 1U) == 0) return true;
    std::string body = fmt::format(R"({{"type":"{}","timestamp":"{}","data":)", name(type), base::format_time(time_us));
    body += data;
    body += '}';
    const std::lock_guard lock(mutex_);
    if (stopping_ || inbox_.size() >= settings_.queue_events_max || data.size() > kDataBytesMax) {
      ++counts_.dropped;
      return false;
    }
    ++counts_.accepted;
    inbox_.push_back({type, std::move(body)});
    wake_.notify_one();
    return true;
  }

  void stop(std::int64_t wait_ms) {
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_) deadline_ = Clock::now() + std::chrono::milliseconds(wait_ms);
      stopping_ = true;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

  WebhookCounts counts() {
    const std::lock_guard lock(mutex_);
    WebhookCounts counts = counts_;
    counts.waiting += inbox_.size();
    return counts;
  }

 private:
  struct Event {
    WebhookType type;
    std::string body;
  };
  struct Target {
    WebhookEndpoint endpoint;
    std::deque<Delivery> queue;  // in order; only the first is tried
    std::uint32_t failures;      // of the first
    Clock::time_point due;
    bool gone;
  };

  void take_up_journal() {
    for (Delivery& delivery : journal_->left()) {
      const auto target = std::find_if(targets_.begin(), targets_.end(),
                                       [&](const Target& t) { return t.endpoint.url == delivery.url; });
      if (target == targets_.end()) {
        ++counts_.dropped;  // the endpoint is no longer configured
        journal_->remove(delivery);
      } else {
        ++counts_.waiting;
        target->queue.push_back(std::move(delivery));
      }
    }
    journal_->left().clear();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      std::deque<Event> events;
      events.swap(inbox_);
      lock.unlock();
      for (const Event& event : events) enqueue(event);
      for (Target& target : targets_) deliver_first(target);
      shrink_journal();
      lock.lock();
      if (!inbox_.empty()) continue;
      const auto next = next_due();
      if (stopping_ && (!next || Clock::now() >= deadline_)) break;
      const auto until = stopping_ ? std::min(*next, deadline_) : next.value_or(Clock::now() + std::chrono::hours(1));
      const bool told_to_stop = stopping_;
      wake_.wait_until(lock, until, [&] {
        return !inbox_.empty() || stopping_ != told_to_stop || (stopping_ && Clock::now() >= deadline_);
      });
    }
    if (!journal_) {
      counts_.dropped += counts_.waiting;
      counts_.waiting = 0;
    }
  }

  void enqueue(const Event& event) {
    for (Target& target : targets_) {
      if ((target.endpoint.types >> static_cast<unsigned>(event.type) & 1U) == 0) continue;
      Delivery delivery{new_id(), target.endpoint.url, event.body};
      const bool taken =
          !target.gone && target.queue.size() < settings_.queue_events_max && (!journal_ || journal_->add(delivery));
      if (taken) target.queue.push_back(std::move(delivery));
      const std::lock_guard lock(mutex_);
      ++(taken ? counts_.waiting : counts_.dropped);
    }
  }

  void deliver_first(Target& target) {
    if (target.queue.empty() || target.due > Clock::now()) return;
    const Delivery& delivery = target.queue.front();
    const auto status =
        send_(target.endpoint.url, sign_webhook(target.endpoint.secret, delivery.id, unix_seconds(), delivery.body),
              delivery.body);
    if (status && *status >= 200 && *status < 300) return finish(target, true);
    const std::uint32_t failures = ++target.failures;
    target.due = Clock::now() + std::chrono::milliseconds(webhook_delay_ms(
                                    settings_, failures, settings_.jitter_seed + base::mix64(++draws_)));
    {
      const std::lock_guard lock(mutex_);
      ++counts_.failed_attempts;
    }
    if (status && *status == kGone) {
      target.gone = true;
      while (!target.queue.empty()) finish(target, false);
    } else if (failures >= settings_.attempts_max) {
      finish(target, false);
    }
  }

  // An event given up leaves `due` as it is: the next one does not hammer an endpoint that is down.
  void finish(Target& target, bool delivered) {
    if (journal_) journal_->remove(target.queue.front());
    target.queue.pop_front();
    target.failures = 0;
    if (delivered) target.due = Clock::now();
    const std::lock_guard lock(mutex_);
    --counts_.waiting;
    ++(delivered ? counts_.delivered : counts_.dropped);
  }

  void shrink_journal() {
    if (!journal_ || journal_->bytes() < rewritten_bytes_ * 2 + kJournalSlackBytes) return;
    std::vector<const Delivery*> live;
    for (const Target& target : targets_) {
      for (const Delivery& delivery : target.queue) live.push_back(&delivery);
    }
    // A disk that is full now may have room later; until then `add` says no.
    if (journal_->rewrite(live)) rewritten_bytes_ = journal_->bytes();
  }

  std::optional<Clock::time_point> next_due() const {
    std::optional<Clock::time_point> next;
    for (const Target& target : targets_) {
      if (!target.queue.empty() && (!next || target.due < *next)) next = target.due;
    }
    return next;
  }

  const WebhookSettings settings_;
  const WebhookSend send_;
  std::uint32_t types_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Event> inbox_;  // these four under mutex_
  WebhookCounts counts_;
  bool stopping_ = false;
  Clock::time_point deadline_;
  std::unique_ptr<WebhookJournal> journal_;  // these four of the thread
  std::vector<Target> targets_;
  std::uint64_t draws_ = 0, rewritten_bytes_ = 0;
  std::thread thread_;
};

WebhookSender::WebhookSender() = default;
WebhookSender::~WebhookSender() {
  if (worker_) worker_->stop(0);
}

base::Result<std::unique_ptr<WebhookSender>> WebhookSender::start(WebhookSettings settings,
                                                                  std::vector<WebhookEndpoint> endpoints,
                                                                  WebhookSend send) {
  STILLWATCH_ASSERT(sodium_init() >= 0);
  std::unique_ptr<WebhookJournal> journal;
  if (!settings.journal_path.empty()) {
    STILLWATCH_TRY(opened, WebhookJournal::open(settings.journal_path, settings.journal_bytes_max));
    journal = std::move(opened);
  }
  std::unique_ptr<WebhookSender> sender(new WebhookSender);
  sender->worker_ =
      std::make_unique<Worker>(std::move(settings), std::move(endpoints), std::move(send), std::move(journal));
  return sender;
}

bool WebhookSender::push(WebhookType type, std::int64_t time_us, std::string_view data) {
  return worker_->push(type, time_us, data);
}
void WebhookSender::stop(std::int64_t wait_ms) { worker_->stop(wait_ms); }
WebhookCounts WebhookSender::counts() const { return worker_->counts(); }

}  // namespace stillwatch::gateway
