// What the access protocol, the quotas and the remedies need of a request body, in one pass.
//
// Invariant: of a repeated key the last one counts, as upstream; a body that is not one JSON object of the expected
// types is a Refusal (reason and field, no content), and the gateway decides by policy what becomes of it.
// Threads: one reader a thread. Cost: one simdjson pass; see request_facts in intake_bench.cc.
// Spec: docs/reference/restrictions.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "intake/endpoint.h"
#include "intake/reject.h"

namespace stillwatch::intake {

struct RequestFacts {
  std::string model;     // cut to limits::kIdBytesMax at a character
  std::string end_user;  // safety_identifier, else user, else metadata.user_id. Raw: to be hashed, never to be logged
  std::int64_t n = 1;    // answers asked for; the largest of n and best_of
  std::int64_t output_tokens_max = -1;  // an answer; -1 when the body does not say. The largest that it names
  std::uint64_t input_tokens = 0;       // approximate: bytes / 4, for reservation only
  std::int32_t top_logprobs = 0;
  bool stream = false;
  bool wants_usage_in_stream = false;  // openai.chat: stream_options.include_usage
  bool logprobs = false;               // asked for in any form of the dialect
  bool reasoning = false;              // effort, budget or a summary asked for; not "none" or "disabled"
  bool encrypted_reasoning = false;    // include: reasoning.encrypted_content
  bool is_batch = false;               // many prompts in one request: batch endpoints, arrays of prompts or inputs
};

class RequestFactsReader {
 public:
  RequestFactsReader();
  ~RequestFactsReader();

  /// `body` has kJsonPadding readable bytes behind it (intake/body_reader.h). Fields not there keep their defaults.
  /// Endpoint::other, models: nothing is read, only the size counts.
  std::optional<Refusal> read(Endpoint endpoint, std::string_view body, RequestFacts& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What to reserve before the answer is known: input + n * output_tokens_max, or n * output_tokens_default.
std::uint64_t tokens_to_reserve(const RequestFacts& facts, std::uint64_t output_tokens_default);

}  // namespace stillwatch::intake
