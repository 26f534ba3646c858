// For tests: a raw client socket, a raw upstream that plays a script, and servers on a free port.
//
// Invariant: every wait of a test ends by itself: reads give up after 20 s and then fail the test.
// Threads: each object one; a Scripted upstream has a thread of its own. Cost: blocking sockets, for tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http/client.h"
#include "http/server.h"

namespace stillwatch::http {

/// Waits until the condition holds; false after 20 s.
template <class F>
bool eventually(F&& condition) {
  for (int i = 0; i < 10'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

/// A blocking socket that a test owns.
class RawSocket {
 public:
  explicit RawSocket(int socket) : socket_(socket) {
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  static RawSocket to(std::uint16_t port) {
    RawSocket out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!out.connect_to(port)) out.close();
    return out;
  }
  RawSocket(RawSocket&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), buffered_(std::move(other.buffered_)) {}
  ~RawSocket() { close(); }

  bool connect_to(std::uint16_t port) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0;
  }
  bool open() const { return socket_ >= 0; }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  /// Closes with a reset.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void shut_send() { ::shutdown(socket_, SHUT_WR); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Some bytes; empty when the peer closed, reset, or said nothing for 20 s.
  std::string receive() {
    if (!buffered_.empty()) return std::exchange(buffered_, {});
    char block[16'384];
    const ssize_t got = ::recv(socket_, block, sizeof block, 0);
    return {block, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  /// Everything up to and with `mark`; what follows stays for the next call. Without it: all there was.
  std::string until(std::string_view mark) {
    std::string seen;
    for (;;) {
      const std::string piece = receive();
      seen += piece;
      const std::size_t at = seen.find(mark);
      if (at != std::string::npos) {
        buffered_ = seen.substr(at + mark.size());
        return seen.substr(0, at + mark.size());
      }
      if (piece.empty()) return seen;
    }
  }
  std::string until_closed() {
    std::string seen;
    for (std::string piece = receive(); !piece.empty(); piece = receive()) seen += piece;
    return seen;
  }

 private:
  int socket_;
  std::string buffered_;
};

/// Listens on a free port and gives each connection to the script, one after the other.
class Scripted {
 public:
  using Script = std::function<void(RawSocket& connection, int number)>;
  explicit Scripted(Script script) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where);
    ::listen(socket_, 64);
    socklen_t size = sizeof where;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
    thread_ = std::thread([this, run = std::move(script)] {
      for (int number = 0;; ++number) {
        const int accepted = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) return;
        RawSocket connection(accepted);
        run(connection, number);
      }
    });
  }
  ~Scripted() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

inline ServerOptions loopback_options() {
  ServerOptions options;
  options.listen.push_back({"127.0.0.1:0", false});
  return options;
}

inline std::unique_ptr<Server> serve(ServerOptions options, Handler handler) {
  auto server = Server::start(std::move(options), [&](unsigned, boost::asio::io_context&) { return handler; });
  return server ? std::move(*server) : nullptr;
}

/// Answers with "METHOD target\n" and the body, whole.
inline Task<void> echo(Exchange& exchange) {
  const std::string line = exchange.head().method + " " + exchange.head().target + "\n";
  const base::Result<std::string> body = co_await exchange.read_all(64U << 20);
  if (!body) co_return;
  co_await exchange.respond({}, line + *body);
}

}  // namespace stillwatch::http
