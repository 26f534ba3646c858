#include "http/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

namespace stillwatch::http {
namespace {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable_t<Executor>());
constexpr std::uint64_t kHibernateTicks = 2;     // 0.2-0.4 s of silence: most tokens come faster
constexpr std::size_t kRecordBytes = 16U << 10;  // one TLS record

/// What is left of up to three pieces after `done` bytes.
std::size_t rest_of(const std::string_view (&pieces)[3], std::size_t done, iovec (&out)[3]) {
  std::size_t count = 0;
  for (const std::string_view piece : pieces) {
    const std::size_t skip = std::min(done, piece.size());
    done -= skip;
    if (skip == piece.size()) continue;
    out[count++] = {const_cast<char*>(piece.data() + skip), piece.size() - skip};
  }
  return count;
}

}  // namespace

struct Transport::Socket {
  explicit Socket(asio::io_context& io) : socket(io) {}
  asio::basic_stream_socket<asio::generic::stream_protocol, Executor> socket;
};

Transport::Transport(asio::io_context& io) : Ticking(Loop::of(io)), socket_(std::make_unique<Socket>(io)) {
  cancelled_ = loop().stopping();
}

Transport::~Transport() {
  if (self_) *self_ = nullptr;
}

bool Transport::adopt(int socket, bool tcp) {
  boost::system::error_code code;
  socket_->socket.assign(asio::generic::stream_protocol(tcp ? AF_INET : AF_UNIX, 0), socket, code);
  if (code) return false;
  const int on = 1;
  if (tcp) ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  socket_->socket.native_non_blocking(true, code);
  return !code;
}

Io Transport::reason(bool failed) {
  if (!failed) return Io::ok;
  if (cancelled_) return Io::cancelled;
  return why_ == Io::ok ? Io::broken : why_;
}

Task<Io> Transport::connect(SocketAddress address) {
  if (cancelled_) co_return Io::cancelled;
  boost::system::error_code code;
  asio::generic::stream_protocol::endpoint endpoint(address.data(), address.size);
  socket_->socket.open(endpoint.protocol(), code);
  if (code) co_return Io::broken;
  why_ = Io::ok;
  ++waits_;
  const auto [failed] = co_await socket_->socket.async_connect(endpoint, kAwait);
  --waits_;
  if (failed) co_return reason(true);
  const int on = 1;
  if (address.storage.ss_family != AF_UNIX)
    ::setsockopt(socket_->socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  socket_->socket.native_non_blocking(true, code);
  co_return code ? Io::broken : Io::ok;
}

Task<Io> Transport::wait_for(Need need) {
  if (cancelled_) co_return Io::cancelled;
  why_ = Io::ok;
  ++waits_;
  const auto kind = need == Need::read ? asio::socket_base::wait_read : asio::socket_base::wait_write;
  const auto [failed] = co_await socket_->socket.async_wait(kind, kAwait);
  --waits_;
  co_return reason(static_cast<bool>(failed));
}

Task<Io> Transport::wait_readable() { return wait_for(Need::read); }

Task<Io> Transport::handshake(TlsContext context, bool server, std::string name, bool verify) {
  if (cancelled_) co_return Io::cancelled;
  tls_ = std::make_unique<TlsSession>(context, socket_->socket.native_handle(), server, name, verify);
  for (;;) {
    const TlsIo step = tls_->handshake();
    if (step == TlsIo::ok) co_return Io::ok;
    if (step != TlsIo::want_read && step != TlsIo::want_write) co_return Io::broken;
    const Io io = co_await wait_for(step == TlsIo::want_read ? Need::read : Need::write);
    if (io != Io::ok) co_return io;
  }
}

Task<IoRead> Transport::read_some(char* into, std::size_t size, bool may_hibernate) {
  if (cancelled_) co_return IoRead{Io::cancelled, 0};
  std::size_t count = 0;
  if (tls_) {
    for (;;) {
      const TlsIo step = tls_->read(into, size, count);
      if (step == TlsIo::ok) co_return IoRead{Io::ok, count};
      if (step == TlsIo::end) co_return IoRead{Io::end, 0};
      if (step == TlsIo::broken) co_return IoRead{Io::broken, 0};
      reading_ = true;
      may_hibernate_ = may_hibernate;
      wait_tick_ = loop().ticks();
      const Io io = co_await wait_for(step == TlsIo::want_read ? Need::read : Need::write);
      reading_ = false;
      if (io != Io::ok) co_return IoRead{io, 0};
    }
  }
  why_ = Io::ok;
  reading_ = true;
  may_hibernate_ = may_hibernate;
  wait_tick_ = loop().ticks();
  ++waits_;
  const auto [failed, got] = co_await socket_->socket.async_read_some(asio::buffer(into, size), kAwait);
  --waits_;
  reading_ = false;
  if (got > 0) co_return IoRead{Io::ok, got};
  if (failed == asio::error::eof) co_return IoRead{Io::end, 0};
  co_return IoRead{reason(true), 0};
}

Task<Io> Transport::write(std::string_view first, std::string_view second, std::string_view third) {
  const std::string_view pieces[3] = {first, second, third};
  const std::size_t total = first.size() + second.size() + third.size();
  std::size_t done = 0;
  std::string record;
  while (done < total) {
    if (cancelled_) co_return Io::cancelled;
    iovec rest[3];
    const std::size_t count = rest_of(pieces, done, rest);
    bool full = false;
    Need need = Need::write;
    if (tls_) {
      // One record of what is at hand: small pieces leave together.
      const char* from = static_cast<const char*>(rest[0].iov_base);
      std::size_t size = std::min(rest[0].iov_len, kRecordBytes);
      if (count > 1 && size < kRecordBytes) {
        record.clear();
        for (std::size_t i = 0; i < count; ++i)
          record.append(static_cast<const char*>(rest[i].iov_base),
                        std::min(rest[i].iov_len, kRecordBytes - record.size()));
        from = record.data();
        size = record.size();
      }
      std::size_t sent = 0;
      const TlsIo step = tls_->write(from, size, sent);
      if (step == TlsIo::broken || step == TlsIo::end) co_return Io::broken;
      full = step != TlsIo::ok;
      if (step == TlsIo::want_read) need = Need::read;
      done += sent;
    } else {
      msghdr message{};
      message.msg_iov = rest;
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(socket_->socket.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) co_return Io::broken;
      full = sent < 0;
      if (sent > 0) done += static_cast<std::size_t>(sent);
    }
    if (!full) continue;
    const Io io = co_await wait_for(need);
    if (io != Io::ok && io != Io::hibernated) co_return io;  // hibernated: a read beside this write was
  }
  co_return Io::ok;
}

void Transport::cancel() {
  cancelled_ = true;
  boost::system::error_code code;
  if (waits_ > 0 || watch_armed_) socket_->socket.cancel(code);
}

void Transport::shut_send() {
  if (send_shut_ || !socket_->socket.is_open()) return;
  send_shut_ = true;
  if (tls_) tls_->close_notify();
  ::shutdown(socket_->socket.native_handle(), SHUT_WR);
}

void Transport::close() {
  if (!send_shut_ && tls_) tls_->close_notify();
  send_shut_ = true;
  boost::system::error_code code;
  socket_->socket.close(code);
  cancelled_ = true;
}

void Transport::close_for_retry() {
  boost::system::error_code code;
  socket_->socket.close(code);
}

bool Transport::quiet() {
  char byte = 0;
  const ssize_t got = ::recv(socket_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
    return got > 0 && tls_ && tls_->peek() == TlsIo::want_read;  // a session ticket, say
  return true;
}

void Transport::watch(std::function<void()> gone) {
  gone_ = std::move(gone);
  watch_tick_ = loop().ticks();
}

void Transport::unwatch() {
  gone_ = nullptr;
  boost::system::error_code code;
  if (watch_armed_) socket_->socket.cancel(code);
  if (self_) *self_ = nullptr;
  self_.reset();
  watch_armed_ = false;
}

void Transport::arm_watch() {
  if (!self_) self_ = std::make_shared<Transport*>(this);
  watch_armed_ = true;
  socket_->socket.async_wait(asio::socket_base::wait_read, [self = self_](const boost::system::error_code& failed) {
    if (*self != nullptr) (*self)->watch_fired(static_cast<bool>(failed));
  });
}

void Transport::watch_fired(bool failed) {
  watch_armed_ = false;
  if (failed || !gone_) return;  // cancelled together with another wait: the next tick arms it again
  bool gone = false;
  if (tls_) {
    const TlsIo step = tls_->peek();
    if (step == TlsIo::want_read || step == TlsIo::want_write) return arm_watch();
    gone = step != TlsIo::ok;
  } else {
    char byte = 0;
    const ssize_t got = ::recv(socket_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return arm_watch();
    gone = got <= 0;
  }
  // Data before its time is the next request, pipelined: the client is there.
  const std::function<void()> call = std::move(gone_);
  gone_ = nullptr;
  if (gone) call();
}

void Transport::on_tick(std::int64_t now_ms) {
  boost::system::error_code code;
  if (gone_ && !watch_armed_ && !cancelled_ && loop().ticks() > watch_tick_ + 1) arm_watch();
  if (waits_ == 0) return;
  if (deadline_ms_ != 0 && now_ms >= deadline_ms_) {
    why_ = Io::timed_out;
    socket_->socket.cancel(code);
  } else if (reading_ && may_hibernate_ && loop().ticks() >= wait_tick_ + kHibernateTicks) {
    why_ = Io::hibernated;
    may_hibernate_ = false;
    socket_->socket.cancel(code);
  }
}

}  // namespace stillwatch::http
