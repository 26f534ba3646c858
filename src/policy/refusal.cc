#include "policy/refusal.h"

#include <algorithm>

#include "base/event_time.h"
#include "base/json_text.h"

namespace stillwatch::policy {
namespace {

struct Row {
  std::uint16_t openai_status, anthropic_status;
  std::string_view openai_type, anthropic_type;
};
// In the order of RefusalKind. Anthropic's names and statuses are those of its error reference; OpenAI's clients go by
// the status, and its types are those that its API gives with it.
constexpr Row kRows[kRefusalKinds] = {
    {401, 401, "authentication_error", "authentication_error"},
    {403, 403, "permission_error", "permission_error"},
    {404, 404, "not_found_error", "not_found_error"},
    {400, 400, "invalid_request_error", "invalid_request_error"},
    {413, 413, "invalid_request_error", "request_too_large"},
    {429, 429, "rate_limit_error", "rate_limit_error"},
    {500, 500, "server_error", "api_error"},
    {502, 502, "server_error", "api_error"},
    {503, 529, "server_error", "overloaded_error"},
    {504, 504, "server_error", "timeout_error"},
    {408, 408, "invalid_request_error", "timeout_error"},
};

// Longer waits are told to a person. The SDKs would sleep as long as retry-after says, a day if need be, or, some of
// them, not heed it beyond a minute and try again at once.
constexpr std::int64_t kClientWaitUsMax = 60 * base::kSecondUs;

std::string_view cut(std::string_view text) {
  std::size_t length = std::min(text.size(), kRefusalTextBytesMax);
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
  return text.substr(0, length);
}

void add_member(std::string& out, std::string_view key, std::string_view value) {
  if (out.back() != '{') out += ',';
  base::append_json_string(out, key);
  out += ':';
  base::append_json_string(out, value);
}

void add_optional(std::string& out, std::string_view key, std::string_view value) {
  if (!value.empty()) add_member(out, key, value);
}

void add_nullable(std::string& out, std::string_view key, std::string_view value) {
  if (!value.empty()) return add_member(out, key, value);
  out += ',';
  base::append_json_string(out, key);
  out += ":null";
}

void add_details(std::string& out, const RefusalDetails& details) {
  if (details.empty()) return;
  out += ",\"stillwatch\":{";
  add_optional(out, "level", details.level);
  add_optional(out, "rule", details.rule);
  add_optional(out, "scope", details.scope);
  add_optional(out, "case", cut(details.case_id));
  add_optional(out, "expires", cut(details.expires));
  add_optional(out, "verify", cut(details.verify));
  add_optional(out, "appeal", cut(details.appeal));
  out += '}';
}

// Waiting helps neither who is not allowed nor who asks for too much; only the rest is worth a retry.
bool is_worth_a_retry(const Refusal& refusal) {
  switch (refusal.kind) {
    case RefusalKind::rate_limit: return refusal.retry_after_us <= kClientWaitUsMax;
    case RefusalKind::internal:
    case RefusalKind::upstream:
    case RefusalKind::overloaded:
    case RefusalKind::timeout:
    case RefusalKind::slow_request: return true;
    default: return false;
  }
}

}  // namespace

std::uint16_t status_of(RefusalKind kind, ErrorDialect dialect) {
  const Row& row = kRows[static_cast<std::size_t>(kind)];
  return dialect == ErrorDialect::anthropic ? row.anthropic_status : row.openai_status;
}

std::string_view type_of(RefusalKind kind, ErrorDialect dialect) {
  const Row& row = kRows[static_cast<std::size_t>(kind)];
  return dialect == ErrorDialect::anthropic ? row.anthropic_type : row.openai_type;
}

RenderedRefusal render(const Refusal& refusal, ErrorDialect dialect, std::string_view request_id) {
  RenderedRefusal out;
  out.status = status_of(refusal.kind, dialect);
  const bool is_anthropic = dialect == ErrorDialect::anthropic;
  std::string& body = out.body;
  body = is_anthropic ? R"({"type":"error","error":{)" : R"({"error":{)";
  add_member(body, "type", type_of(refusal.kind, dialect));
  add_member(body, "message", cut(refusal.message));
  if (is_anthropic) {
    // Where Anthropic's clients look for a code (error_code); `code` and `param` are as in the other dialect.
    add_optional(body, "code", refusal.code);
    if (!refusal.code.empty()) {
      body += R"(,"details":{)";
      add_member(body, "error_code", refusal.code);
      body += '}';
    }
    add_optional(body, "param", refusal.param);
  } else {
    add_nullable(body, "param", refusal.param);
    add_nullable(body, "code", refusal.code);
  }
  add_details(body, refusal.details);
  body += '}';
  if (is_anthropic) add_nullable(body, "request_id", cut(request_id));
  body += '}';

  add_field(out.fields, "content-type", "application/json");
  if (refusal.retry_after_us > 0) {
    add_field(out.fields, "retry-after", std::to_string(retry_after_seconds(refusal.retry_after_us)));
  }
  if (!is_worth_a_retry(refusal)) add_field(out.fields, "x-should-retry", "false");
  if (!request_id.empty()) {
    add_field(out.fields, is_anthropic ? "request-id" : "x-request-id", cut(request_id));
    add_field(out.fields, "stillwatch-request-id", cut(request_id));
  }
  return out;
}

std::int64_t retry_after_seconds(std::int64_t retry_after_us) {
  const std::int64_t whole = retry_after_us / base::kSecondUs;
  return std::max<std::int64_t>(retry_after_us % base::kSecondUs > 0 ? whole + 1 : whole, 1);
}

void add_field(FieldList& fields, std::string_view name, std::string_view value) {
  Field field{name, std::string(value)};
  for (char& byte : field.value) {
    const auto code = static_cast<unsigned char>(byte);
    if ((code < 0x20 && byte != '\t') || code == 0x7F) byte = ' ';
  }
  fields.push_back(std::move(field));
}

}  // namespace stillwatch::policy
