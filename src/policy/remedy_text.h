// A remedy in words: response fields, the 403 or 429 of it, and its case id.
//
// Invariants: an enforced remedy is always named (level, rule, case, expiry, appeal address); one in dry run says
// nothing unless the settings ask for it. A case id holds no raw id and no whole token.
// Threads: pure functions. Cost: about a microsecond, only for requests that have a remedy.
#pragma once

#include <string>

#include "policy/quota.h"
#include "policy/refusal.h"
#include "policy/remedy.h"

namespace stillwatch::policy {

/// `c-000123-9f3a21bc`: the campaign and 32 bits of the subject's token; stable while the campaign is.
std::string case_id(std::uint32_t campaign, base::Token subject);

/// "strip_logprobs, clamp_n, remove_reasoning": those that are on.
std::string edit_names(const RestrictEdits& edits);

/// The stillwatch-* fields of a response; none without a remedy.
void add_remedy_fields(FieldList& fields, const Remedy& remedy, const RemedySettings& settings);

/// The 403 of `verify` and `suspend`. Needs remedy.refuses().
Refusal refusal_of(const Remedy& remedy, const RemedySettings& settings);
/// What a throttle lets pass: the limits of its scope (ScopeKind::remedy, remedy.subject). None for other remedies.
Limits throttle_limits(const Remedy& remedy);
/// The 429 of a `throttle` whose quota is used up.
Refusal throttled(const Remedy& remedy, const RemedySettings& settings, std::int64_t retry_after_us);

}  // namespace stillwatch::policy
