// A fixed crew of threads that works through numbered tasks, again and again.
//
// Invariant: run() returns when every task is done; tasks are dealt dynamically, so results must not depend on
// who did them. Threads: run() from one thread. Cost: two wake-ups a run.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace stillwatch::sim {

class Crew {
 public:
  explicit Crew(std::size_t threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  std::size_t size() const { return threads_.size() + 1; }
  /// work(task, worker) for each task in [0, tasks); worker < size(). The caller works too.
  void run(std::size_t tasks, const std::function<void(std::size_t, std::size_t)>& work);

 private:
  void work_on(std::size_t worker);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(std::size_t, std::size_t)>* work_ = nullptr;
  std::size_t tasks_ = 0, busy_ = 0;
  std::uint64_t round_ = 0;
  std::atomic<std::size_t> next_{0};
  bool stop_ = false;
};

}  // namespace stillwatch::sim
