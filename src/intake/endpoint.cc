#include "intake/endpoint.h"

namespace stillwatch::intake {
namespace {

std::string_view bare(std::string_view path) {
  path = path.substr(0, path.find_first_of("?#"));
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

Endpoint endpoint_of_path(std::string_view path) {
  path = bare(path);
  if (!path.starts_with("/v1/")) return Endpoint::other;
  path.remove_prefix(4);
  if (path == "chat/completions") return Endpoint::chat_completions;
  if (path == "completions") return Endpoint::completions;
  if (path == "responses") return Endpoint::responses;
  if (path == "messages") return Endpoint::messages;
  if (path == "messages/count_tokens") return Endpoint::count_tokens;
  if (path == "embeddings") return Endpoint::embeddings;
  if (path == "models" || path.starts_with("models/")) return Endpoint::models;
  if (path == "batches") return Endpoint::openai_batches;
  if (path == "messages/batches") return Endpoint::anthropic_batches;
  return Endpoint::other;
}

std::optional<event::Dialect> dialect_of_endpoint(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::chat_completions: return event::Dialect::openai_chat;
    case Endpoint::completions: return event::Dialect::text;
    case Endpoint::responses: return event::Dialect::openai_responses;
    case Endpoint::messages: return event::Dialect::anthropic_messages;
    default: return std::nullopt;
  }
}

std::optional<event::Dialect> dialect_of_path(std::string_view path) {
  return dialect_of_endpoint(endpoint_of_path(path));
}

ApiFamily family_of_path(std::string_view path, bool has_anthropic_version) {
  path = bare(path);
  if (path == "/v1/messages" || path.starts_with("/v1/messages/")) return ApiFamily::anthropic;
  const Endpoint endpoint = endpoint_of_path(path);
  const bool is_shared = endpoint == Endpoint::models || endpoint == Endpoint::other;
  return is_shared && has_anthropic_version ? ApiFamily::anthropic : ApiFamily::openai;
}

}  // namespace stillwatch::intake
