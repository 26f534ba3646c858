// An alarm about the detector itself: verdicts come at a rate that one kind of account does not explain.
//
// Invariant: a note for a person. It is no evidence against anybody, and names kinds of accounts, never an account.
// Threads: plain struct; to_json is a pure function as far as `open` is. Cost: one string a line.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "event/json_lines.h"

namespace stillwatch::event {

/// What the accounts have in common that came to be acted on.
enum class AlarmKey : std::uint8_t { client_version, rule, tier, verification, language };
inline constexpr std::size_t kAlarmKeys = 5;

constexpr std::string_view name(AlarmKey key) {
  constexpr std::array<std::string_view, kAlarmKeys> kNames{"client_version", "rule", "tier", "verification",
                                                            "language"};
  return kNames[static_cast<std::size_t>(key)];
}

struct Alarm {
  std::int64_t time_us = 0;
  AlarmKey key = AlarmKey::client_version;
  Token value = 0;                                         // of a client version or tier, to be opened
  std::string value_name;                                  // of the others; and of those whose name was shed
  std::uint64_t accounts = 0, actioned = 0;                // with the key: active the day before; newly acted on today
  std::uint64_t actioned_established = 0;                  // of these, verified, long known, and at work here before
  std::uint64_t others_accounts = 0, others_actioned = 0;  // all others
  double expected = 0;             // accounts that the others' rate and the key's own past would have given, the larger
  double log10_p = 0;              // how improbable that is, times the number of keys compared
  std::int64_t held_until_us = 0;  // 0: verdicts go on; else new ones for the key stay at `observe` until then
};

/// One line of alarms.ndjson, without its newline.
std::string to_json(const Alarm& alarm, std::string_view policy, const OpenId& open);
/// The name of the key's value, such as a user agent.
std::string opened_value(const Alarm& alarm, const OpenId& open);
/// One sentence for a person; the value's name is not in it.
std::string sentence(const Alarm& alarm);

}  // namespace stillwatch::event
