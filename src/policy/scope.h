// Who is acted on: the account, or one of its end users.
//
// A service may pass on requests of thousands of people, one of whom harvests; acting on the service would hit all of
// them. So the smallest scope is taken for which the evidence holds. But the account itself names its end users, and
// it may be the attacker: whoever forges end users must gain nothing by it. Therefore an end user is the scope only
// when all of this holds:
// - a few end users (at most 3) certainly send at least 90 % of the group's work. Who spreads his work over made-up
//   users, or names none, is acted on as an account;
// - at least 20 other end users send most of the account's other requests, and the group's work is at most a quarter of
//   all. The cover must be real, paid requests: three for each one stolen, which is a quarter of the yield for the same
//   money. That dilution costs him more than an account does;
// - few end users of the account were acted on lately (settings.end_users_acted_max in 30 days). Who goes on under the
//   next name has an hour for each, and loses the account with the one after;
// - accounts narrowed so are the minority of the group's members that stand. A service is one customer among strangers;
//   a hydra that forges does it on all its accounts;
// - the group is not held together by hand-offs: then one operator runs the accounts, whoever their users are.
// The last two do not hold for a reseller whose pool one customer harvests through: then the same few end users send
// the work on all its accounts, and they are the scope. A hydra that gives its own work one name everywhere loses that
// name everywhere; each of the next ones costs it hours, and with the fourth it loses the accounts. The work may then
// be half of an account's requests: one customer can be a pool's best.
// Invariant: narrowing never raises a level, and the account is observed meanwhile, so a person sees both.
// Threads: pure functions. Cost: nanoseconds.
#pragma once

#include <cstdint>

#include "policy/policy.h"

namespace stillwatch::policy {

/// What an account's requests since it was linked say about its end users.
struct EndUserEvidence {
  bool same_few = false;           // they send nearly all of the work of the whole group, on all its accounts
  std::uint32_t hits = 0;          // requests of the group's work
  std::uint32_t hits_of_few = 0;   // of these, certainly by at most kFewEndUsersMax end users
  std::uint32_t others = 0;        // its other requests
  std::uint32_t others_named = 0;  // of these, by end users not among the few
  double others_distinct = 0;      // how many end users those are
  std::uint32_t acted_on = 0;      // end users of this account acted on lately
  std::uint32_t few_unknown = 0;   // of the few, how many would be acted on anew
};

/// The group that the account is a member of.
struct NarrowingGroup {
  bool handed_off = false;
  bool same_few = false;  // the same few end users send nearly all of the work of all members
  std::uint32_t members_standing = 0;
  std::uint32_t members_narrow = 0;  // of these, with end users that look as narrows() asks
};

inline constexpr unsigned kFewEndUsersMax = 3;

/// Whether the account's own evidence allows to act on end users instead of it.
bool looks_narrow(const EndUserEvidence& evidence, const Settings& settings);
/// Whether that may be done, given the group.
bool may_narrow(const NarrowingGroup& group);

/// Whether the account says for whom it sends its requests: then a person may be asked about, and not the service.
/// `named`: requests with an end user, of `requests`; `distinct`: how many end users.
bool passes_end_users(std::uint64_t requests, std::uint64_t named, double distinct);

}  // namespace stillwatch::policy
