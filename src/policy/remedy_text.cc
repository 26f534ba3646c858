#include "policy/remedy_text.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/event_time.h"
#include "base/random.h"

namespace stillwatch::policy {
namespace {

std::string_view subject_words(const Remedy& remedy) {
  return remedy.scope == Scope::end_user ? "this end user" : "this account";
}

std::string case_of(const Remedy& remedy) { return case_id(remedy.campaign, remedy.subject); }

std::string appeal_words(const std::string& address) {
  return address.empty() ? std::string() : fmt::format(" If this is wrong, object at {}.", address);
}

RefusalDetails details_of(const Remedy& remedy, const RemedySettings& settings) {
  RefusalDetails details;
  details.level = event::name(remedy.level);
  details.rule = remedy.rule;
  details.scope = name(remedy.scope);
  details.case_id = case_of(remedy);
  details.expires = base::format_time(remedy.expires_us);
  if (remedy.action == Action::verify) details.verify = settings.verify_address;
  details.appeal = settings.appeal_address;
  return details;
}

}  // namespace

std::string case_id(std::uint32_t campaign, base::Token subject) {
  return fmt::format("c-{:06}-{:08x}", campaign, static_cast<std::uint32_t>(base::mix64(subject) >> 32));
}

std::string edit_names(const RestrictEdits& edits) {
  std::string names;
  const auto add = [&](bool on, std::string_view edit) {
    if (!on) return;
    if (!names.empty()) names += ", ";
    names += edit;
  };
  add(edits.strip_logprobs, "strip_logprobs");
  add(edits.clamp_n, "clamp_n");
  add(edits.remove_reasoning, "remove_reasoning");
  return names;
}

void add_remedy_fields(FieldList& fields, const Remedy& remedy, const RemedySettings& settings) {
  if (remedy.action == Action::none) return;
  if (remedy.dry_run && !settings.show_dry_run) return;
  add_field(fields, "stillwatch-level", event::name(remedy.level));
  add_field(fields, "stillwatch-rule", remedy.rule);
  add_field(fields, "stillwatch-scope", name(remedy.scope));
  add_field(fields, "stillwatch-case", case_of(remedy));
  add_field(fields, "stillwatch-expires", base::format_time(remedy.expires_us));
  if (!settings.appeal_address.empty()) add_field(fields, "stillwatch-appeal", settings.appeal_address);
  if (remedy.dry_run) {
    add_field(fields, "stillwatch-dry-run", name(remedy.action));
  } else if (remedy.action == Action::restrict) {
    add_field(fields, "stillwatch-restricted", edit_names(remedy.edits));
  }
}

Refusal refusal_of(const Remedy& remedy, const RemedySettings& settings) {
  STILLWATCH_ASSERT(remedy.refuses());
  Refusal refusal;
  refusal.kind = RefusalKind::permission;
  refusal.details = details_of(remedy, settings);
  const std::string& case_text = refusal.details.case_id;
  const std::string& expires = refusal.details.expires;
  if (remedy.action == Action::verify) {
    refusal.code = "verification_required";
    refusal.message = fmt::format("Requests of {} are refused until it is verified{}{}, or until {} (case {}).{}",
                                  subject_words(remedy), settings.verify_address.empty() ? "" : " at ",
                                  settings.verify_address, expires, case_text, appeal_words(settings.appeal_address));
  } else {
    refusal.code = "suspended";
    refusal.message = fmt::format("Requests of {} are refused until {} (case {}).{}", subject_words(remedy), expires,
                                  case_text, appeal_words(settings.appeal_address));
  }
  return refusal;
}

Refusal throttled(const Remedy& remedy, const RemedySettings& settings, std::int64_t retry_after_us) {
  Refusal refusal;
  refusal.kind = RefusalKind::rate_limit;
  refusal.code = "throttled";
  refusal.details = details_of(remedy, settings);
  refusal.retry_after_us = retry_after_us;
  std::string pace;
  if (remedy.requests_per_minute != 0) pace = fmt::format("{} a minute", remedy.requests_per_minute);
  if (remedy.requests_per_day != 0) {
    pace += fmt::format("{}{} a day", pace.empty() ? "" : " and ", remedy.requests_per_day);
  }
  refusal.message =
      fmt::format("Requests of {} are limited to {} until {} (case {}); the next one is accepted in {} s.{}",
                  subject_words(remedy), pace, refusal.details.expires, refusal.details.case_id,
                  retry_after_seconds(retry_after_us), appeal_words(settings.appeal_address));
  return refusal;
}

Limits throttle_limits(const Remedy& remedy) {
  Limits limits;
  if (remedy.enforced() && remedy.action == Action::throttle) {
    limits.requests_per_minute = remedy.requests_per_minute;
    limits.requests_per_day = remedy.requests_per_day;
  }
  return limits;
}

}  // namespace stillwatch::policy
