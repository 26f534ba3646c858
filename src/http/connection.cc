#include "http/connection.h"

#include <ctime>

#include "http/head_text.h"

namespace stillwatch::http {
namespace {

constexpr std::size_t kUnreadBodyMax = 256U << 10;  // read away so that a connection can go on. More: closed
constexpr std::int64_t kUnreadBodyMs = 2'000;
constexpr std::size_t kLingerBytesMax = 1U << 20;  // read away before closing, or a reset would eat our answer
constexpr std::int64_t kLingerMs = 1'000;
constexpr std::size_t kOutKeptBytes = 4U << 10;

std::int64_t clock_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

void count(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

}  // namespace

Connection::Connection(ServerThread& thread, Peer peer, TlsContext tls)
    : thread_(thread), next_(thread.first), wire_(thread.io), peer_(std::move(peer)), tls_(std::move(tls)) {
  if (next_ != nullptr) next_->previous_ = this;
  thread.first = this;
}

Connection::~Connection() {
  (previous_ != nullptr ? previous_->next_ : thread_.first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  thread_.counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::drain() {
  if (idle_) wire_.transport().cancel();
}

void Connection::count_bytes() {
  count(thread_.counters.bytes_in, wire_.take_bytes_in());
  count(thread_.counters.bytes_out, std::exchange(bytes_out_, 0));
}

Task<void> Connection::run() {
  Transport& transport = wire_.transport();
  if (tls_) {
    transport.set_deadline(monotonic_ms() + thread_.options.timeouts.handshake_ms);
    const Io io = co_await transport.handshake(tls_, true, {}, false);
    if (io != Io::ok) {
      if (io != Io::cancelled) count(thread_.counters.tls_failures);
      co_return;
    }
    transport.tls()->describe_peer(peer_);
  }
  for (;;) {
    const bool good = co_await read_head();
    if (!good) break;
    co_await serve();
    const bool again = co_await finish();
    count_bytes();
    if (!again) break;
  }
  count_bytes();
}

Task<bool> Connection::read_head() {
  const auto& options = thread_.options;
  const HeadLimits limits{options.limits.head_bytes_max, options.limits.target_bytes_max, options.limits.fields_max};
  Transport& transport = wire_.transport();
  head_end_.reset();
  Fields fields = std::move(head_.fields);  // their room is used again
  fields.clear();
  head_ = RequestHead();
  head_.fields = std::move(fields);
  answer_ = Answer::none;
  gone_ = close_ = no_body_ = false;
  bool started = false, skipped_line = false;
  transport.set_deadline(monotonic_ms() + options.timeouts.keep_alive_ms);
  Refusal refusal;
  std::size_t size = 0;
  for (;;) {
    // One empty line before a request is forgiven: old clients end a body with it (RFC 9112 section 2.2).
    if (!skipped_line && wire_.buffered().substr(0, 2) == "\r\n") {
      wire_.consume(2);
      skipped_line = true;
    }
    const std::string_view bytes = wire_.buffered();
    if (!started && !bytes.empty()) {
      started = true;
      transport.set_deadline(monotonic_ms() + options.timeouts.head_ms);
    }
    if (bytes != "\r") size = head_end_.find(bytes, limits, refusal);
    if (size > 0 || refusal) break;
    idle_ = !started;
    if (idle_ && thread_.draining) co_return false;
    const IoRead read = co_await wire_.fill(limits.head_bytes_max);
    idle_ = false;
    if (read.io == Io::timed_out && started) {
      count(thread_.counters.timeouts);
      co_await refuse(408, "the head took too long");
    }
    if (read.io != Io::ok) co_return false;
  }
  if (!refusal) refusal = HeadScan::request(wire_.buffered().substr(0, size), limits, head_);
  if (!refusal && head_.content_length.value_or(0) > options.limits.body_bytes_max)
    refusal = {413, "the body is too large"};
  if (refusal) {
    count(thread_.counters.requests_rejected);
    co_await refuse(refusal.status, refusal.reason);
    co_return false;
  }
  wire_.consume(size);
  co_return true;
}

Task<void> Connection::serve() {
  ServerCounters& counters = thread_.counters;
  arrived_us_ = clock_us(CLOCK_REALTIME);
  arrived_steady_us_ = clock_us(CLOCK_MONOTONIC);
  body_ = head_.chunked          ? BodyDecoder(BodyDecoder::Framing::chunked)
          : head_.content_length ? BodyDecoder(BodyDecoder::Framing::length, *head_.content_length)
                                 : BodyDecoder();
  answer_left_.reset();
  error_status_ = 0;
  body_waited_ms_ = 0;
  chunked_ = continue_sent_ = false;
  no_body_ = head_.method == "HEAD";
  out_.clear();
  wire_.transport().set_deadline(0);
  if (counters.streams_open.fetch_add(1, std::memory_order_relaxed) >= thread_.options.limits.streams_max) {
    count(counters.streams_refused);
    ResponseHead busy;
    busy.status = 503;
    busy.fields.add("retry-after", "1");
    close_ = true;
    co_await respond(std::move(busy), "too many requests at once; try again soon\n");
  } else {
    count(counters.requests);
    Exchange exchange(*this);
    bool thrown = false;
    try {
      co_await thread_.handler(exchange);
    } catch (const std::exception&) {
      thrown = true;
    }
    if (thrown) {
      count(counters.handler_exceptions);
      close_ = true;
    }
  }
  counters.streams_open.fetch_sub(1, std::memory_order_relaxed);
  wire_.transport().unwatch();
  on_gone_ = nullptr;
}

/// True when the connection can take another request.
Task<bool> Connection::finish() {
  if (gone_ || wire_.transport().cancelled()) co_return false;
  if (answer_ == Answer::none) {
    const int status = error_status_ != 0 ? error_status_ : 500;
    if (status < 500) count(thread_.counters.requests_rejected);
    co_await refuse(status, usual_reason(status));
    co_return false;
  }
  if (answer_ == Answer::streaming) {
    count(thread_.counters.answers_cut);
    co_return false;
  }
  if (!body_.done() && !close_ && !(head_.expects_continue && !continue_sent_)) {
    const std::int64_t until_ms = monotonic_ms() + kUnreadBodyMs;
    std::size_t unread = 0;
    while (!body_.done() && body_.error() == nullptr && unread < kUnreadBodyMax) {
      if (wire_.buffered().empty()) {
        wire_.transport().set_deadline(until_ms);
        const IoRead read = co_await wire_.fill(kBlockBytes);
        if (read.io != Io::ok) co_return false;
      }
      const std::size_t taken = body_.step(wire_.buffered()).consumed;
      unread += taken;
      wire_.consume(taken);
    }
  }
  if (!body_.done()) {
    co_await linger();
    co_return false;
  }
  if (out_.capacity() > kOutKeptBytes) std::string().swap(out_);
  if (!close_ && !thread_.draining) co_return true;
  co_await linger();
  co_return false;
}

/// An answer of our own, and the end of the connection.
Task<void> Connection::refuse(int status, std::string_view reason) {
  ResponseHead head;
  head.status = status;
  head.fields.add("content-type", "text/plain; charset=utf-8");
  std::string body(reason);
  body += '\n';
  close_ = true;
  co_await respond(std::move(head), body);
  co_await linger();
}

/// Lets the client read our answer: closing with unread bytes would reset the connection under it.
Task<void> Connection::linger() {
  wire_.transport().shut_send();
  const std::int64_t until_ms = monotonic_ms() + kLingerMs;
  for (std::size_t dropped = 0; dropped < kLingerBytesMax;) {
    dropped += wire_.buffered().size();
    wire_.consume(wire_.buffered().size());
    wire_.transport().set_deadline(until_ms);
    const IoRead read = co_await wire_.fill(kBlockBytes);
    if (read.io != Io::ok) break;
  }
}

tl::unexpected<base::Error> Connection::body_failed(int status, std::string_view what) {
  error_status_ = status;
  close_ = true;
  if (status == 408) count(thread_.counters.timeouts);
  return base::fail(base::Fault::input, std::string(what));
}

Task<base::Result<std::string_view>> Connection::read_body() {
  const auto& limits = thread_.options.limits;
  const auto& timeouts = thread_.options.timeouts;
  for (;;) {
    if (body_.done()) {
      wire_.drop_if_empty();
      co_return std::string_view{};
    }
    if (error_status_ != 0) co_return base::fail(base::Fault::input, "reading the body has failed before");
    if (!wire_.buffered().empty()) {
      const BodyDecoder::Step step = body_.step(wire_.buffered());
      wire_.consume(step.consumed);
      if (body_.body_bytes() > limits.body_bytes_max) co_return body_failed(413, "the body is too large");
      if (body_.error() != nullptr) co_return body_failed(400, body_.error());
      if (body_.done()) start_watch();
      if (!step.data.empty()) co_return step.data;
      continue;
    }
    if (head_.expects_continue && !continue_sent_ && answer_ == Answer::none) {
      continue_sent_ = true;
      const base::Status told = co_await send("HTTP/1.1 100 Continue\r\n\r\n", {}, {});
      if (!told) co_return base::fail(told.error());
    }
    const std::int64_t before_ms = monotonic_ms();
    wire_.transport().set_deadline(before_ms + timeouts.body_idle_ms);
    const IoRead read = co_await wire_.fill(kBlockBytes);
    body_waited_ms_ += monotonic_ms() - before_ms;
    wire_.transport().set_deadline(0);
    if (read.io == Io::timed_out) co_return body_failed(408, "the body stalled");
    if (read.io != Io::ok) {
      note_gone();
      co_return body_failed(499, "the client is gone");
    }
    const auto due = static_cast<std::uint64_t>(body_waited_ms_) * timeouts.body_bytes_per_second_min / 1'000;
    if (body_waited_ms_ > timeouts.body_idle_ms && body_.body_bytes() + wire_.buffered().size() < due)
      co_return body_failed(408, "the body is too slow");
  }
}

bool Connection::keeps_alive(const ResponseHead& head) const {
  return head_.keep_alive && head.keep_alive && !close_ && !thread_.draining;
}

base::Status Connection::too_late(const char* what) const {
  if (gone_) return base::fail(base::Fault::environment, "the client is gone");
  return base::fail(base::Fault::ours, what);
}

void Connection::note_gone() {
  if (!std::exchange(gone_, true)) count(thread_.counters.clients_gone);
}

base::Status Connection::sent(Io io) {
  if (io == Io::ok) return {};
  if (io == Io::timed_out) count(thread_.counters.timeouts);
  note_gone();
  return base::fail(base::Fault::environment, io == Io::timed_out ? "the client takes no bytes" : "the client is gone");
}

Task<base::Status> Connection::send(std::string_view first, std::string_view second, std::string_view third) {
  wire_.transport().set_deadline(monotonic_ms() + thread_.options.timeouts.write_stall_ms);
  bytes_out_ += first.size() + second.size() + third.size();
  const Io io = co_await wire_.transport().write(first, second, third);
  wire_.transport().set_deadline(0);
  co_return sent(io);
}

Task<base::Status> Connection::respond(ResponseHead head, std::string_view body) {
  if (answer_ != Answer::none || gone_) co_return too_late("respond() after an answer was begun");
  const bool bodiless = head.status == 204 || head.status == 304 || head.status < 200;
  if (bodiless)
    head.content_length.reset();
  else if (!no_body_ || !head.content_length)
    head.content_length = body.size();
  head.chunked = false;
  const bool keep = keeps_alive(head);
  close_ = !keep;
  out_.clear();
  append_response_head(head, keep, head_.version_minor, out_);
  answer_ = Answer::ended;
  const base::Status status = co_await send(out_, no_body_ || bodiless ? std::string_view{} : body, {});
  out_.clear();
  co_return status;
}

Task<base::Status> Connection::begin(ResponseHead head) {
  if (answer_ != Answer::none || gone_) co_return too_late("begin() after an answer was begun");
  const bool bodiless = head.status == 204 || head.status == 304;
  if (bodiless) head.content_length.reset();
  head.chunked = !bodiless && !head.content_length && head_.version_minor == 1;
  if (!bodiless && !head.content_length && !head.chunked) close_ = true;  // HTTP/1.0: the end is the close
  const bool keep = keeps_alive(head);
  close_ = !keep;
  chunked_ = head.chunked && !no_body_;
  no_body_ |= bodiless;
  answer_left_ = head.content_length;
  out_.clear();
  append_response_head(head, keep, head_.version_minor, out_);
  answer_ = Answer::streaming;
  co_return base::Status();
}

Task<base::Status> Connection::write(std::string_view bytes) {
  if (answer_ != Answer::streaming || gone_) co_return too_late("write() without begin()");
  if (answer_left_ && !no_body_) {
    if (bytes.size() > *answer_left_) co_return too_late("write() of more than content_length");
    *answer_left_ -= bytes.size();
  }
  std::string_view body = no_body_ ? std::string_view{} : bytes, tail;
  if (chunked_ && !body.empty()) {
    append_chunk_size(body.size(), out_);
    tail = "\r\n";
  }
  if (out_.empty() && body.empty()) co_return base::Status();
  const base::Status status = co_await send(out_, body, tail);
  out_.clear();
  co_return status;
}

Task<base::Status> Connection::end() {
  if (answer_ != Answer::streaming || gone_) co_return too_late("end() without begin()");
  if (answer_left_.value_or(0) > 0 && !no_body_) co_return too_late("end() before content_length is reached");
  if (chunked_) out_ += "0\r\n\r\n";
  base::Status status;
  if (!out_.empty()) status = co_await send(out_, {}, {});
  out_.clear();
  if (status) answer_ = Answer::ended;
  co_return status;
}

/// Only once the body is read: before, bytes of the client are no surprise.
void Connection::start_watch() {
  if (!on_gone_) return wire_.transport().unwatch();
  if (!body_.done()) return;
  wire_.transport().watch([this] {
    note_gone();
    if (on_gone_) on_gone_();
  });
}

}  // namespace stillwatch::http
