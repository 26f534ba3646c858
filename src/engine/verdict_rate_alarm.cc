#include "engine/verdict_rate_alarm.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "base/event_time.h"
#include "stats/binomial.h"

namespace stillwatch::engine {

using event::Alarm;
using event::AlarmKey;
using event::Token;

namespace {

constexpr double kDecayPerDay = 0.9;          // a kind's past is its last ten days or so
constexpr double kEstablishedShareMin = 0.5;  // of everybody's share of them, for a hold

// Rules have few names; their number is their place here, so that the snapshot holds no pointers.
constexpr std::array<std::string_view, 2> kRules{"campaign.member", "campaign.end_user"};
Token number_of(std::string_view rule) {
  return static_cast<Token>(std::find(kRules.begin(), kRules.end(), rule) - kRules.begin());
}

constexpr std::array<std::string_view, 6> kVerifications{"none", "email", "phone", "card", "id", "org"};

bool is_established(const AccountKind& kind, std::int64_t since_us) {
  return kind.trusted && kind.first_us + VerdictRateAlarm::kEstablishedUs <= since_us;
}

template <class Map>
void put_map(base::ByteWriter& out, const Map& map) {
  out.put<std::uint64_t>(map.size());
  for (const auto& [key, value] : map) {
    out.put(key);
    out.put(value);
  }
}
template <class Map>
void get_map(base::ByteReader& in, Map& map) {
  map.clear();
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto key = in.get<typename Map::key_type>();
    map[key] = in.get<typename Map::mapped_type>();
  }
}

}  // namespace

std::array<VerdictRateAlarm::Key, 4> VerdictRateAlarm::keys_of(const AccountKind& kind) {
  return {{{AlarmKey::client_version, kind.version},
           {AlarmKey::tier, kind.tier},
           {AlarmKey::verification, static_cast<Token>(kind.verification)},
           {AlarmKey::language, static_cast<Token>(kind.language)}}};
}

void VerdictRateAlarm::note_version(Token version) {
  if (version != 0 && versions_.size() < kVersionNamesMax)
    versions_.try_emplace(static_cast<std::uint32_t>(version >> 32), version);
}

void VerdictRateAlarm::roll_day(std::int64_t now_us, const ForActive& for_active) {
  for (auto& item : past_) item.second = {item.second.accounts * kDecayPerDay, item.second.actioned * kDecayPerDay};
  for (const auto& [key, count] : active_) past_[key].accounts += static_cast<double>(count);
  for (const auto& [key, today] : today_) past_[key].actioned += static_cast<double>(today.actioned);
  std::erase_if(past_, [](const auto& item) { return item.second.accounts < 0.5 && item.second.actioned < 0.5; });
  while (past_.size() > kPastMax)
    past_.erase(std::min_element(past_.begin(), past_.end(),
                                 [](const auto& a, const auto& b) { return a.second.accounts < b.second.accounts; }));
  today_.clear();
  today_by_group_.clear();
  all_today_ = {};
  active_.clear();
  active_all_ = active_established_ = 0;
  base::FlatMap<std::uint32_t, std::uint32_t> versions;
  for_active([&](const AccountKind& kind) {
    ++active_all_;
    active_established_ += is_established(kind, now_us) ? 1 : 0;
    for (const Key& key : keys_of(kind)) {
      if (key.kind != AlarmKey::client_version) ++active_[key];
    }
    if (kind.version != 0) ++versions[kind.version];
  });
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranked(versions.begin(), versions.end());
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (ranked.size() > kVersionsMax) ranked.resize(kVersionsMax);
  for (const auto& [version, count] : ranked) active_[{AlarmKey::client_version, version}] = count;
  for (const std::string_view rule : kRules) active_[{AlarmKey::rule, number_of(rule)}] = active_all_;
  day_ = now_us / base::kDayUs;
}

// Accounts of one campaign come together: how many accounts one independent event brings.
double VerdictRateAlarm::design_effect() const {
  double sum = 0, squares = 0;
  for (const auto& item : today_by_group_) {
    const auto count = static_cast<double>(item.second);
    sum += count;
    squares += count * count;
  }
  return sum > 0 ? squares / sum : 1;
}

void VerdictRateAlarm::judge(std::int64_t now_us, std::span<const NewlyActioned> candidates, const KindOf& kind_of,
                             const ForActive& for_active) {
  if (now_us / base::kDayUs != day_) {
    roll_day(now_us, for_active);
    std::erase_if(counted_, [&](const auto& item) { return item.second <= now_us - kQuietUs; });
    std::erase_if(raised_us_, [&](const auto& item) { return item.second <= now_us - kQuietUs; });
    std::erase_if(held_until_us_, [&](const auto& item) { return item.second <= now_us; });
    // Names of versions that nobody uses any more make room.
    std::erase_if(versions_, [&](const auto& item) {
      const Key key{AlarmKey::client_version, item.first};
      return !active_.contains(key) && !raised_us_.contains(key);
    });
  }
  std::set<Key> touched;
  for (const NewlyActioned& candidate : candidates) {
    if (!counted_.try_emplace(candidate.account, now_us).second) continue;
    const AccountKind kind = kind_of(candidate.account);
    const bool established = is_established(kind, candidate.formed_us);
    ++all_today_.actioned;
    all_today_.established += established ? 1 : 0;
    ++today_by_group_[candidate.group];
    const auto count = [&](const Key& key) {
      Today& today = today_[key];
      ++today.actioned;
      today.established += established ? 1 : 0;
      touched.insert(key);
    };
    for (const Key& key : keys_of(kind)) {
      if (key.value != 0 || key.kind == AlarmKey::verification) count(key);
    }
    if (number_of(candidate.rule) < kRules.size()) count({AlarmKey::rule, number_of(candidate.rule)});
  }
  if (active_all_ == 0) return;  // nothing to compare with yet
  for (const Key& key : touched) test(key, today_[key], now_us);
}

void VerdictRateAlarm::test(const Key& key, const Today& today, std::int64_t now_us) {
  if (today.actioned < kActionedMin || raised_us_.contains(key)) return;
  const auto at = active_.find(key);
  const std::uint64_t accounts = std::max(at == active_.end() ? 0 : at->second, today.actioned);
  const double effect = key.kind == AlarmKey::client_version ? 1 : design_effect();
  const auto effective = [&](std::uint64_t count) {
    return static_cast<std::uint64_t>(std::floor(static_cast<double>(count) / effect));
  };
  const auto whole = static_cast<double>(std::max(active_all_, accounts));
  double expected = 0, log10_p = -1e9;
  if (key.kind != AlarmKey::rule) {
    // Were verdicts blind to this kind, it would get its share of them.
    const double share = static_cast<double>(accounts) / whole;
    expected = share * static_cast<double>(all_today_.actioned);
    log10_p = stats::log10_binomial_upper_tail(effective(today.actioned), effective(all_today_.actioned), share);
  }
  const auto before = past_.find(key);
  const Past past = before == past_.end() ? Past{} : before->second;
  // One event more than there were: a first one is no jump.
  const double rate =
      std::min(1.0, (past.actioned + effect) / std::max(past.accounts + static_cast<double>(accounts), effect));
  expected = std::max(expected, rate * static_cast<double>(accounts));
  log10_p =
      std::max(log10_p, stats::log10_binomial_upper_tail(
                            effective(today.actioned), std::max(effective(accounts), effective(today.actioned)), rate));
  log10_p += std::log10(static_cast<double>(std::max<std::size_t>(active_.size(), 1)));
  if (log10_p <= kLog10PMax) raise(key, today, expected, log10_p, now_us);
}

void VerdictRateAlarm::raise(const Key& key, const Today& today, double expected, double log10_p, std::int64_t now_us) {
  raised_us_[key] = now_us;
  Alarm alarm;
  alarm.time_us = now_us;
  alarm.key = key.kind;
  const auto at = active_.find(key);
  alarm.accounts = std::max(at == active_.end() ? 0 : at->second, today.actioned);
  alarm.actioned = today.actioned;
  alarm.actioned_established = today.established;
  alarm.others_accounts = key.kind == AlarmKey::rule ? 0 : std::max(active_all_, alarm.accounts) - alarm.accounts;
  alarm.others_actioned = key.kind == AlarmKey::rule ? 0 : all_today_.actioned - today.actioned;
  alarm.expected = std::round(expected * 100) / 100;
  alarm.log10_p = std::round(std::max(log10_p, -300.0) * 100) / 100;
  switch (key.kind) {
    case AlarmKey::client_version: {
      const auto version = versions_.find(static_cast<std::uint32_t>(key.value));
      alarm.value = version == versions_.end() ? 0 : version->second;
      char text[16];
      std::snprintf(text, sizeof text, "#%08x", static_cast<unsigned>(key.value));
      alarm.value_name = text;
      break;
    }
    case AlarmKey::tier: {
      alarm.value = key.value;
      char text[24];
      std::snprintf(text, sizeof text, "#%016llx", static_cast<unsigned long long>(key.value));
      alarm.value_name = text;
      break;
    }
    case AlarmKey::rule: alarm.value_name = kRules[key.value]; break;
    case AlarmKey::verification: alarm.value_name = kVerifications[key.value]; break;
    case AlarmKey::language: alarm.value_name = event::name(static_cast<event::Language>(key.value)); break;
  }
  // As established as everybody else: then it is rather our mistake than a campaign.
  const double established_usual =
      static_cast<double>(active_established_) / static_cast<double>(std::max<std::uint64_t>(active_all_, 1));
  const bool honest_base =
      established_usual > 0 && static_cast<double>(today.established) >=
                                   kEstablishedShareMin * established_usual * static_cast<double>(today.actioned);
  if (settings_.alarm_dry_run && key.kind != AlarmKey::rule && honest_base)
    alarm.held_until_us = held_until_us_[key] = now_us + settings_.alarm_hold_us;
  if (alarms_.size() < kAlarmsMax) {
    alarms_.push_back(std::move(alarm));
  } else {
    ++dropped_;
  }
}

bool VerdictRateAlarm::holds(const AccountKind& kind, std::int64_t now_us) const {
  if (held_until_us_.empty()) return false;
  for (const Key& key : keys_of(kind)) {
    const auto held = held_until_us_.find(key);
    if (held != held_until_us_.end() && held->second > now_us) return true;
  }
  return false;
}

void VerdictRateAlarm::save(base::ByteWriter& out) const {
  out.put(day_);
  put_map(out, active_);
  out.put(active_all_);
  out.put(active_established_);
  put_map(out, today_);
  out.put(all_today_);
  put_map(out, today_by_group_);
  put_map(out, past_);
  put_map(out, counted_);
  put_map(out, raised_us_);
  put_map(out, held_until_us_);
  put_map(out, versions_);
  out.put(dropped_);
  out.put<std::uint64_t>(alarms_.size());
  for (const Alarm& alarm : alarms_) {
    out.put(alarm.time_us);
    out.put(alarm.key);
    out.put(alarm.value);
    out.put_all(std::vector<char>(alarm.value_name.begin(), alarm.value_name.end()));
    for (const std::uint64_t count :
         {alarm.accounts, alarm.actioned, alarm.actioned_established, alarm.others_accounts, alarm.others_actioned})
      out.put(count);
    out.put(alarm.expected);
    out.put(alarm.log10_p);
    out.put(alarm.held_until_us);
  }
}

bool VerdictRateAlarm::load(base::ByteReader& in) {
  day_ = in.get<std::int64_t>();
  get_map(in, active_);
  active_all_ = in.get<std::uint64_t>();
  active_established_ = in.get<std::uint64_t>();
  get_map(in, today_);
  all_today_ = in.get<Today>();
  get_map(in, today_by_group_);
  get_map(in, past_);
  get_map(in, counted_);
  get_map(in, raised_us_);
  get_map(in, held_until_us_);
  get_map(in, versions_);
  dropped_ = in.get<std::uint64_t>();
  alarms_.clear();
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    Alarm alarm;
    alarm.time_us = in.get<std::int64_t>();
    alarm.key = in.get<AlarmKey>();
    alarm.value = in.get<Token>();
    const auto name = in.get_all<char>();
    alarm.value_name.assign(name.begin(), name.end());
    for (std::uint64_t* count : {&alarm.accounts, &alarm.actioned, &alarm.actioned_established, &alarm.others_accounts,
                                 &alarm.others_actioned})
      *count = in.get<std::uint64_t>();
    alarm.expected = in.get<double>();
    alarm.log10_p = in.get<double>();
    alarm.held_until_us = in.get<std::int64_t>();
    alarms_.push_back(std::move(alarm));
  }
  return in.ok();
}

}  // namespace stillwatch::engine
