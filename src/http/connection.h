// One accepted connection: reads requests, hands each to the handler, finishes what the handler left.
//
// Invariant: one exchange at a time; the next head is read only after the answer is complete and the body consumed.
// Threads: its network thread's. Cost: a file descriptor and no buffer while idle.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "http/body_decoder.h"
#include "http/head_scan.h"
#include "http/server.h"
#include "http/wire.h"

namespace stillwatch::http {

class Connection;

/// What the connections of one network thread share.
struct ServerThread {
  ServerThread(const ServerOptions& server_options, ServerCounters& server_counters)
      : io(1), options(server_options), counters(server_counters) {}

  boost::asio::io_context io;
  const ServerOptions& options;
  ServerCounters& counters;
  Handler handler;
  bool draining = false;
  Connection* first = nullptr;  // of the open ones
};

class Connection {
 public:
  Connection(ServerThread& thread, Peer peer, TlsContext tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Wire& wire() { return wire_; }
  Task<void> run();
  /// Closes it if it waits for a request.
  void drain();
  Connection* next() const { return next_; }

 private:
  friend class Exchange;
  enum class Answer : std::uint8_t { none, whole, streaming, ended };

  Task<bool> read_head();
  Task<void> serve();
  Task<bool> finish();
  Task<void> refuse(int status, std::string_view reason);
  Task<void> linger();
  Task<base::Result<std::string_view>> read_body();
  Task<base::Status> respond(ResponseHead head, std::string_view body);
  Task<base::Status> begin(ResponseHead head);
  Task<base::Status> write(std::string_view bytes);
  Task<base::Status> end();
  Task<base::Status> send(std::string_view first, std::string_view second, std::string_view third);
  base::Status sent(Io io);
  base::Status too_late(const char* what) const;
  tl::unexpected<base::Error> body_failed(int status, std::string_view what);
  bool keeps_alive(const ResponseHead& head) const;
  void count_bytes();
  void note_gone();
  void start_watch();

  ServerThread& thread_;
  Connection *previous_ = nullptr, *next_ = nullptr;
  Wire wire_;
  Peer peer_;
  TlsContext tls_;

  // The exchange at hand.
  RequestHead head_;
  HeadEnd head_end_;
  BodyDecoder body_;
  std::string out_;  // head or chunk size about to be sent
  std::function<void()> on_gone_;
  std::int64_t arrived_us_ = 0, arrived_steady_us_ = 0, body_waited_ms_ = 0;
  std::optional<std::uint64_t> answer_left_;  // of a streamed answer with a length
  std::uint64_t bytes_out_ = 0;
  int error_status_ = 0;
  Answer answer_ = Answer::none;
  bool idle_ = false, gone_ = false, close_ = false, chunked_ = false, no_body_ = false, continue_sent_ = false;
};

}  // namespace stillwatch::http
