// From evidence to a level: the ladder, declared use, expiry, dry run. The only place that decides what is done to
// anybody.
//
// Invariants: nothing above `observe` for an automation or a declared customer; nothing above `notice`, which only
// asks, for a reseller; `verify` and up, where requests can be refused, only for a distiller's member that stands on
// two independent channels of its own; `suspend` is never automatic; every level expires. Threads: pure functions.
// Cost: nanoseconds.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/event_time.h"
#include "event/account.h"
#include "event/verdict.h"

namespace stillwatch::policy {

struct Settings {
  bool dry_run = true;
  // Levels last this long without renewed evidence (threat model, requirement 6).
  std::int64_t expiry_us = 7 * base::kDayUs;
  // Evidence of a member older than this does not renew its level.
  std::int64_t renewal_us = base::kDayUs;
  // Each further power of ten of evidence beyond the threshold is one rung of the ladder.
  double rung_log10_e = 1.5;
  event::Level automatic_level_max = event::Level::restrict;
  // Pooled accounts are observed this long before they are asked to declare resale: a relay that a provider knows by
  // then never hears of it.
  std::int64_t notice_after_us = 3 * base::kDayUs;
  // End users of one account that may be acted on within 30 days before the account itself is (scope.h).
  std::uint32_t end_users_acted_max = 3;
  // When an alarm says that verdicts suddenly fall on one kind of long known, verified accounts, further ones of the
  // kind are held at `observe` this long. On by default: a wrong verdict on many honest customers at once is the worst
  // that this program can do, and fresh accounts are never held (engine/verdict_rate_alarm.h).
  bool alarm_dry_run = true;
  std::int64_t alarm_hold_us = 3 * base::kDayUs;
};

/// What detection found of one group, without its types: policy knows no detector.
struct GroupEvidence {
  double operator_log10_e = 0;   // question 1: one operator?
  double harvest_log10_e = 0;    // question 2: harvest?
  double threshold_log10_e = 0;  // that the promised error rate asks for
  bool handed_off = false;       // linked by conversations that move between accounts
  bool testable = false;         // enough requests after linking
  bool watched = false;          // too young to test, but large and broad
};

struct MemberEvidence {
  event::ChannelSet channels;
  bool stands = false;  // on its own: two independent channels
  // For a reseller's member: how long it has been observed, and whether it says for whom it sends (scope.h).
  std::int64_t observed_us = 0;
  bool passes_end_users = false;
};

struct Decision {
  event::Level level = event::Level::clear;
  event::Class class_ = event::Class::unknown;
  const char* rule = "";
};

/// Whether the decision is a reseller's notice: it asks to declare resale or to pass end users.
constexpr bool asks_to_declare(const Decision& decision) {
  return decision.class_ == event::Class::reseller && decision.level == event::Level::notice;
}

/// Both questions -> distiller. Hand-offs with the variety of real users -> reseller. Harvest-like work without one
/// operator -> automation. Otherwise unknown, which is no finding.
event::Class classify(const GroupEvidence& group);

Decision decide(event::Class class_, const GroupEvidence& group, const MemberEvidence& member, bool declared,
                const Settings& settings);

/// Whether a declared use covers the account at this time. Any declared purpose does: what a contract allows is not an
/// attack.
bool is_declared(std::span<const event::DeclaredUse> uses, std::int64_t time_us);

}  // namespace stillwatch::policy
