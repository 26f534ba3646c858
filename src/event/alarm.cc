#include "event/alarm.h"

#include "base/event_time.h"
#include "base/json_text.h"

namespace stillwatch::event {
namespace {

std::string_view with_the_same(AlarmKey key) {
  switch (key) {
    case AlarmKey::client_version: return "that use this client version";
    case AlarmKey::rule: return "that this rule was asked about";
    case AlarmKey::tier: return "of this tier";
    case AlarmKey::verification: return "verified in this way";
    case AlarmKey::language: return "that mostly write in this language";
  }
  return "";
}

}  // namespace

std::string opened_value(const Alarm& alarm, const OpenId& open) {
  const std::string_view raw = alarm.value == 0 ? std::string_view() : open(alarm.value);
  return raw.empty() ? alarm.value_name : std::string(raw);
}

std::string sentence(const Alarm& alarm) {
  const auto text = [](std::uint64_t number) { return std::to_string(number); };
  std::string out = "Within a day " + text(alarm.actioned) + " of " + text(alarm.accounts) + " accounts " +
                    std::string(with_the_same(alarm.key)) + " came to be acted on";
  out += alarm.key == AlarmKey::rule
             ? ", far more than on the days before"
             : ", and " + text(alarm.others_actioned) + " of " + text(alarm.others_accounts) + " others";
  out += "; " + text(alarm.actioned_established) + " of the " + text(alarm.actioned) +
         " are verified, long known, and were at work here before. A change on the provider's side, such as a new "
         "release of a client, can look "
         "like this.";
  out += alarm.held_until_us != 0
             ? " Further verdicts of this kind are held at observe for a person to review until the time given."
             : " The verdicts stand; a person should look at them.";
  return out;
}

std::string to_json(const Alarm& alarm, std::string_view policy, const OpenId& open) {
  using base::append_json_number;
  using base::append_json_string;
  std::string out = "{\"v\":1,\"time\":\"" + base::format_time(alarm.time_us) +
                    "\",\"kind\":\"verdict_rate\",\"key\":{\"kind\":\"" + std::string(name(alarm.key)) + "\",\"id\":";
  append_json_string(out, opened_value(alarm, open));
  out += '}';
  const auto count = [&](std::string_view key, std::uint64_t value) {
    ((out += ",\"") += key) += "\":";
    append_json_number(out, value);
  };
  count("accounts", alarm.accounts);
  count("actioned", alarm.actioned);
  count("actioned_established", alarm.actioned_established);
  count("others_accounts", alarm.others_accounts);
  count("others_actioned", alarm.others_actioned);
  out += ",\"expected\":";
  append_json_number(out, alarm.expected);
  out += ",\"log10_p\":";
  append_json_number(out, alarm.log10_p);
  if (alarm.held_until_us != 0) out += ",\"held_until\":\"" + base::format_time(alarm.held_until_us) + '"';
  out += ",\"policy\":";
  append_json_string(out, policy);
  out += ",\"text\":";
  append_json_string(out, sentence(alarm));
  return out + '}';
}

}  // namespace stillwatch::event
