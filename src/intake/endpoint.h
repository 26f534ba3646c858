// What a path of the LLM API is: which dialect its bodies are in, and what the gateway reads of them.
//
// Invariant: a path that is not known passes through as it is (Endpoint::other), never as a guess at a dialect.
// Threads: pure functions. Cost: a few comparisons of short texts.
// Spec: the OpenAI and Anthropic API references; docs/reference/restrictions.md lists the paths.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "event/query.h"

namespace stillwatch::intake {

enum class Endpoint : std::uint8_t {
  other,              // passes as it is: no body is read
  chat_completions,   // openai.chat
  completions,        // text (the old completions API)
  responses,          // openai.responses
  messages,           // anthropic.messages
  count_tokens,       // Anthropic: counts, answers nothing
  embeddings,         // OpenAI: usage, no text in return
  models,             // lists
  openai_batches,     // requests stand in uploaded files
  anthropic_batches,  // requests stand in the body, in `requests[].params`
};

/// How refusals and limits are worded for this caller.
enum class ApiFamily : std::uint8_t { openai, anthropic };

/// `path` may have a query or a fragment. A prefix of the upstream ("/openai", "/anthropic/api") is the caller's to
/// cut; a trailing slash is forgiven. Everything below `/v1/responses/ID` and the like is `other`.
Endpoint endpoint_of_path(std::string_view path);
/// Of endpoints whose request is a prompt for text: the four dialects. Nothing for the rest.
std::optional<event::Dialect> dialect_of_endpoint(Endpoint endpoint);
std::optional<event::Dialect> dialect_of_path(std::string_view path);
/// Anthropic for its own paths; OpenAI for everything else, whose error form other servers share. Paths that both have
/// (`/v1/models`) are decided by the caller's header: has_anthropic_version.
ApiFamily family_of_path(std::string_view path, bool has_anthropic_version);
constexpr bool is_batch(Endpoint endpoint) {
  return endpoint == Endpoint::openai_batches || endpoint == Endpoint::anthropic_batches;
}

}  // namespace stillwatch::intake
