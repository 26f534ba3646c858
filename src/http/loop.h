// What one io_context's thread shares: the coarse tick behind all timeouts, spare buffers, and the word to stop.
//
// Invariant: every Ticking object is in exactly one loop's list from its constructor to its destructor; on_tick() and
// on_stop() never destroy their own object, they cancel what it waits for.
// Threads: the io_context's own; find it with Loop::of. Cost: a tick visits every connection 5 times a
// second, in place of a timer for every operation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "http/task.h"

namespace stillwatch::http {

inline constexpr std::int64_t kTickMs = 200;           // timeouts are late by so much at most
inline constexpr std::size_t kBlockBytes = 16U << 10;  // smaller blocks double the system calls of a stream
inline constexpr std::size_t kSpareBlocksMax = 64;     // 1 MiB a thread. Further: freed

class Loop;

class Ticking {
 public:
  explicit Ticking(Loop& loop);
  Ticking(const Ticking&) = delete;
  Ticking& operator=(const Ticking&) = delete;
  virtual void on_tick(std::int64_t now_ms) = 0;
  virtual void on_stop() = 0;
  Loop& loop() const { return loop_; }

 protected:
  ~Ticking();

 private:
  friend class Loop;
  Loop& loop_;
  Ticking *previous_ = nullptr, *next_ = nullptr;
};

/// The way into a loop for a thread that may outlive it.
class Door {
 public:
  explicit Door(boost::asio::io_context& io) : io_(&io) {}
  /// Runs the function on the loop's thread, soon; not at all once the io_context is being destroyed.
  void post(std::function<void()> function);
  void shut();

 private:
  std::mutex mutex_;
  boost::asio::io_context* io_;
};

using Block = std::unique_ptr<char[]>;

class Loop {
 public:
  static Loop& of(boost::asio::io_context& io);
  explicit Loop(boost::asio::io_context& io);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::io_context& io() const { return io_; }
  const std::shared_ptr<Door>& door() const { return door_; }
  std::uint64_t ticks() const { return ticks_; }
  bool stopping() const { return stopping_; }
  /// Cancels what everybody waits for, now and from now on. The io_context's run() returns once all have unwound.
  void stop();
  void shut();  // the io_context is being destroyed

  Block take_block();
  void give_block(Block block);

 private:
  friend class Ticking;
  void arm();
  void tick();

  boost::asio::io_context& io_;
  std::shared_ptr<Door> door_;
  struct Timer;
  std::unique_ptr<Timer> timer_;
  Ticking* first_ = nullptr;
  std::vector<Block> spare_;
  std::uint64_t ticks_ = 0;
  bool armed_ = false, stopping_ = false, shut_ = false;
};

}  // namespace stillwatch::http
