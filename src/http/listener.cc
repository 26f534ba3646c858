#include "http/listener.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

namespace stillwatch::http {
namespace {

namespace asio = boost::asio;
constexpr int kBacklog = 4'096;        // the kernel caps it at somaxconn
constexpr int kAcceptsInARowMax = 64;  // then others have their turn

tl::unexpected<base::Error> cannot_listen(const Address& address, int code) {
  std::string_view next = "";
  if (code == EADDRINUSE) next = "; another program has it, stop it or choose another";
  if (code == EACCES || code == EPERM) next = "; choose a port from 1024 on, or a folder that this user may write to";
  if (code == EADDRNOTAVAIL) next = "; this machine does not have that address";
  const std::string text =
      address.unix_socket ? "unix:" + address.host : fmt::format("{} port {}", address.host, address.port);
  return base::fail(base::Fault::caller, fmt::format("cannot listen on {}: {}{}", text, std::strerror(code), next));
}

/// A socket file whose server is dead is in the way; one that answers is not ours to remove.
void remove_dead_socket(const SocketAddress& address, const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return;
  if (::connect(probe, address.data(), address.size) != 0 && errno == ECONNREFUSED) ::unlink(path.c_str());
  ::close(probe);
}

}  // namespace

base::Result<int> listen_on(const Address& address, bool reuse_port) {
  SocketAddress where;
  if (!numeric_address(address, where))
    return base::fail(base::Fault::caller,
                      fmt::format("cannot listen on {}: write a numeric address, 0.0.0.0 for all", address.host));
  const int socket = ::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return cannot_listen(address, errno);
  const int on = 1;
  if (!address.unix_socket) {
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (reuse_port) ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (where.storage.ss_family == AF_INET6) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  } else {
    remove_dead_socket(where, address.host);
  }
  if (::bind(socket, where.data(), where.size) != 0 || ::listen(socket, kBacklog) != 0) {
    const int code = errno;
    ::close(socket);
    return cannot_listen(address, code);
  }
  return socket;
}

std::uint16_t bound_port(int socket) {
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  if (::getsockname(socket, bound.data(), &bound.size) != 0) return 0;
  std::uint16_t port = 0;
  address_text(bound, port);
  return port;
}

struct Listener::Socket {
  Socket(asio::io_context& io, int socket) : descriptor(io, socket) {}
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor;
};

Listener::Listener(asio::io_context& io, int socket, std::function<void(int, const SocketAddress&)> accepted,
                   std::function<void()> failed)
    : Ticking(Loop::of(io)),
      socket_(std::make_unique<Socket>(io, socket)),
      accepted_(std::move(accepted)),
      failed_(std::move(failed)) {}

Listener::~Listener() = default;

void Listener::start() { wait(); }

void Listener::wait() {
  if (waiting_ || closed_) return;
  waiting_ = true;
  socket_->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                 [self = shared_from_this()](const boost::system::error_code& failed) {
                                   self->waiting_ = false;
                                   if (!failed && !self->closed_) self->accept_all();
                                 });
}

void Listener::accept_all() {
  for (int i = 0; i < kAcceptsInARowMax; ++i) {
    SocketAddress peer;
    peer.size = sizeof peer.storage;
    const int socket =
        ::accept4(socket_->descriptor.native_handle(), peer.data(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      accepted_(socket, peer);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    // Out of descriptors or memory: waiting would spin, so the next tick tries again.
    failed_();
    return;
  }
  wait();
}

void Listener::on_tick(std::int64_t) { wait(); }

void Listener::close() {
  if (std::exchange(closed_, true)) return;
  accept_all();
  boost::system::error_code code;
  socket_->descriptor.close(code);
}

}  // namespace stillwatch::http
