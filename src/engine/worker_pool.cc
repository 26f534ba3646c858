#include "engine/worker_pool.h"

namespace stillwatch::engine {

WorkerPool::WorkerPool(unsigned workers) {
  for (unsigned i = 0; i + 1 < workers; ++i) threads_.emplace_back([this, i] { serve(i); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::run(const std::function<void(unsigned)>& work) {
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    running_ = static_cast<unsigned>(threads_.size());
    ++round_;
  }
  start_.notify_all();
  work(static_cast<unsigned>(threads_.size()));
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return running_ == 0; });
}

void WorkerPool::serve(unsigned index) {
  std::uint64_t served = 0;
  for (;;) {
    const std::function<void(unsigned)>* work;
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stopping_ || round_ != served; });
      if (stopping_) return;
      served = round_;
      work = work_;
    }
    (*work)(index);
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) done_.notify_one();
  }
}

}  // namespace stillwatch::engine
