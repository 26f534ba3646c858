// One thread that does one thing after the other, for work that must not be done where it is asked for.
//
// Invariant: what was taken is done, in order, unless stop() comes before its turn. Threads: add() from any.
// Cost: a thread that sleeps. Bounds: kWaitingMax.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace stillwatch::gateway {

class TurnQueue {
 public:
  static constexpr std::size_t kWaitingMax = 256;  // orders of people

  TurnQueue() : thread_([this] { run(); }) {}
  ~TurnQueue() { stop(); }
  TurnQueue(const TurnQueue&) = delete;
  TurnQueue& operator=(const TurnQueue&) = delete;

  /// False when too much waits, or it has been stopped.
  bool add(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (is_stopping_ || waiting_.size() >= kWaitingMax) return false;
    waiting_.push_back(std::move(work));
    wake_.notify_one();
    return true;
  }
  /// True at once when it is being stopped.
  template <class Duration>
  bool sleep(Duration time) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, time, [this] { return is_stopping_; });
  }
  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return is_stopping_;
  }
  /// Nothing more is begun.
  void begin_stop() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    wake_.notify_all();
  }
  /// Waits for the present piece of work, too.
  void stop() {
    begin_stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    for (;;) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) return;
        work = std::move(waiting_.front());
        waiting_.pop_front();
      }
      work();
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace stillwatch::gateway
