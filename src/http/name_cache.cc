#include "http/name_cache.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "http/loop.h"

namespace stillwatch::http {
namespace {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

constexpr std::int64_t kWaitMsMax = 3'600'000;  // longer than any timeout, and no overflow in a timer's nanoseconds

/// A find() that waits for a look-up. Its own thread's: others reach it by its loop's door.
class Waiter final : public Ticking {
 public:
  explicit Waiter(Loop& loop) : Ticking(loop), timer(loop.io()) {}
  void on_tick(std::int64_t) override {}
  void on_stop() override { timer.cancel(); }

  SteadyTimer timer;
};

std::vector<SocketAddress> ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  std::vector<SocketAddress> out;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &first) != 0) return out;
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
    SocketAddress address;
    if (one->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    out.push_back(address);
  }
  ::freeaddrinfo(first);
  return out;
}

void set_port(SocketAddress& address, std::uint16_t port) {
  if (address.storage.ss_family == AF_INET)
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  else if (address.storage.ss_family == AF_INET6)
    reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
}

/// A thread of which nobody hears again but through what it does; signals are others' business. False: none to be had.
template <class F>
bool start_detached(F run) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  try {
    std::thread(std::move(run)).detach();
  } catch (const std::system_error&) {
    started = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace

struct NameCache::State : std::enable_shared_from_this<NameCache::State> {
  explicit State(Options given) : options(std::move(given)) {
    if (!options.look_up) options.look_up = ask_system;
  }

  struct Waiting {
    std::shared_ptr<Door> door;
    std::weak_ptr<Waiter> waiter;
  };
  struct Name {
    std::vector<SocketAddress> addresses;
    std::uint64_t version = 0;           // of the addresses
    std::int64_t found_ms = INT64_MIN;   // they were found
    std::int64_t failed_ms = INT64_MIN;  // the last look-up, if it did
    bool is_asked = false;               // a look-up runs, or waits for a thread
    std::map<const Waiter*, Waiting> waiting;
  };
  using WaiterRef = std::shared_ptr<Waiter>;

  Options options;  // not changed
  mutable std::mutex mutex;
  // Under the mutex.
  std::map<std::string, Name> names;
  std::deque<std::string> queue;
  Counters counts;

  std::int64_t look(const std::string& host, std::int64_t until_ms, std::uint64_t newer_than, const WaiterRef& waiter,
                    Found& found);
  void end_wait(const std::string& host, std::uint64_t newer_than, const WaiterRef& waiter, Found& found);
  void give(const Name& name, std::int64_t now_ms, Found& found);
  Name& name_of(const std::string& host);
  void ask(const std::string& host, Name& name, std::int64_t now_ms);
  void start_next();
  void take(const std::string& host, std::vector<SocketAddress> addresses);
};

/// Gives what can be said now; or has the waiter woken when there is more, and says for how long to wait for it.
std::int64_t NameCache::State::look(const std::string& host, std::int64_t until_ms, std::uint64_t newer_than,
                                    const WaiterRef& waiter, Found& found) {
  const std::lock_guard lock(mutex);
  const std::int64_t now_ms = monotonic_ms();
  Name& name = name_of(host);
  const bool is_known = !name.addresses.empty() && name.version > newer_than;
  const std::int64_t age_ms = is_known ? now_ms - name.found_ms : INT64_MAX;
  if (age_ms > options.fresh_ms) ask(host, name, now_ms);
  // Between two attempts there is nothing to wait for.
  if (age_ms <= options.fresh_ms || age_ms <= (name.is_asked ? options.quiet_ms : options.stale_ms)) {
    give(name, now_ms, found);
    return 0;
  }
  if (!name.is_asked) return 0;
  if (until_ms <= now_ms) {
    found.is_late = true;
    ++counts.late;
    return 0;
  }
  name.waiting.emplace(waiter.get(), Waiting{waiter->loop().door(), waiter});
  const std::int64_t left_ms = std::min(until_ms - now_ms, kWaitMsMax);
  return age_ms <= options.stale_ms ? std::max<std::int64_t>(1, std::min(left_ms / 2, options.stale_wait_ms)) : left_ms;
}

/// It was woken, or has waited for long enough: then what is old is better than nothing.
void NameCache::State::end_wait(const std::string& host, std::uint64_t newer_than, const WaiterRef& waiter,
                                Found& found) {
  const std::lock_guard lock(mutex);
  const std::int64_t now_ms = monotonic_ms();
  Name& name = name_of(host);
  found.is_late = name.waiting.erase(waiter.get()) > 0;
  counts.late += found.is_late ? 1 : 0;
  const bool is_known = !name.addresses.empty() && name.version > newer_than;
  if (is_known && now_ms - name.found_ms <= options.stale_ms) give(name, now_ms, found);
}

void NameCache::State::give(const Name& name, std::int64_t now_ms, Found& found) {
  const std::int64_t age_ms = now_ms - name.found_ms;
  found.addresses = name.addresses;
  found.version = name.version;
  found.is_fresh = age_ms <= options.fresh_ms;
  counts.stale += age_ms > std::max(options.fresh_ms, options.quiet_ms) ? 1 : 0;
}

NameCache::State::Name& NameCache::State::name_of(const std::string& host) {
  const auto known = names.find(host);
  if (known != names.end()) return known->second;
  for (auto one = names.begin(); one != names.end() && names.size() >= kNamesMax;)
    one = one->second.is_asked ? std::next(one) : names.erase(one);
  return names[host];
}

void NameCache::State::ask(const std::string& host, Name& name, std::int64_t now_ms) {
  if (name.is_asked || (name.failed_ms != INT64_MIN && now_ms - name.failed_ms < options.again_ms)) return;
  name.is_asked = true;
  queue.push_back(host);
  start_next();
}

void NameCache::State::start_next() {
  while (!queue.empty() && counts.running < kLookUpsMax) {
    const std::string host = std::move(queue.front());
    queue.pop_front();
    ++counts.running;
    ++counts.look_ups;
    const bool is_started = start_detached([self = shared_from_this(), host] {
      std::vector<SocketAddress> addresses = self->options.look_up(host);
      const std::lock_guard lock(self->mutex);
      self->take(host, std::move(addresses));
      self->start_next();
    });
    if (!is_started) take(host, {});
  }
}

void NameCache::State::take(const std::string& host, std::vector<SocketAddress> addresses) {
  Name& name = names[host];
  const std::int64_t now_ms = monotonic_ms();
  --counts.running;
  counts.failures += addresses.empty() ? 1 : 0;
  name.is_asked = false;
  name.failed_ms = addresses.empty() ? now_ms : INT64_MIN;
  if (!addresses.empty()) {
    name.addresses = std::move(addresses);
    name.found_ms = now_ms;
    ++name.version;
  }
  for (const auto& [unused, waiting] : std::exchange(name.waiting, {})) {
    waiting.door->post([waiter = waiting.waiter] {
      if (const WaiterRef held = waiter.lock()) held->timer.cancel();
    });
  }
}

NameCache::NameCache() : NameCache(Options{}) {}
NameCache::NameCache(Options options) : state_(std::make_shared<State>(std::move(options))) {}
NameCache::~NameCache() = default;

NameCache& NameCache::of_process() {
  static NameCache cache;
  return cache;
}

Task<NameCache::Found> NameCache::find(asio::io_context& io, Address address, std::int64_t until_ms,
                                       std::uint64_t newer_than) {
  Found found;
  SocketAddress numeric;
  if (numeric_address(address, numeric)) {
    found.addresses.push_back(numeric);
    found.is_fresh = true;
    co_return found;
  }
  Loop& loop = Loop::of(io);
  if (address.unix_socket || loop.stopping()) co_return found;
  const std::shared_ptr<State> state = state_;
  const auto waiter = std::make_shared<Waiter>(loop);
  const std::int64_t wait_ms = state->look(address.host, until_ms, newer_than, waiter, found);
  if (wait_ms > 0) {
    waiter->timer.expires_after(std::chrono::milliseconds(wait_ms));
    co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable_t<Executor>()));
    state->end_wait(address.host, newer_than, waiter, found);
  }
  for (SocketAddress& one : found.addresses) set_port(one, address.port);
  co_return found;
}

NameCache::Counters NameCache::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace stillwatch::http
