// What is done to one request: from the standing of its account and end user to a remedy.
//
// Which comes first: the allow-list, then a human's override, then declared use, then the engine's standing. Of the
// account's and the end user's, the one that is enforced and stronger applies, and it is named (scope).
// Dry run is per remedy, with one master switch. A level whose remedy is in dry run gets the strongest lower remedy
// that is not: else a level that rises would free whom the lower one held. For the same reason a standing of `throttle`
// or `restrict` is met by `verify`, where that is on, until the customer has verified. What a human overrides is meant,
// so only the master switch keeps it dry.
// Invariants: nothing is enforced after the expiry, for an allow-listed subject, or while the master switch is on;
// `verify` never meets who is verified already; an enforced remedy always has rule, scope, expiry and case id.
// Threads: pure functions; DrySwitches is read by any number and written by any. Cost: tens of nanoseconds, no
// allocation (texts for fields and refusals are made apart, remedy_text.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/token.h"
#include "event/account.h"
#include "event/verdict.h"
#include "policy/override.h"

namespace stillwatch::policy {

/// What the verdict table says of one subject.
struct Standing {
  event::Level level = event::Level::clear;
  event::Class class_ = event::Class::unknown;
  bool dry_run = false;        // the verdict itself was given in dry run: nothing of it is enforced
  std::uint32_t campaign = 0;  // 0: none
  std::int64_t expires_us = 0;
  std::string_view rule;  // interned: outlives the remedy
};

enum class Action : std::uint8_t { none, notice, verify, throttle, restrict, suspend };
inline constexpr std::size_t kActions = 6;
std::string_view name(Action action);
/// `observe` and `clear` have none.
Action action_of(event::Level level);

enum class Scope : std::uint8_t { account, end_user };
std::string_view name(Scope scope);

/// Who decided.
enum class Basis : std::uint8_t { nothing, allow_list, override_, declared_use, standing };
std::string_view name(Basis basis);

/// The names that stillwatch-restricted lists, and what body editing is asked for.
struct RestrictEdits {
  bool strip_logprobs = true;
  bool clamp_n = true;
  bool remove_reasoning = true;
  bool operator==(const RestrictEdits&) const = default;
};

/// Per remedy and for all: one word, so that a change takes effect with the next request.
class DrySwitches {
 public:
  /// Everything in dry run: the default of the program.
  DrySwitches() = default;
  /// All remedies into dry run at once, or back to what the switch of each says.
  void set_master(bool dry_run);
  void set(Action action, bool dry_run);
  bool master() const { return (bits_.load(std::memory_order_relaxed) & kMaster) != 0; }
  bool is_dry(Action action) const { return is_dry(bits(), action); }

  /// A consistent view for one request.
  std::uint32_t bits() const { return bits_.load(std::memory_order_relaxed); }
  static constexpr bool is_dry(std::uint32_t bits, Action action) {
    return (bits & (kMaster | 1U << static_cast<unsigned>(action))) != 0;
  }
  static constexpr bool is_master(std::uint32_t bits) { return (bits & kMaster) != 0; }

 private:
  static constexpr std::uint32_t kMaster = 1U << 31;
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
  std::atomic<std::uint32_t> bits_{~0U};
};

struct RemedySettings {
  std::string verify_address, appeal_address;  // https or mailto, for people
  // Who is verified at least so is not asked to verify.
  event::Verification verification_satisfies = event::Verification::id;
  // The throttle's own quota class (quota.h, ScopeKind::remedy; remedy_text.h, throttle_limits).
  std::uint32_t throttle_requests_per_minute = 2;
  // 0: none. Campaigns are known whose accounts send 26 requests a day: only a limit of a day is felt by these.
  std::uint32_t throttle_requests_per_day = 0;
  RestrictEdits restrict_edits;
  // Whether responses say what would be done in dry run. Off: who is not acted on is told nothing.
  bool show_dry_run = false;
};

struct RemedyRequest {
  base::Token account = 0, end_user = 0;  // subjects of the verdict table; end_user 0: none
  Standing account_standing, end_user_standing;
  const Override* account_override = nullptr;  // of OverrideBook; expired ones count as none
  const Override* end_user_override = nullptr;
  bool allow_listed = false;
  std::span<const event::DeclaredUse> declared;
  event::Verification verification = event::Verification::none;
  std::int64_t now_us = 0;
};

struct Remedy {
  Action action = Action::none;  // what is done; with dry_run, what would be
  Basis basis = Basis::nothing;  // what decided, also when nothing is done
  Scope scope = Scope::account;
  event::Level level = event::Level::clear;  // of the subject, also where nothing is done about it
  event::Class class_ = event::Class::unknown;
  bool dry_run = false;                                         // there is a remedy, and it is not enforced
  RestrictEdits edits{false, false, false};                     // with an enforced `restrict`
  std::uint32_t requests_per_minute = 0, requests_per_day = 0;  // with an enforced `throttle`; 0: no such limit
  std::uint32_t campaign = 0;
  base::Token subject = 0;  // account or end user, as scope says
  std::int64_t expires_us = 0;
  std::string_view rule;  // "override" for a human's

  bool enforced() const { return action != Action::none && !dry_run; }
  /// The request is answered with 403 and goes no further.
  bool refuses() const { return enforced() && (action == Action::verify || action == Action::suspend); }
  /// 403 when refused; 429 is up to the quota that a throttle reserves; 0: the request goes on.
  std::uint16_t status() const { return refuses() ? 403 : 0; }
};

Remedy decide_remedy(const RemedyRequest& request, const RemedySettings& settings, const DrySwitches& switches);

}  // namespace stillwatch::policy
