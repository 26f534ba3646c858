// What came back: usage, stop reason, model, kind of error, read along while the bytes pass, never holding them back.
//
// Invariant: the facts are the same however the bytes are cut. Memory is bounded by ResponseLimits: an event beyond it
// is skipped and counted; a unary body beyond it leaves an estimate. No text of an error message is kept, and of an
// answer none unless reply_bytes_max says so: then its first choice's text, as a later prompt would quote it.
// Threads: one an exchange. Cost: one scan of the bytes; buffers are taken with the first byte and kept small.
// Spec: the OpenAI and Anthropic API references; WHATWG server-sent events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "intake/endpoint.h"

namespace stillwatch::intake {

enum class ResponseForm : std::uint8_t {
  unary,   // one JSON text
  stream,  // text/event-stream
  opaque,  // compressed, or no JSON: only its size counts. The gateway asks upstream for `identity`; a server that
           // compresses all the same is passed on as it is, and its usage is an estimate
};
/// From the response's headers; values as they were sent, may be empty.
ResponseForm response_form(std::string_view content_type, std::string_view content_encoding);

struct ResponseLimits {
  std::size_t event_bytes_max = 4U << 20;  // one event; usual ones have 200 B, the last of `responses` the answer
  std::size_t unary_bytes_max = 4U << 20;  // an answer of 100,000 tokens has 400 KB
  std::size_t reply_bytes_max = 0;         // of an answer's text; 0: none is kept
};

struct ResponseFacts {
  // All input counts as input, also what a cache gave (Anthropic counts cached tokens apart: they are added here).
  std::uint32_t input_tokens = 0, output_tokens = 0, reasoning_tokens = 0, cached_tokens = 0;
  bool has_usage = false;     // the server said it
  bool is_estimated = false;  // output_tokens is by count of deltas and bytes / 4: no usage came
  bool is_complete = false;   // the end of the dialect came: [DONE], message_stop, response.completed, or a whole body
  bool has_error = false;     // an error body, or an error event in a stream
  std::string stop;           // finish_reason, stop_reason or status; cut to 32 bytes
  std::string model;          // cut to 128 bytes
  std::string error_type;     // error.type, else error.code; cut to 64 bytes. Never the message
  std::uint64_t bytes = 0, events = 0;
  std::uint64_t events_skipped = 0;     // beyond the limit
  std::uint64_t events_unreadable = 0;  // data that is not JSON (but [DONE])
  std::string reply;                    // text of a stream; of a unary answer the body, if it is within the limit
};

class ResponseReader {
 public:
  ResponseReader(Endpoint endpoint, ResponseForm form, ResponseLimits limits = {});
  ~ResponseReader();
  ResponseReader(ResponseReader&&) noexcept;
  ResponseReader& operator=(ResponseReader&&) noexcept;

  void feed(std::string_view bytes);
  /// Once, after the last byte or when the stream broke.
  ResponseFacts finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
