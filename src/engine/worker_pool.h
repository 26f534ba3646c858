// A fixed set of threads that run one function together and wait for each other.
//
// Invariant: run() returns when every worker has finished. With one worker everything happens on the caller's thread.
// Threads: run() from one thread. Cost: two wake-ups a run.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace stillwatch::engine {

class WorkerPool {
 public:
  explicit WorkerPool(unsigned workers);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  unsigned size() const { return static_cast<unsigned>(threads_.size()) + 1; }
  /// Calls work(i) for i in [0, size()), each on its own thread, the last on the caller's.
  void run(const std::function<void(unsigned)>& work);

 private:
  void serve(unsigned index);

  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(unsigned)>* work_ = nullptr;
  std::uint64_t round_ = 0;
  unsigned running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace stillwatch::engine
