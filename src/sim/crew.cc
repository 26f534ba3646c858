#include "sim/crew.h"

namespace stillwatch::sim {

Crew::Crew(std::size_t threads) {
  for (std::size_t worker = 1; worker < threads; ++worker) {
    threads_.emplace_back([this, worker] {
      std::uint64_t seen = 0;
      std::unique_lock lock(mutex_);
      for (;;) {
        wake_.wait(lock, [&] { return stop_ || round_ != seen; });
        if (stop_) return;
        seen = round_;
        lock.unlock();
        work_on(worker);
        lock.lock();
        if (--busy_ == 0) done_.notify_one();
      }
    });
  }
}

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Crew::work_on(std::size_t worker) {
  for (;;) {
    const std::size_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    (*work_)(task, worker);
  }
}

void Crew::run(std::size_t tasks, const std::function<void(std::size_t, std::size_t)>& work) {
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    busy_ = threads_.size();
    ++round_;
  }
  wake_.notify_all();
  work_on(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return busy_ == 0; });
}

}  // namespace stillwatch::sim
