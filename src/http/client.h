// HTTP/1.1 client: a pool of kept connections to one upstream, streamed exchanges over it, and a plain fetch.
//
// Invariant: a request is sent at most once, except that one sent on a kept connection is sent again on a new one when
// the upstream closed that connection before a single byte of its answer, and the whole body is still at hand. A
// connection goes back into the pool only when request and response are complete and nothing is left in its buffer.
// Threads: an Upstream and its exchanges belong to one io_context's thread; fetch_blocking works on any thread.
// Cost: docs/internals/http.md; an exchange that waits for more than 0.4 s holds no buffer. RFC 9110, RFC 9112.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "http/task.h"

namespace stillwatch::http {

class NameCache;

struct UpstreamTls {
  bool enabled = false;
  bool verify = true;            // the chain and the name
  std::string ca_file;           // PEM; empty: the system's certificates
  std::string certificate_file;  // PEM, of ours, when the upstream asks for one
  std::string key_file;
  std::string server_name;  // for SNI and the check of the name; empty: the host of the address
};

struct UpstreamOptions {
  std::string address;  // "host:port", "[::1]:port" or "unix:PATH"
  UpstreamTls tls;
  std::shared_ptr<NameCache> names;      // null: the process's
  std::int64_t connect_ms = 5'000;       // with the look-up of the name before and the TLS handshake behind
  std::int64_t first_byte_ms = 600'000;  // from the request's end to the head of the answer: models think long
  std::int64_t idle_ms = 120'000;        // between two pieces of the answer, and while the upstream takes no body
  std::int64_t total_ms = 3'600'000;
  std::size_t connections_max = 4'096;  // of this pool (one a thread). More: Failure::overloaded
  std::size_t idle_max = 4'096;         // kept. More: closed; fewer than requests at a time: most open one
  std::int64_t keep_ms = 50'000;        // a kept connection is closed after it: less than usual servers' 60 s
  std::size_t head_bytes_max = 64U << 10;
};

/// Why an exchange failed. Whose fault: caller, network or upstream.
enum class Failure : std::uint8_t {
  none,
  overloaded,  // connections_max reached: nothing was sent
  connect,     // no connection, name or TLS handshake: nothing was sent
  connect_timeout,
  send,                // the upstream closed while the request was being sent
  first_byte_timeout,  // no head in time
  bad_response,        // not RFC 9112, or larger than the limits
  broken,              // closed before the answer was complete
  idle_timeout,        // stalled in the middle
  total_timeout,
  cancelled,  // cancel() was called, or the server stops
};
/// "first byte timeout" and so on, for logs and metrics.
std::string_view failure_name(Failure failure);

class Upstream {
 public:
  /// Reads the certificate files. A caller error names the file or the address.
  static base::Result<std::unique_ptr<Upstream>> create(boost::asio::io_context& io, UpstreamOptions options);
  ~Upstream();

  /// Exchanges between open() and their end, for choosing the least loaded.
  std::size_t outstanding() const;
  std::size_t idle_connections() const;
  std::uint64_t connections_opened() const;  // since the start
  std::uint64_t requests_retried() const;    // on a new connection after a stale one
  const UpstreamOptions& options() const;

 private:
  friend class UpstreamExchange;
  struct State;
  explicit Upstream(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// One request and its answer. Lives in the caller's coroutine; leaving it early closes the connection, which tells
/// the upstream to stop.
class UpstreamExchange {
 public:
  explicit UpstreamExchange(Upstream& upstream);
  ~UpstreamExchange();

  /// Connects (or takes a kept connection) and sends the head with the first bytes of the body in one write. Framing
  /// is head.content_length, or head.chunked, or no body. `host` must be among the fields. `body` must live until
  /// read_head() has returned when body_complete (it may have to be sent again).
  Task<base::Status> open(const RequestHead& head, std::string_view body, bool body_complete);
  /// More of the body. After an error read_head() may still find an early answer.
  Task<base::Status> write(std::string_view bytes);
  Task<base::Status> end_body();

  /// The final head: interim 1xx answers are skipped. Hop-by-hop fields are still in it.
  Task<base::Result<ResponseHead>> read_head();
  /// The next piece of the answer's body, decoded; empty at its end. The bytes live until the next read().
  Task<base::Result<std::string_view>> read();
  /// The rest of the body, up to bytes_max.
  Task<base::Result<std::string>> read_all(std::size_t bytes_max);
  /// True when read() will return without waiting.
  bool body_ready() const;

  /// Ends what is being waited for with Failure::cancelled. From the same thread, e.g. from on_client_gone.
  void cancel();
  Failure failure() const;
  bool head_received() const;
  std::int64_t connect_us() const;  // time spent on connecting, 0 on a kept connection

  UpstreamExchange(const UpstreamExchange&) = delete;
  UpstreamExchange& operator=(const UpstreamExchange&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A whole request, for webhooks, health checks and tests.
struct FetchRequest {
  FetchRequest() {}  // as in message.h: no aggregate, for co_await
  std::string url;   // http://host[:port]/path, https://..., or unix:SOCKET_PATH:/path
  std::string method = "GET";
  Fields fields;
  std::string body;
  UpstreamTls tls;  // enabled is taken from the url
  std::int64_t timeout_ms = 10'000;
  std::size_t answer_bytes_max = 1U << 20;
};
struct FetchAnswer {
  int status = 0;
  Fields fields;
  std::string body;
};
Task<base::Result<FetchAnswer>> fetch(boost::asio::io_context& io, FetchRequest request);
/// The same on an io_context of its own, on the calling thread.
base::Result<FetchAnswer> fetch_blocking(FetchRequest request);

}  // namespace stillwatch::http
