// The rate-limit fields of a response in the dialect of the caller, and the 429 of a quota.
//
// Invariant: numbers are those of the tightest scope; a resource without a limit has no fields.
// Threads: pure functions. Cost: about a microsecond a response. Forms: OpenAI's x-ratelimit-* with durations such as
// "6m0s" or "120ms", Anthropic's anthropic-ratelimit-* with RFC 3339 times.
#pragma once

#include <string>

#include "policy/quota.h"
#include "policy/refusal.h"

namespace stillwatch::policy {

void add_limit_fields(FieldList& fields, const Allowances& allowances, ErrorDialect dialect, std::int64_t now_us);

/// The 429 of a denied reservation: names scope and limit, never the subject.
Refusal refusal_of(const QuotaDenied& denied);

/// "0s", "120ms", "1s", "6m0s", "1h2m3s": as OpenAI writes time that is left.
std::string duration_text(std::int64_t duration_us);

}  // namespace stillwatch::policy
