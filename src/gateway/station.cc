#include "gateway/station.h"

#include "policy/remedy_text.h"

namespace stillwatch::gateway {
namespace {

policy::Standing standing_of(const engine::VerdictTable& table, base::Token subject, std::int64_t now_us) {
  const engine::PublishedLevel found = table.look_up(subject, now_us);
  policy::Standing standing;
  standing.level = found.level;
  standing.class_ = found.class_;
  standing.dry_run = found.dry_run;
  standing.campaign = found.campaign;
  standing.expires_us = static_cast<std::int64_t>(found.expires_h) * base::kHourUs;
  standing.rule = table.rule_name(found.rule);
  return standing;
}

/// Of two standings the one that goes further.
void take_higher(policy::Standing& standing, const policy::Standing& other) {
  if (other.level > standing.level || (other.level == standing.level && standing.dry_run && !other.dry_run))
    standing = other;
}

const policy::Limits& limits_of(const Caller& caller, settings::LimitScope scope) {
  static const policy::Limits kNone;
  const auto at = static_cast<std::size_t>(scope);
  if (caller.key_rule != nullptr && !caller.key_rule->limits[at].none()) return caller.key_rule->limits[at];
  return caller.tier != nullptr ? caller.tier->limits[at] : kNone;
}

}  // namespace

base::Token subject_in(const EarlierSource& source, std::string_view account, std::string_view end_user) {
  const base::Token token = (*source.keyed_hash)(crypto::Domain::account, account);
  if (end_user.empty()) return token;
  return engine::end_user_subject(token, (*source.keyed_hash)(crypto::Domain::end_user, end_user));
}

policy::Remedy judge(Desk& desk, const Ruleset& rules, const Caller& caller, base::Token end_user,
                     std::int64_t now_us) {
  const engine::VerdictTable& table = desk.station.observer.verdicts();
  policy::RemedyRequest request;
  request.account = caller.account_token;
  request.account_standing = standing_of(table, caller.account_token, now_us);
  desk.overrides.refresh();
  request.account_override = desk.overrides.find(caller.account_token, now_us);
  if (end_user != 0) {
    request.end_user = engine::end_user_subject(caller.account_token, end_user);
    request.end_user_standing = standing_of(table, request.end_user, now_us);
    request.end_user_override = desk.overrides.find(request.end_user, now_us);
  }
  for (const EarlierSource& source : desk.station.earlier) {
    if (caller.account.empty()) break;
    take_higher(request.account_standing, standing_of(*source.table, subject_in(source, caller.account, {}), now_us));
    if (end_user == 0) continue;
    take_higher(request.end_user_standing,
                standing_of(*source.table, subject_in(source, caller.account, caller.end_user), now_us));
  }
  if (caller.facts != nullptr) {
    request.allow_listed = caller.facts->allow_listed;
    request.declared = caller.facts->declared;
    request.verification = caller.facts->verification;
  }
  request.now_us = now_us;
  return policy::decide_remedy(request, rules.remedies(), desk.station.switches);
}

std::size_t quota_scopes(const Caller& caller, base::Token end_user, const policy::Remedy& remedy,
                         std::array<policy::QuotaScope, policy::kQuotaScopesMax>& scopes) {
  std::size_t count = 0;
  const auto add = [&](policy::ScopeKind kind, base::Token subject, const policy::Limits& limits) {
    if (subject != 0 && !limits.none()) scopes[count++] = {kind, subject, limits};
  };
  if (end_user != 0) {
    add(policy::ScopeKind::end_user, engine::end_user_subject(caller.account_token, end_user),
        limits_of(caller, settings::LimitScope::end_user));
  }
  add(policy::ScopeKind::key, caller.key_token, limits_of(caller, settings::LimitScope::key));
  add(policy::ScopeKind::account, caller.account_token, limits_of(caller, settings::LimitScope::account));
  add(policy::ScopeKind::organisation, caller.organisation_token,
      limits_of(caller, settings::LimitScope::organisation));
  // Accounts without a tier share that of the default one.
  const base::Token tier = caller.tier_token != 0 ? caller.tier_token : 1;
  add(policy::ScopeKind::tier, tier, limits_of(caller, settings::LimitScope::tier));
  if (remedy.enforced() && remedy.action == policy::Action::throttle) {
    add(policy::ScopeKind::remedy, remedy.subject, policy::throttle_limits(remedy));
  }
  return count;
}

}  // namespace stillwatch::gateway
