// One connected socket, plain or TLS, as seen by a coroutine: read, write, deadline, cancel, watch.
//
// Invariant: at most one read and one write wait at a time; after cancel() everything fails at once with
// Io::cancelled. A write tries the socket first and waits only when it is full.
// Threads: its io_context's. Cost: a write is one system call, a read that waits is two; no timer an operation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/address.h"
#include "http/loop.h"
#include "http/tls.h"

namespace stillwatch::http {

enum class Io : std::uint8_t {
  ok,
  end,        // the peer has closed its side
  timed_out,  // the deadline passed
  cancelled,
  broken,      // reset, or a TLS error
  hibernated,  // nothing came for a while: release the buffer, then wait_readable()
};

struct IoRead {
  Io io = Io::ok;
  std::size_t count = 0;
};

class Transport final : public Ticking {
 public:
  explicit Transport(boost::asio::io_context& io);
  ~Transport();

  /// Takes over a connected, non-blocking socket.
  bool adopt(int socket, bool tcp);
  Task<Io> connect(SocketAddress address);
  Task<Io> handshake(TlsContext context, bool server, std::string name, bool verify);
  TlsSession* tls() const { return tls_.get(); }

  Task<IoRead> read_some(char* into, std::size_t size, bool may_hibernate);
  Task<Io> wait_readable();
  /// Writes all of `first`, then `second`, then `third`.
  Task<Io> write(std::string_view first, std::string_view second = {}, std::string_view third = {});

  /// monotonic_ms() at which waits end with timed_out; 0: never.
  void set_deadline(std::int64_t at_ms) { deadline_ms_ = at_ms; }
  void cancel();
  bool cancelled() const { return cancelled_; }
  /// No more will be sent (TLS good-bye, then FIN).
  void shut_send();
  void close();
  /// Back to a socket that is not open, for the next address.
  void close_for_retry();
  /// Looks, without waiting, whether the peer has closed or sent something unasked.
  bool quiet();

  /// From the next tick but one on, calls `gone` once when the peer closes. unwatch() before the next read.
  void watch(std::function<void()> gone);
  void unwatch();

  void on_tick(std::int64_t now_ms) override;
  void on_stop() override { cancel(); }

 private:
  struct Socket;
  enum class Need : std::uint8_t { read, write };
  Task<Io> wait_for(Need need);
  Io reason(bool failed);
  void arm_watch();
  void watch_fired(bool failed);

  std::unique_ptr<Socket> socket_;
  std::unique_ptr<TlsSession> tls_;
  std::function<void()> gone_;
  std::shared_ptr<Transport*> self_;  // null in the callbacks of a watch that outlives this object
  std::int64_t deadline_ms_ = 0;
  std::uint64_t wait_tick_ = 0, watch_tick_ = 0;
  int waits_ = 0;
  bool reading_ = false, may_hibernate_ = false, cancelled_ = false, watch_armed_ = false, send_shut_ = false;
  Io why_ = Io::ok;
};

}  // namespace stillwatch::http
