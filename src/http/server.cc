#include "http/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "http/connection.h"
#include "http/listener.h"

namespace stillwatch::http {
namespace {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
constexpr std::int64_t kUnwindMs = 10'000;  // coroutines have so long to notice that the server stops. More: leaked
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

Task<void> run_connection(ServerThread& thread, int socket, Peer peer, TlsContext tls) {
  const bool tcp = !peer.unix_socket;
  Connection connection(thread, std::move(peer), std::move(tls));
  if (!connection.wire().transport().adopt(socket, tcp)) {
    ::close(socket);
    co_return;
  }
  co_await connection.run();
}

}  // namespace

struct Server::State {
  ServerOptions options;
  ServerCounters counters;
  std::vector<std::unique_ptr<ServerThread>> threads;
  std::vector<std::vector<std::shared_ptr<Listener>>> listeners;  // a thread each
  std::vector<std::unique_ptr<asio::executor_work_guard<Executor>>> guards;
  std::vector<std::thread> running;
  std::vector<std::uint16_t> ports;
  std::vector<std::string> unix_paths;
  std::mutex tls_mutex;
  TlsContext tls;
  std::mutex ended_mutex;
  std::condition_variable ended_changed;
  std::size_t ended = 0;
  bool stopped = false;

  TlsContext current_tls() {
    const std::lock_guard lock(tls_mutex);
    return tls;
  }
  base::Status listen(std::size_t index);
  void accept(ServerThread& thread, bool use_tls, int socket, const SocketAddress& address);
  void close_listeners(std::size_t thread);
};

void Server::State::accept(ServerThread& thread, bool use_tls, int socket, const SocketAddress& address) {
  counters.connections_accepted.fetch_add(1, std::memory_order_relaxed);
  if (counters.connections_open.fetch_add(1, std::memory_order_relaxed) >= options.limits.connections_max) {
    counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
    counters.connections_refused.fetch_add(1, std::memory_order_relaxed);
    if (!use_tls) [[maybe_unused]]
      const auto told = ::send(socket, kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::close(socket);
    return;
  }
  Peer peer;
  peer.address = address_text(address, peer.port);
  peer.unix_socket = address.storage.ss_family != AF_INET && address.storage.ss_family != AF_INET6;
  peer.tls = use_tls;
  spawn(thread.io, run_connection(thread, socket, std::move(peer), use_tls ? current_tls() : TlsContext()));
}

/// One socket a thread for TCP; one for all threads for a unix socket, each with a descriptor of its own.
base::Status Server::State::listen(std::size_t index) {
  const ListenAddress& wanted = options.listen[index];
  STILLWATCH_TRY(address, parse_address(wanted.address));
  int shared = -1;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    int socket = -1;
    if (address.unix_socket && shared >= 0) {
      socket = ::fcntl(shared, F_DUPFD_CLOEXEC, 0);
    } else {
      STILLWATCH_TRY(bound, listen_on(address, threads.size() > 1));
      socket = bound;
    }
    shared = socket;
    if (!address.unix_socket && address.port == 0) address.port = bound_port(socket);
    ServerThread& thread = *threads[i];
    listeners[i].push_back(std::make_shared<Listener>(
        thread.io, socket,
        [this, &thread, use_tls = wanted.tls](int accepted, const SocketAddress& peer) {
          accept(thread, use_tls, accepted, peer);
        },
        [this] { counters.accept_failures.fetch_add(1, std::memory_order_relaxed); }));
  }
  if (address.unix_socket) unix_paths.push_back(address.host);
  ports.push_back(address.port);
  return {};
}

void Server::State::close_listeners(std::size_t thread) {
  for (const auto& listener : listeners[thread]) listener->close();
  listeners[thread].clear();
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

base::Result<std::unique_ptr<Server>> Server::start(ServerOptions options, const HandlerFactory& factory) {
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  const bool any_tls = std::any_of(state->options.listen.begin(), state->options.listen.end(),
                                   [](const ListenAddress& one) { return one.tls; });
  if (any_tls) {
    STILLWATCH_TRY(context, server_context(state->options.tls));
    state->tls = std::move(context);
  }
  const unsigned count = std::max(1U, state->options.threads);
  state->listeners.resize(count);
  for (unsigned i = 0; i < count; ++i) {
    state->threads.push_back(std::make_unique<ServerThread>(state->options, state->counters));
    ServerThread& thread = *state->threads.back();
    state->guards.push_back(std::make_unique<asio::executor_work_guard<Executor>>(thread.io.get_executor()));
  }
  for (std::size_t i = 0; i < state->options.listen.size(); ++i) {
    base::Status listening = state->listen(i);
    if (listening) continue;
    for (auto& listeners : state->listeners) listeners.clear();
    return base::fail(std::move(listening).error());
  }
  for (unsigned i = 0; i < count; ++i) state->threads[i]->handler = factory(i, state->threads[i]->io);
  State* raw = state.get();
  for (unsigned i = 0; i < count; ++i) {
    for (const auto& listener : raw->listeners[i]) listener->start();
    raw->running.emplace_back([raw, i] {
      raw->threads[i]->io.run();
      const std::lock_guard lock(raw->ended_mutex);
      ++raw->ended;
      raw->ended_changed.notify_all();
    });
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::~Server() { stop(); }

unsigned Server::threads() const { return static_cast<unsigned>(state_->threads.size()); }
asio::io_context& Server::io_context(unsigned thread) { return state_->threads[thread]->io; }
std::uint16_t Server::port(std::size_t listen_index) const { return state_->ports[listen_index]; }
const ServerCounters& Server::counters() const { return state_->counters; }

base::Status Server::reload_tls() {
  if (!state_->current_tls()) return {};
  STILLWATCH_TRY(context, server_context(state_->options.tls));
  const std::lock_guard lock(state_->tls_mutex);
  state_->tls = std::move(context);
  return {};
}

std::uint64_t Server::drain(std::int64_t deadline_ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
  std::atomic<std::size_t> told{0};
  const std::size_t count = state_->stopped ? 0 : state_->threads.size();
  for (std::size_t i = 0; i < count; ++i)
    post(state_->threads[i]->io, [this, i, &told] {
      ServerThread& thread = *state_->threads[i];
      thread.draining = true;
      state_->close_listeners(i);
      for (Connection* one = thread.first; one != nullptr; one = one->next()) one->drain();
      told.fetch_add(1, std::memory_order_release);
    });
  // Network threads never block for long, so all of them do hear it.
  while (told.load(std::memory_order_acquire) < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  while (state_->counters.connections_open.load() > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return state_->counters.connections_open.load();
}

void Server::stop() {
  if (!state_ || std::exchange(state_->stopped, true)) return;
  const std::size_t count = state_->running.size();
  for (std::size_t i = 0; i < count; ++i)
    post(state_->threads[i]->io, [this, i] {
      state_->close_listeners(i);
      Loop::of(state_->threads[i]->io).stop();
    });
  for (auto& guard : state_->guards) guard.reset();
  bool all = false;
  {
    std::unique_lock lock(state_->ended_mutex);
    all = state_->ended_changed.wait_for(lock, std::chrono::milliseconds(kUnwindMs),
                                         [&] { return state_->ended == count; });
  }
  for (auto& thread : state_->threads) thread->io.stop();
  for (auto& thread : state_->running) thread.join();
  for (const std::string& path : state_->unix_paths) ::unlink(path.c_str());
  // A coroutine that did not unwind still points into its handler and thread: better a leak at the end than that.
  if (!all)
    for (auto& thread : state_->threads) [[maybe_unused]] const ServerThread* leaked = thread.release();
  if (all)
    for (auto& thread : state_->threads) thread->handler = nullptr;
}

}  // namespace stillwatch::http
