// HTTP/1.1 server: N network threads, each with its io_context and its own listening socket, coroutines as handlers.
//
// Invariant: requests of one connection are served one after the other, in order; a request that is not strictly
// RFC 9112 never reaches a handler, is answered 400/413/414/417/431/501/505, and ends its connection.
// Threads: Server's functions from any thread; an Exchange only on the network thread it was given on.
// Cost: docs/internals/http.md; a connection that is silent for 0.4 s holds no buffer.
// Specification: RFC 9110, RFC 9112; TLS 1.2 and 1.3 with OpenSSL.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "http/task.h"

namespace stillwatch::http {

struct ListenAddress {
  std::string address;  // "127.0.0.1:8080", "[::1]:8080", "unix:PATH"; port 0: any free one
  bool tls = false;     // uses ServerOptions::tls
};

struct ServerTls {
  std::string certificate_file;  // PEM, leaf first
  std::string key_file;          // PEM
  std::string client_ca_file;    // PEM; empty: no client certificates are asked for
  bool require_client_certificate = false;
};

struct ServerLimits {
  std::size_t head_bytes_max = 32U << 10;    // of one request. More: 431
  std::size_t target_bytes_max = 8U << 10;   // More: 414
  std::size_t fields_max = 100;              // More: 431
  std::uint64_t body_bytes_max = 32U << 20;  // decoded. More: 413
  std::size_t connections_max = 20'000;      // of the whole server. More: 503 and closed
  std::size_t streams_max = 10'000;          // requests in handlers at once. More: 503
};

struct ServerTimeouts {
  std::int64_t handshake_ms = 10'000;             // TLS
  std::int64_t head_ms = 10'000;                  // from the first byte of a head to its last, against slow-loris
  std::int64_t keep_alive_ms = 75'000;            // between two requests, and before the first
  std::int64_t body_idle_ms = 30'000;             // between two pieces of a body
  std::uint64_t body_bytes_per_second_min = 256;  // averaged, after body_idle_ms. Slower: 408
  std::int64_t write_stall_ms = 30'000;           // a client that takes nothing for so long is cut off
};

struct ServerOptions {
  std::vector<ListenAddress> listen;
  unsigned threads = 1;
  ServerLimits limits;
  ServerTimeouts timeouts;
  ServerTls tls;
};

/// Who is at the other end of a connection.
struct Peer {
  std::string address;  // without the port; "unix" for a unix socket
  std::uint16_t port = 0;
  bool unix_socket = false;
  bool tls = false;
  // Of a client certificate that client_ca_file has verified; empty without one.
  std::string certificate_name;                       // common name of the subject
  std::vector<std::string> certificate_alternatives;  // "DNS:a.example", "URI:spiffe://...", "email:..."
  std::string certificate_sha256;                     // lower-case hexadecimal, of the DER bytes
};

/// One request being served. The handler reads the body if it wants it and answers once, by respond() or begin().
/// A handler that returns without an answer makes a 500 (or the error_status() of a failed read), one that returns
/// in the middle of a stream cuts the connection, so that the client does not take half an answer for a whole one.
class Exchange {
 public:
  const RequestHead& head() const;
  RequestHead& head();  // may be moved from
  const Peer& peer() const;
  boost::asio::io_context& io() const;
  std::int64_t arrived_us() const;         // wall clock when the head was complete, microseconds since 1970
  std::int64_t arrived_steady_us() const;  // monotonic clock of the same moment, for durations

  /// The next piece of the body, decoded; empty at its end. The bytes live in the connection's buffer until the next
  /// read(). Sends "100 Continue" first when the client waits for it. On an error return, and answer with
  /// error_status() if you want words of your own.
  Task<base::Result<std::string_view>> read();
  /// The rest of the body in one piece, up to bytes_max (more: error, error_status() 413).
  Task<base::Result<std::string>> read_all(std::size_t bytes_max);
  /// Gives the buffer with the last piece back before a long answer; read() does it when it says that the end is there.
  void release_body();
  /// 400, 408 or 413 after a failed read (or 499 when the client is gone), 0 before.
  int error_status() const;
  bool body_at_end() const;

  /// Whole answer in one write. Sets content-length; sends no body to HEAD, 204 and 304.
  Task<base::Status> respond(ResponseHead head, std::string_view body);
  /// Starts a streamed answer, with head.content_length when it is set, else chunked. The head waits for the first
  /// write() so that both leave together; call flush() when nothing is there to write yet.
  Task<base::Status> begin(ResponseHead head);
  Task<base::Status> flush();
  /// Leaves at once (one system call). An error means that the client is gone or stalls.
  Task<base::Status> write(std::string_view bytes);
  Task<base::Status> end();
  bool begun() const;  // respond() or begin() was called
  /// The connection is closed after this answer.
  void close_after();

  /// True once the client has closed its end or the connection broke.
  bool client_gone() const;
  /// Called once, on this thread, when the client vanishes while the handler works (noticed within ~0.6 s, once the
  /// body is read). For cancelling the upstream. Replaces an earlier function; empty removes it. It is dropped when
  /// the handler returns.
  void on_client_gone(std::function<void()> function);

  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

 private:
  friend class Connection;
  explicit Exchange(class Connection& connection) : connection_(connection) {}
  class Connection& connection_;
};

using Handler = std::function<Task<void>(Exchange&)>;
/// Makes the handler of one network thread. Called in Server::start, once a thread; what it captures (upstream pools)
/// lives until the thread has ended.
using HandlerFactory = std::function<Handler(unsigned thread, boost::asio::io_context& io)>;

struct ServerCounters {
  using Count = std::atomic<std::uint64_t>;
  Count connections_accepted{0};
  Count connections_open{0};     // now
  Count connections_refused{0};  // over connections_max
  Count accept_failures{0};      // out of file descriptors or memory
  Count streams_open{0};         // now: requests in handlers
  Count streams_refused{0};      // over streams_max
  Count requests{0};             // given to a handler
  Count requests_rejected{0};    // malformed or over a limit
  Count timeouts{0};             // heads, bodies and writes that were too slow
  Count clients_gone{0};         // vanished before their answer was complete
  Count answers_cut{0};          // a handler gave up in the middle
  Count handler_exceptions{0};
  Count tls_failures{0};
  Count bytes_in{0}, bytes_out{0};  // of bodies and heads, without TLS framing
};

class Server {
 public:
  /// Binds, reads the certificates, starts the threads. A caller error names the address or file and what to do.
  static base::Result<std::unique_ptr<Server>> start(ServerOptions options, const HandlerFactory& factory);
  ~Server();  // stop()

  unsigned threads() const;
  boost::asio::io_context& io_context(unsigned thread);
  /// Port of the i-th listen address, as bound.
  std::uint16_t port(std::size_t listen_index = 0) const;
  const ServerCounters& counters() const;

  /// Reads the certificate files again; new connections get them, open ones keep theirs. On an error all stays.
  base::Status reload_tls();
  /// Stops accepting, closes idle connections, lets requests finish (their answers say `connection: close`), and
  /// waits until all are closed or the deadline has passed. Returns how many are still open.
  std::uint64_t drain(std::int64_t deadline_ms);
  /// Cuts what is open and ends the threads.
  void stop();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::http
