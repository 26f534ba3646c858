#include "policy/limit_headers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/event_time.h"

namespace stillwatch::policy {
namespace {

struct Names {
  std::string_view limit, remaining, reset;
};
constexpr Names kOpenaiRequests{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
                                "x-ratelimit-reset-requests"};
constexpr Names kOpenaiTokens{"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"};
constexpr Names kAnthropicRequests{"anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
                                   "anthropic-ratelimit-requests-reset"};
constexpr Names kAnthropicTokens{"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
                                 "anthropic-ratelimit-tokens-reset"};

// A time that the form can hold: a debt that takes longer than centuries is as good as for ever.
constexpr std::int64_t kResetUsMax = 36'500 * base::kDayUs;

void add(FieldList& fields, const Names& names, const Allowance& allowance, ErrorDialect dialect, std::int64_t now_us) {
  if (allowance.limit == 0) return;
  const std::int64_t reset_us = std::clamp<std::int64_t>(allowance.reset_us, 0, kResetUsMax);
  add_field(fields, names.limit, std::to_string(allowance.limit));
  add_field(fields, names.remaining, std::to_string(allowance.remaining));
  if (dialect == ErrorDialect::anthropic) {
    const std::int64_t whole_us = (now_us + reset_us + base::kSecondUs - 1) / base::kSecondUs * base::kSecondUs;
    add_field(fields, names.reset, base::format_time(whole_us));
  } else {
    add_field(fields, names.reset, duration_text(reset_us));
  }
}

std::string_view unit_words(LimitKind limit) {
  switch (limit) {
    case LimitKind::requests_per_minute: return "requests a minute";
    case LimitKind::tokens_per_minute: return "tokens a minute";
    case LimitKind::tokens_per_day: return "tokens a day";
    case LimitKind::streams: return "streams at the same time";
    case LimitKind::requests_per_day: return "requests a day";
  }
  return "";
}

std::string_view code_of(LimitKind limit) {
  switch (limit) {
    case LimitKind::requests_per_minute: return "requests_per_minute_exceeded";
    case LimitKind::tokens_per_minute: return "tokens_per_minute_exceeded";
    case LimitKind::tokens_per_day: return "tokens_per_day_exceeded";
    case LimitKind::streams: return "streams_exceeded";
    case LimitKind::requests_per_day: return "requests_per_day_exceeded";
  }
  return "";
}

std::string_view scope_words(ScopeKind scope) {
  switch (scope) {
    case ScopeKind::end_user: return "end user";
    case ScopeKind::key: return "API key";
    case ScopeKind::account: return "account";
    case ScopeKind::organisation: return "organisation";
    case ScopeKind::tier: return "service tier";
    case ScopeKind::remedy: return "account";
  }
  return "";
}

}  // namespace

void add_limit_fields(FieldList& fields, const Allowances& allowances, ErrorDialect dialect, std::int64_t now_us) {
  const bool is_anthropic = dialect == ErrorDialect::anthropic;
  add(fields, is_anthropic ? kAnthropicRequests : kOpenaiRequests, allowances.requests, dialect, now_us);
  add(fields, is_anthropic ? kAnthropicTokens : kOpenaiTokens, allowances.tokens, dialect, now_us);
}

Refusal refusal_of(const QuotaDenied& denied) {
  Refusal refusal;
  refusal.details.scope = name(denied.scope);
  if (denied.never) {
    refusal.kind = RefusalKind::invalid_request;
    refusal.code = "request_exceeds_limit";
    refusal.message =
        fmt::format("The request alone asks for more than the {} {} of this {}: lower its output limit or its input.",
                    denied.limit_value, unit_words(denied.limit), scope_words(denied.scope));
    return refusal;
  }
  refusal.kind = RefusalKind::rate_limit;
  refusal.code = code_of(denied.limit);
  refusal.retry_after_us = denied.retry_after_us;
  refusal.message =
      fmt::format("The limit of this {}, {} {}, is used up; try again in {} s.", scope_words(denied.scope),
                  denied.limit_value, unit_words(denied.limit), retry_after_seconds(denied.retry_after_us));
  return refusal;
}

std::string duration_text(std::int64_t duration_us) {
  // Up to the next millisecond, and from a second on to the next second: never sooner than it is.
  const std::int64_t ms = (std::max<std::int64_t>(duration_us, 0) + 999) / 1'000;
  if (ms == 0) return "0s";
  if (ms < 1'000) return fmt::format("{}ms", ms);
  const std::int64_t seconds = (ms + 999) / 1'000;
  const std::int64_t hours = seconds / 3'600, minutes = seconds / 60 % 60, rest = seconds % 60;
  if (hours > 0) return fmt::format("{}h{}m{}s", hours, minutes, rest);
  if (minutes > 0) return fmt::format("{}m{}s", minutes, rest);
  return fmt::format("{}s", rest);
}

}  // namespace stillwatch::policy
