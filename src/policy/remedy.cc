#include "policy/remedy.h"

#include <algorithm>

#include "policy/policy.h"

namespace stillwatch::policy {
namespace {

using event::Level;

constexpr std::array<std::string_view, kActions> kActionNames{"none",     "notice",   "verify",
                                                              "throttle", "restrict", "suspend"};
constexpr std::array<std::string_view, 2> kScopeNames{"account", "end_user"};
constexpr std::array<std::string_view, 5> kBasisNames{"nothing", "allow_list", "override", "declared_use", "standing"};

constexpr unsigned rank(Action action) { return static_cast<unsigned>(action); }
constexpr Action lower(Action action) { return static_cast<Action>(rank(action) - 1); }

bool holds(const Override* decided, std::int64_t now_us) { return decided != nullptr && now_us < decided->until_us; }
bool holds(const Standing& standing, std::int64_t now_us) {
  return standing.level != Level::clear && now_us < standing.expires_us;
}

struct Rules {
  const RemedyRequest& request;
  const RemedySettings& settings;
  std::uint32_t dry_bits;

  bool is_verified() const { return request.verification >= settings.verification_satisfies; }
  bool applies(Action action) const { return action != Action::verify || !is_verified(); }

  /// What the level means for this subject.
  Action meant(Level level) const {
    const Action action = action_of(level);
    return applies(action) ? action : lower(action);
  }

  Remedy of_override(const Override& decided, Scope scope) const {
    Remedy remedy;
    remedy.basis = Basis::override_;
    remedy.scope = scope;
    remedy.level = decided.level;
    remedy.rule = "override";
    remedy.expires_us = decided.until_us;
    remedy.action = meant(decided.level);
    remedy.dry_run = remedy.action != Action::none && DrySwitches::is_master(dry_bits);
    return remedy;
  }

  Remedy of_standing(const Standing& standing, Scope scope) const {
    Remedy remedy;
    remedy.basis = Basis::standing;
    remedy.scope = scope;
    remedy.level = standing.level;
    remedy.class_ = standing.class_;
    remedy.rule = standing.rule;
    remedy.campaign = standing.campaign;
    remedy.expires_us = standing.expires_us;
    const Action meant_here = meant(standing.level);
    Action enforced = standing.dry_run ? Action::none : meant_here;
    while (enforced != Action::none && (!applies(enforced) || DrySwitches::is_dry(dry_bits, enforced))) {
      enforced = lower(enforced);
    }
    // A level that rises must not let through whom a lower one refused: until they have verified, it stays at that.
    const bool lets_through = enforced == Action::throttle || enforced == Action::restrict;
    if (lets_through && applies(Action::verify) && !DrySwitches::is_dry(dry_bits, Action::verify))
      enforced = Action::verify;
    remedy.action = enforced != Action::none ? enforced : meant_here;
    remedy.dry_run = enforced == Action::none && meant_here != Action::none;
    return remedy;
  }

  // A declared use leaves the account observed, whatever its traffic looks like.
  Remedy of_declared(const Standing& standing, Scope scope) const {
    Remedy remedy = of_standing(standing, scope);
    remedy.basis = Basis::declared_use;
    remedy.level = std::min(remedy.level, Level::observe);
    remedy.action = Action::none;
    remedy.dry_run = false;
    return remedy;
  }

  Remedy of_subject(const Standing& standing, const Override* decided, Scope scope) const {
    if (holds(decided, request.now_us)) return of_override(*decided, scope);
    if (!holds(standing, request.now_us)) return {};
    if (is_declared(request.declared, request.now_us)) return of_declared(standing, scope);
    return of_standing(standing, scope);
  }
};

// Enforced before dry, then the stronger action, then the higher level; the account when they are equal, because then
// it is not the end user alone who is acted on.
bool outweighs(const Remedy& end_user, const Remedy& account) {
  const auto weight = [](const Remedy& remedy) {
    return std::tuple(remedy.enforced(), remedy.refuses(), rank(remedy.action), remedy.level);
  };
  return weight(end_user) > weight(account);
}

}  // namespace

std::string_view name(Action action) { return kActionNames[rank(action)]; }
std::string_view name(Scope scope) { return kScopeNames[static_cast<std::size_t>(scope)]; }
std::string_view name(Basis basis) { return kBasisNames[static_cast<std::size_t>(basis)]; }

Action action_of(Level level) {
  switch (level) {
    case Level::clear:
    case Level::observe: return Action::none;
    case Level::notice: return Action::notice;
    case Level::verify: return Action::verify;
    case Level::throttle: return Action::throttle;
    case Level::restrict: return Action::restrict;
    case Level::suspend: return Action::suspend;
  }
  return Action::none;
}

void DrySwitches::set_master(bool dry_run) {
  if (dry_run) {
    bits_.fetch_or(kMaster, std::memory_order_relaxed);
  } else {
    bits_.fetch_and(~kMaster, std::memory_order_relaxed);
  }
}

void DrySwitches::set(Action action, bool dry_run) {
  const std::uint32_t bit = 1U << rank(action);
  if (dry_run) {
    bits_.fetch_or(bit, std::memory_order_relaxed);
  } else {
    bits_.fetch_and(~bit, std::memory_order_relaxed);
  }
}

Remedy decide_remedy(const RemedyRequest& request, const RemedySettings& settings, const DrySwitches& switches) {
  if (request.allow_listed) {
    Remedy remedy;
    remedy.basis = Basis::allow_list;
    remedy.subject = request.account;
    return remedy;
  }
  const Rules rules{request, settings, switches.bits()};
  Remedy remedy = rules.of_subject(request.account_standing, request.account_override, Scope::account);
  if (request.end_user != 0) {
    const Remedy narrow = rules.of_subject(request.end_user_standing, request.end_user_override, Scope::end_user);
    // A person's word on the end user alone, also `clear`, is about that end user and no one else; a person's word on
    // the account is about all of them.
    const bool is_word_on_end_user = narrow.basis == Basis::override_ && remedy.basis != Basis::override_;
    const bool is_word_on_account = remedy.basis == Basis::override_ && narrow.basis != Basis::override_;
    if (is_word_on_end_user || (!is_word_on_account && outweighs(narrow, remedy))) remedy = narrow;
  }
  remedy.subject = remedy.scope == Scope::end_user ? request.end_user : request.account;
  if (remedy.enforced()) {
    if (remedy.action == Action::throttle) {
      remedy.requests_per_minute = settings.throttle_requests_per_minute;
      remedy.requests_per_day = settings.throttle_requests_per_day;
    }
    if (remedy.action == Action::restrict) remedy.edits = settings.restrict_edits;
  }
  return remedy;
}

}  // namespace stillwatch::policy
