// A listening socket on one network thread: accepts, backs off when the system runs out of descriptors.
//
// Invariant: a failed accept never ends the listener. Threads: its io_context's.
// Cost: one system call a connection. SO_REUSEPORT spreads TCP connections over the threads; a unix socket is shared.
#pragma once

#include <functional>
#include <memory>

#include "http/address.h"
#include "http/loop.h"

namespace stillwatch::http {

/// A bound, listening, non-blocking socket. `reuse_port`: others will be bound to the same port.
base::Result<int> listen_on(const Address& address, bool reuse_port);
std::uint16_t bound_port(int socket);

class Listener : public std::enable_shared_from_this<Listener>, private Ticking {
 public:
  /// Takes the socket. `accepted` gets each new non-blocking descriptor and the peer's address, `failed` each failure.
  Listener(boost::asio::io_context& io, int socket, std::function<void(int, const SocketAddress&)> accepted,
           std::function<void()> failed);
  virtual ~Listener();
  void start();
  /// Accepts what is already in the queue, then closes.
  void close();

 private:
  void on_tick(std::int64_t now_ms) override;
  void on_stop() override { close(); }
  void wait();
  void accept_all();

  struct Socket;
  std::unique_ptr<Socket> socket_;
  std::function<void(int, const SocketAddress&)> accepted_;
  std::function<void()> failed_;
  bool waiting_ = false, closed_ = false;
};

}  // namespace stillwatch::http
