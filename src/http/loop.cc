#include "http/loop.h"

#include <ctime>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "base/assert.h"

namespace stillwatch::http {
namespace {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// One Loop for each io_context, made when first asked for.
class LoopService : public asio::execution_context::service {
 public:
  using key_type = LoopService;
  static asio::execution_context::id id;
  explicit LoopService(asio::execution_context& context)
      : service(context), loop(static_cast<asio::io_context&>(context)) {}
  Loop loop;

 private:
  void shutdown() override { loop.shut(); }
};
asio::execution_context::id LoopService::id;

/// A sleeping coroutine: woken early when the loop stops.
class Sleeper : public Ticking {
 public:
  Sleeper(Loop& loop, std::int64_t ms) : Ticking(loop), timer(loop.io(), std::chrono::milliseconds(ms)) {}
  void on_tick(std::int64_t) override {}
  void on_stop() override { timer.cancel(); }
  SteadyTimer timer;
};

}  // namespace

struct Loop::Timer {
  explicit Timer(asio::io_context& io) : timer(io) {}
  SteadyTimer timer;
};

void Door::post(std::function<void()> function) {
  const std::lock_guard lock(mutex_);
  if (io_ != nullptr) http::post(*io_, std::move(function));
}

void Door::shut() {
  const std::lock_guard lock(mutex_);
  io_ = nullptr;
}

Ticking::Ticking(Loop& loop) : loop_(loop), next_(loop.first_) {
  if (next_ != nullptr) next_->previous_ = this;
  loop.first_ = this;
  loop.arm();
}

Ticking::~Ticking() {
  (previous_ != nullptr ? previous_->next_ : loop_.first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

Loop& Loop::of(asio::io_context& io) { return asio::use_service<LoopService>(io).loop; }

Loop::Loop(asio::io_context& io) : io_(io), door_(std::make_shared<Door>(io)), timer_(std::make_unique<Timer>(io)) {}
Loop::~Loop() = default;

void Loop::arm() {
  if (armed_ || stopping_ || shut_) return;
  armed_ = true;
  timer_->timer.expires_after(std::chrono::milliseconds(kTickMs));
  timer_->timer.async_wait([this](const boost::system::error_code&) {
    armed_ = false;
    tick();
  });
}

void Loop::tick() {
  if (shut_) return;
  ++ticks_;
  const std::int64_t now_ms = monotonic_ms();
  for (Ticking* one = first_; one != nullptr; one = one->next_) one->on_tick(now_ms);
  if (first_ != nullptr) arm();
}

void Loop::stop() {
  stopping_ = true;
  for (Ticking* one = first_; one != nullptr; one = one->next_) one->on_stop();
  timer_->timer.cancel();
}

void Loop::shut() {
  shut_ = true;
  door_->shut();
  timer_.reset();
}

Block Loop::take_block() {
  if (spare_.empty()) return Block(new char[kBlockBytes]);
  Block block = std::move(spare_.back());
  spare_.pop_back();
  return block;
}

void Loop::give_block(Block block) {
  if (spare_.size() < kSpareBlocksMax) spare_.push_back(std::move(block));
}

void spawn(asio::io_context& io, Task<void> task) {
  asio::co_spawn(io.get_executor(), std::move(task),
                 [](const std::exception_ptr& thrown) { STILLWATCH_ASSERT(thrown == nullptr); });
}

void post(asio::io_context& io, std::function<void()> function) { asio::post(io.get_executor(), std::move(function)); }

Task<bool> sleep_ms(asio::io_context& io, std::int64_t ms) {
  Loop& loop = Loop::of(io);
  if (loop.stopping()) co_return false;
  Sleeper sleeper(loop, ms);
  co_await sleeper.timer.async_wait(asio::as_tuple(asio::use_awaitable_t<Executor>()));
  co_return !loop.stopping();
}

std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000 + now.tv_nsec / 1'000'000;
}

}  // namespace stillwatch::http
