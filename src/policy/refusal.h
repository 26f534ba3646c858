// A refusal in the dialect of the caller: status, JSON body and header fields, so that the official SDKs raise the
// exception that fits.
//
// Invariants: a body is valid JSON whatever bytes the texts hold, and at most kRefusalBytesMax long before escaping;
// the status depends on the kind and the dialect alone; no prompt, key or raw id is ever part of one (whoever makes a
// Refusal sees to it). Threads: pure functions. Cost: about a microsecond, only for requests that are refused.
// Reference: docs/reference/refusals.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "event/query.h"
#include "policy/field.h"

namespace stillwatch::policy {

/// What kind of error it is: the exception that the caller's SDK raises follows from it.
enum class RefusalKind : std::uint8_t {
  authentication,   // 401
  permission,       // 403
  not_found,        // 404
  invalid_request,  // 400
  too_large,        // 413
  rate_limit,       // 429
  internal,         // 500: a bug of ours
  upstream,         // 502: the model server answered garbage or died
  overloaded,       // 503, and 529 for Anthropic's clients: try again
  timeout,          // 504: the model server was too slow
  slow_request,     // 408: the client was
};
inline constexpr std::size_t kRefusalKinds = 11;

/// Whose error format the caller reads. Whatever is not Anthropic's reads OpenAI's.
enum class ErrorDialect : std::uint8_t { openai, anthropic };
constexpr ErrorDialect error_dialect(event::Dialect dialect) {
  return dialect == event::Dialect::anthropic_messages ? ErrorDialect::anthropic : ErrorDialect::openai;
}

/// What a remedy says beside the message; empty texts are left out. In the body as error.stillwatch.
struct RefusalDetails {
  std::string_view level, rule, scope;
  std::string case_id, expires;  // expires: RFC 3339
  std::string verify, appeal;    // addresses for people
  bool empty() const { return level.empty() && case_id.empty() && verify.empty() && appeal.empty(); }
};

struct Refusal {
  RefusalKind kind = RefusalKind::internal;
  std::string_view code;            // of static storage; machine-readable, listed in docs/reference/refusals.md
  std::string message;              // a sentence that a developer can act on
  std::string_view param;           // of static storage: the request's parameter at fault; empty: none
  std::int64_t retry_after_us = 0;  // 0: says nothing
  RefusalDetails details;
};

struct RenderedRefusal {
  std::uint16_t status = 500;
  std::string body;  // content-type: application/json
  FieldList fields;  // content-type, retry-after, x-should-retry, request ids, and those of the remedy
};

inline constexpr std::size_t kRefusalTextBytesMax = 2'048;  // of a message; longer ones are cut: no reader wants more

std::uint16_t status_of(RefusalKind kind, ErrorDialect dialect);
/// The dialect's own name of the kind: `error.type` in both bodies.
std::string_view type_of(RefusalKind kind, ErrorDialect dialect);

/// `request_id`: what stillwatch-request-id and the dialect's own id field say; empty: left out.
RenderedRefusal render(const Refusal& refusal, ErrorDialect dialect, std::string_view request_id);

/// The value of retry-after: whole seconds, rounded up, at least 1.
std::int64_t retry_after_seconds(std::int64_t retry_after_us);

}  // namespace stillwatch::policy
