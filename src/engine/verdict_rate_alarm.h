// An alarm when verdicts come too often for one client version, rule, tier, verification or language.
//
// The errors that hurt most come at once: a client release that puts one text into all prompts, a rule that went wrong,
// a kind of customer that calibration did not have. Each looks like a campaign from within; what shows is that verdicts
// suddenly fall on one kind of account. So accounts active and accounts newly acted on are counted by kind over days of
// event time, and compared with all other accounts and with the kind's own past (binomial tails, the weaker of the two,
// times the number of kinds compared). Accounts of one campaign come together; except for client versions, which can
// fail as one campaign, counts are therefore divided by their mean number in a campaign, weighted by itself (the design
// effect of cluster sampling, L. Kish, "Survey Sampling", 1965).
//
// An alarm is a note for a person and changes no verdict given. With policy.alarm_dry_run, and only where the accounts
// concerned are as established as everybody else's, further verdicts of the kind are held at `observe` for
// policy.alarm_hold_us. Established is who is verified, long known, and was active here for a week before its group
// formed: a customer whose software changed, and not an old account that was bought to begin with the work. So fresh
// accounts, which campaigns are made of, are never sheltered, and an alarm that nobody reviews ends by itself.
// Invariants: event time only, and everything that a hold rests on is older than it, so a log cut at any time gives the
// same; total orders throughout. Bounds: kVersionsMax versions a day, kPastMax kinds, kAlarmsMax alarms kept; further
// ones are dropped from the smallest on, or counted.
// Threads: between epochs, single-threaded. Cost: one pass over accounts a day, else linear in accounts newly acted on.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/byte_stream.h"
#include "base/flat_map.h"
#include "event/account.h"
#include "event/alarm.h"
#include "policy/policy.h"

namespace stillwatch::engine {

/// What kind of account it is, as far as alarms ask.
struct AccountKind {
  std::uint32_t version = 0;  // upper half of the client version's token; 0: none
  event::Token tier = 0;
  event::Verification verification = event::Verification::none;
  event::Language language = event::Language::unknown;
  bool trusted = false;       // as calibration asks: verified and old
  std::int64_t first_us = 0;  // its first request
};

/// An account that policy would now act on and that was not acted on before.
struct NewlyActioned {
  event::Token account = 0;
  std::uint32_t group = 0;
  const char* rule = "";
  std::int64_t formed_us = 0;  // when the group was
};

class VerdictRateAlarm {
 public:
  static constexpr std::size_t kVersionsMax = 1'024;
  static constexpr std::size_t kVersionNamesMax = 16'384;
  static constexpr std::size_t kPastMax = 4'096;
  static constexpr std::size_t kAlarmsMax = 10'000;
  static constexpr std::uint32_t kActionedMin = 5;            // fewer are a matter for their own evidence
  static constexpr double kLog10PMax = -4;                    // after the number of kinds
  static constexpr std::int64_t kQuietUs = 7 * base::kDayUs;  // one alarm a kind in this time

  static constexpr std::int64_t kEstablishedUs = 7 * base::kDayUs;

  explicit VerdictRateAlarm(const policy::Settings& settings) : settings_(settings) {}

  /// A request's client version, so that an alarm can name it.
  void note_version(event::Token version);

  /// Calls `each(kind)` for every account active in the 24 hours before now_us.
  using ForActive = std::function<void(const std::function<void(const AccountKind&)>& each)>;
  using KindOf = std::function<AccountKind(event::Token)>;
  /// Before an epoch's verdicts: `candidates` in a total order. Raises alarms, and holds from now on what they ask for.
  void judge(std::int64_t now_us, std::span<const NewlyActioned> candidates, const KindOf& kind_of,
             const ForActive& for_active);
  /// Whether verdicts that would act on such an account are held now.
  bool holds(const AccountKind& kind, std::int64_t now_us) const;

  const std::vector<event::Alarm>& alarms() const { return alarms_; }
  std::uint64_t alarms_dropped() const { return dropped_; }

  void save(base::ByteWriter& out) const;
  bool load(base::ByteReader& in);

 private:
  struct Key {
    event::AlarmKey kind = event::AlarmKey::client_version;
    event::Token value = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Past {
    double accounts = 0, actioned = 0;  // decayed sums over days
  };
  struct Today {
    std::uint64_t actioned = 0, established = 0;
  };

  static std::array<Key, 4> keys_of(const AccountKind& kind);
  void roll_day(std::int64_t now_us, const ForActive& for_active);
  double design_effect() const;
  void test(const Key& key, const Today& today, std::int64_t now_us);
  void raise(const Key& key, const Today& today, double expected, double log10_p, std::int64_t now_us);

  policy::Settings settings_;
  std::int64_t day_ = 0;
  std::map<Key, std::uint64_t> active_;  // the day before
  std::uint64_t active_all_ = 0, active_established_ = 0;
  std::map<Key, Today> today_;
  Today all_today_;
  std::map<std::uint32_t, std::uint64_t> today_by_group_;
  std::map<Key, Past> past_;
  std::map<event::Token, std::int64_t> counted_;  // accounts, and when: each counts once in kQuietUs
  std::map<Key, std::int64_t> raised_us_, held_until_us_;
  std::map<std::uint32_t, event::Token> versions_;  // by upper half, of the last days
  std::vector<event::Alarm> alarms_;
  std::uint64_t dropped_ = 0;
};

}  // namespace stillwatch::engine
