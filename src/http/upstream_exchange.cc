#include <ctime>

#include <fmt/format.h>

#include "http/body_decoder.h"
#include "http/head_scan.h"
#include "http/head_text.h"
#include "http/pool.h"

namespace stillwatch::http {
namespace {

constexpr int kInterimMax = 8;  // 1xx heads before the final one. More: bad_response

std::int64_t steady_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

struct UpstreamExchange::State {
  explicit State(std::shared_ptr<Upstream::State> upstream) : pool(std::move(upstream)) {}
  ~State() { leave(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  tl::unexpected<base::Error> failed(Failure why, std::string_view detail = {});
  tl::unexpected<base::Error> failed_io(Io io, Failure timeout, Failure otherwise);
  std::int64_t deadline(std::int64_t ms) const { return std::min(monotonic_ms() + ms, total_at_ms); }
  Task<base::Status> fresh();
  Task<base::Status> send_first();
  Task<base::Status> resend();
  Task<Io> send(std::string_view first, std::string_view second, std::string_view third);
  base::Status start_body(const ResponseHead& head);
  /// The connection's end of this exchange: back into the pool or closed.
  void leave();

  std::shared_ptr<Upstream::State> pool;
  std::unique_ptr<Wire> wire;
  std::string head_text, size_text;
  std::string_view first_body;
  HeadEnd head_end;
  BodyDecoder body;
  std::int64_t total_at_ms = 0, connect_us = 0;
  Failure failure = Failure::none;
  bool chunked = false, complete = false, head_method = false, reused = false, counted = false, cancelled = false,
       head_received = false, keep_alive = false, replayable = false;
};

tl::unexpected<base::Error> UpstreamExchange::State::failed(Failure why, std::string_view detail) {
  if (failure == Failure::none) failure = why;
  std::string text = fmt::format("upstream {}: {}", pool->options.address, failure_name(failure));
  if (!detail.empty()) text += fmt::format(" ({})", detail);
  const bool retry =
      failure == Failure::overloaded || failure == Failure::connect || failure == Failure::connect_timeout;
  keep_alive = false;
  return base::fail(base::Fault::environment, std::move(text), retry);
}

tl::unexpected<base::Error> UpstreamExchange::State::failed_io(Io io, Failure timeout, Failure otherwise) {
  if (io == Io::cancelled) return failed(Failure::cancelled);
  if (io == Io::timed_out) return failed(monotonic_ms() >= total_at_ms ? Failure::total_timeout : timeout);
  return failed(otherwise);
}

void UpstreamExchange::State::leave() {
  if (std::exchange(counted, false)) --pool->outstanding;
  if (!wire) return;
  --pool->busy;
  const bool reusable = keep_alive && complete && body.done() && head_received && failure == Failure::none &&
                        !cancelled && wire->buffered().empty() && !wire->transport().cancelled();
  if (reusable) pool->give(std::move(wire));
  wire.reset();
}

Task<Io> UpstreamExchange::State::send(std::string_view first, std::string_view second, std::string_view third) {
  wire->transport().set_deadline(deadline(pool->options.idle_ms));
  co_return co_await wire->transport().write(first, second, third);
}

Task<base::Status> UpstreamExchange::State::fresh() {
  reused = false;
  wire = std::make_unique<Wire>(pool->io);
  ++pool->busy;
  const std::int64_t before_us = steady_us();
  std::string why;
  const Failure made = co_await pool->connect(*wire, why);
  connect_us += steady_us() - before_us;
  if (cancelled) co_return failed(Failure::cancelled);
  if (made != Failure::none) co_return failed(made, why);
  co_return base::Status();
}

Task<base::Status> UpstreamExchange::State::send_first() {
  size_text.clear();
  std::string_view tail;
  if (chunked && !first_body.empty()) append_chunk_size(first_body.size(), size_text);
  if (chunked) {
    const std::string_view both = "\r\n0\r\n\r\n";
    tail = first_body.empty() ? both.substr(2) : both;
    if (!complete) tail = first_body.empty() ? std::string_view{} : both.substr(0, 2);
  }
  std::string_view lead = head_text;
  if (!size_text.empty()) lead = size_text.insert(0, head_text);
  const Io io = co_await send(lead, first_body, tail);
  if (io != Io::ok) co_return failed_io(io, Failure::send, Failure::send);
  co_return base::Status();
}

/// Once more on a new connection: the kept one was closed before it saw the request.
Task<base::Status> UpstreamExchange::State::resend() {
  wire.reset();
  --pool->busy;
  ++pool->retried;
  failure = Failure::none;
  head_end.reset();
  const base::Status connected = co_await fresh();
  if (!connected) co_return base::fail(connected.error());
  co_return co_await send_first();
}

base::Status UpstreamExchange::State::start_body(const ResponseHead& head) {
  const bool bodiless = head_method || head.status == 204 || head.status == 304;
  keep_alive = head.keep_alive;
  if (bodiless) {
    body = BodyDecoder();
  } else if (head.chunked) {
    body = BodyDecoder(BodyDecoder::Framing::chunked);
  } else if (head.content_length) {
    body = BodyDecoder(BodyDecoder::Framing::length, *head.content_length);
  } else {
    body = BodyDecoder(BodyDecoder::Framing::until_close);
    keep_alive = false;
  }
  return {};
}

UpstreamExchange::UpstreamExchange(Upstream& upstream) : state_(std::make_unique<State>(upstream.state_)) {}
UpstreamExchange::~UpstreamExchange() = default;

Task<base::Status> UpstreamExchange::open(const RequestHead& head, std::string_view body, bool body_complete) {
  State& state = *state_;
  Upstream::State& pool = *state.pool;
  if (state.counted || state.wire) co_return base::fail(base::Fault::ours, "an exchange is opened once");
  if (!append_request_head(head, state.head_text))
    co_return base::fail(base::Fault::ours, "a method or target that no request line can hold");
  state.chunked = head.chunked;
  state.complete = body_complete;
  state.replayable = body_complete;
  state.head_method = head.method == "HEAD";
  state.first_body = body;
  state.total_at_ms = monotonic_ms() + pool.options.total_ms;
  if (state.cancelled || pool.loop().stopping()) co_return state.failed(Failure::cancelled);
  if (pool.busy >= pool.options.connections_max) co_return state.failed(Failure::overloaded);
  ++pool.outstanding;
  state.counted = true;
  state.wire = pool.take();
  state.reused = state.wire != nullptr;
  if (state.reused) {
    ++pool.busy;
  } else {
    const base::Status connected = co_await state.fresh();
    if (!connected) co_return base::fail(connected.error());
  }
  base::Status sent = co_await state.send_first();
  if (!sent && state.reused && state.replayable && state.failure == Failure::send) sent = co_await state.resend();
  co_return sent;
}

Task<base::Status> UpstreamExchange::write(std::string_view bytes) {
  State& state = *state_;
  if (!state.wire || state.complete) co_return base::fail(base::Fault::ours, "write() without an open body");
  if (bytes.empty()) co_return base::Status();
  state.size_text.clear();
  if (state.chunked) append_chunk_size(bytes.size(), state.size_text);
  const std::string_view tail = state.chunked ? "\r\n" : "";
  const Io io = co_await state.send(state.size_text, bytes, tail);
  if (io != Io::ok) co_return state.failed_io(io, Failure::idle_timeout, Failure::send);
  co_return base::Status();
}

Task<base::Status> UpstreamExchange::end_body() {
  State& state = *state_;
  if (!state.wire || state.complete) co_return base::fail(base::Fault::ours, "end_body() without an open body");
  state.complete = true;
  if (!state.chunked) co_return base::Status();
  const Io io = co_await state.send("0\r\n\r\n", {}, {});
  if (io != Io::ok) co_return state.failed_io(io, Failure::idle_timeout, Failure::send);
  co_return base::Status();
}

Task<base::Result<ResponseHead>> UpstreamExchange::read_head() {
  State& state = *state_;
  const UpstreamOptions& options = state.pool->options;
  if (!state.wire || state.head_received) co_return base::fail(base::Fault::ours, "read_head() out of turn");
  // A request that could not be sent whole may have been answered early, with a refusal.
  const bool send_failed = state.failure == Failure::send;
  if (state.failure != Failure::none && !send_failed) co_return state.failed(state.failure);
  const HeadLimits limits{options.head_bytes_max, 0, 256};
  std::int64_t until_ms = state.deadline(send_failed ? 1'000 : options.first_byte_ms);
  int interim = 0;
  bool anything = false;
  for (;;) {
    Refusal refusal;
    const std::string_view bytes = state.wire->buffered();
    const std::size_t size = state.head_end.find(bytes, limits, refusal);
    if (size > 0) {
      ResponseHead head;
      refusal = HeadScan::response(bytes.substr(0, size), limits, head);
      if (refusal) co_return state.failed(Failure::bad_response, refusal.reason);
      state.wire->consume(size);
      state.head_end.reset();
      if (head.status < 200) {
        if (head.status == 101 || ++interim > kInterimMax)
          co_return state.failed(Failure::bad_response, "interim answers that were not asked for");
        continue;
      }
      if (send_failed) {
        state.failure = Failure::none;  // the early answer explains it
        state.complete = false;
      }
      state.head_received = true;
      state.start_body(head);
      co_return head;
    }
    if (refusal) co_return state.failed(Failure::bad_response, refusal.reason);
    state.wire->transport().set_deadline(until_ms);
    const IoRead read = co_await state.wire->fill(limits.head_bytes_max);
    if (read.io == Io::ok) {
      anything = true;
      continue;
    }
    const bool closed = read.io == Io::end || read.io == Io::broken;
    if (closed && state.reused && !anything && state.replayable && !state.cancelled) {
      const base::Status again = co_await state.resend();
      if (!again) co_return base::fail(again.error());
      until_ms = state.deadline(options.first_byte_ms);
      continue;
    }
    co_return state.failed_io(read.io, Failure::first_byte_timeout, Failure::broken);
  }
}

Task<base::Result<std::string_view>> UpstreamExchange::read() {
  State& state = *state_;
  if (!state.head_received) co_return base::fail(base::Fault::ours, "read() before read_head()");
  for (;;) {
    if (state.failure != Failure::none) co_return state.failed(state.failure);
    if (state.body.done()) {
      state.leave();
      co_return std::string_view{};
    }
    if (!state.wire->buffered().empty()) {
      const BodyDecoder::Step step = state.body.step(state.wire->buffered());
      state.wire->consume(step.consumed);
      if (state.body.error() != nullptr) co_return state.failed(Failure::bad_response, state.body.error());
      if (!step.data.empty()) co_return step.data;
      continue;
    }
    state.wire->transport().set_deadline(state.deadline(state.pool->options.idle_ms));
    const IoRead read = co_await state.wire->fill(kBlockBytes);
    if (read.io == Io::ok) continue;
    if (read.io == Io::end && state.body.framing() == BodyDecoder::Framing::until_close) {
      state.body = BodyDecoder();
      continue;
    }
    co_return state.failed_io(read.io, Failure::idle_timeout, Failure::broken);
  }
}

Task<base::Result<std::string>> UpstreamExchange::read_all(std::size_t bytes_max) {
  std::string out;
  for (;;) {
    const base::Result<std::string_view> piece = co_await read();
    if (!piece) co_return base::fail(piece.error());
    if (piece->empty()) co_return out;
    if (piece->size() > bytes_max - out.size())
      co_return state_->failed(Failure::bad_response, "the body is larger than allowed here");
    out += *piece;
  }
}

bool UpstreamExchange::body_ready() const {
  return state_->body.done() || state_->failure != Failure::none || (state_->wire && !state_->wire->buffered().empty());
}

void UpstreamExchange::cancel() {
  state_->cancelled = true;
  if (state_->wire) state_->wire->transport().cancel();
}

Failure UpstreamExchange::failure() const { return state_->failure; }
bool UpstreamExchange::head_received() const { return state_->head_received; }
std::int64_t UpstreamExchange::connect_us() const { return state_->connect_us; }

}  // namespace stillwatch::http
