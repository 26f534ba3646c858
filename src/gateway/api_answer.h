// Answers of the decision and admin APIs: JSON objects, problems, and the stream of changes.
//
// Invariant: what is written is valid JSON whatever the bytes; a problem is {"error":"a sentence"}.
// Threads: coroutines of one network thread. Cost: a string an answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/verdict_table.h"
#include "gateway/station.h"
#include "http/server.h"

namespace stillwatch::gateway {

/// One flat JSON object, field by field.
class JsonWriter {
 public:
  void text(std::string_view name, std::string_view value);
  void number(std::string_view name, std::uint64_t value);
  void flag(std::string_view name, bool value);
  /// `json` is a JSON value.
  void raw(std::string_view name, std::string_view json);
  std::string finish();

 private:
  void key(std::string_view name);
  std::string out_ = "{";
};

http::Task<void> answer_json(http::Exchange& exchange, int status, std::string body);
http::Task<void> answer_problem(http::Exchange& exchange, int status, std::string_view sentence);

/// GET /v1/decisions/stream: events from Last-Event-ID (or ?after=) on, then as they come; a comment every 15 seconds.
http::Task<void> follow_decisions(Desk& desk, http::Exchange& exchange);

/// "c-000012".
std::string campaign_name(std::uint32_t campaign);
/// `,"next":"..."`: what ?after= takes for the page behind this subject of the n-th table of levels. Tokens, not ids.
std::string next_page(const engine::ListedLevel& last, std::size_t source);

}  // namespace stillwatch::gateway
