// TLS over a socket with OpenSSL: contexts from certificate files, a session that never blocks, certificates as text.
//
// Invariant: a session reads and writes its socket only inside read(), write(), handshake() and peek(), never raises
// SIGPIPE, and holds no record buffers while it is idle. A context does not change once made: a reload makes another.
// Threads: contexts are shared freely; a session belongs to one thread.
// Cost: a signature a handshake; record buffers only while records are in flight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/client.h"
#include "http/server.h"

struct ssl_ctx_st;
struct ssl_st;

namespace stillwatch::http {

using TlsContext = std::shared_ptr<ssl_ctx_st>;

/// Caller errors name the file that cannot be read, or does not fit.
base::Result<TlsContext> server_context(const ServerTls& options);
base::Result<TlsContext> client_context(const UpstreamTls& options);

enum class TlsIo : std::uint8_t { ok, want_read, want_write, end, broken };

class TlsSession {
 public:
  /// `name`: of the server, for SNI and the check; empty for a server's session.
  TlsSession(const TlsContext& context, int socket, bool server, const std::string& name, bool verify);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  TlsIo handshake();
  TlsIo read(char* into, std::size_t size, std::size_t& count);
  TlsIo write(const char* from, std::size_t size, std::size_t& count);
  /// ok: data waits; end or broken: the peer is gone; want_read: nothing.
  TlsIo peek();
  /// Says good-bye, once, without waiting.
  void close_notify();
  /// Of a failed handshake, in words of OpenSSL, without certificate contents.
  std::string failure() const;
  /// Fills in what the verified client certificate says.
  void describe_peer(Peer& peer) const;

 private:
  TlsIo result_of(int code);
  int socket_;
  ssl_st* ssl_ = nullptr;
  bool broken_ = false;
  std::string failure_;
};

}  // namespace stillwatch::http
