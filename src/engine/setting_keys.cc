#include "engine/setting_keys.h"

#include <vector>

#include <fmt/format.h>

namespace stillwatch::engine {
namespace {

template <class Get>
SettingKey number(const char* section, const char* name, double min, double max, Get field, double unit = 1,
                  bool judges = true) {
  return {section,
          name,
          min,
          max,
          judges,
          [field, unit](const RunSettings& settings) {
            return static_cast<double>(field(const_cast<RunSettings&>(settings))) / unit;
          },
          [field, unit](RunSettings& settings, double value) {
            auto& target = field(settings);
            target = static_cast<std::remove_reference_t<decltype(target)>>(value * unit);
          }};
}

const std::vector<SettingKey>& keys() {
  using S = RunSettings;
  constexpr double kDay = base::kDayUs, kHour = base::kHourUs, kMinute = base::kMinuteUs;
  static const std::vector<SettingKey> all = [] {
    std::vector<SettingKey> list;
    const auto intake = [&](const char* name, double min, double max, auto field, double unit, bool judges) {
      list.push_back(number("intake", name, min, max, field, unit, judges));
    };
    intake(
        "lateness_minutes", 0, 1440, [](S & s) -> auto& { return s.lateness_us; }, kMinute, true);
    intake(
        "line_bytes_max", 1024, 1U << 30, [](S & s) -> auto& { return s.line_bytes_max; }, 1, true);
    intake(
        "reject_share_max", 0, 1, [](S & s) -> auto& { return s.reject_share_max; }, 1, false);
    const auto detect = [&](const char* name, double min, double max, auto field, double unit = 1) {
      list.push_back(number("detect", name, min, max, field, unit));
    };
    detect(
        "epoch_minutes", 5, 1440, [](S & s) -> auto& { return s.engine.detect.epoch_us; }, kMinute);
    detect(
        "calibration_days", 0.01, 60, [](S & s) -> auto& { return s.engine.detect.calibration_us; }, kDay);
    detect(
        "trusted_age_days", 0, 3650, [](S & s) -> auto& { return s.engine.detect.trusted_age_us; }, kDay);
    detect(
        "known_actors_min", 1, 1000, [](S & s) -> auto& { return s.engine.detect.known_actors_min; });
    detect(
        "known_share_min", 0, 1, [](S & s) -> auto& { return s.engine.detect.known_share_min; });
    detect(
        "looks_per_epoch", 1, 60, [](S & s) -> auto& { return s.engine.detect.looks_per_epoch; });
    detect(
        "group_actors_min", 3, 10'000, [](S & s) -> auto& { return s.engine.detect.group_actors_min; });
    detect(
        "link_actors_min", 2, 1000, [](S & s) -> auto& { return s.engine.detect.link_actors_min; });
    detect(
        "link_requests_min", 1, 100, [](S & s) -> auto& { return s.engine.detect.link_requests_min; });
    detect(
        "hub_share_max", 0.01, 1, [](S & s) -> auto& { return s.engine.detect.hub_share_max; });
    detect(
        "membership_idle_days", 0.1, 365, [](S & s) -> auto& { return s.engine.detect.membership_idle_us; }, kDay);
    detect(
        "handoff_window_hours", 0.1, 168, [](S & s) -> auto& { return s.engine.detect.handoff_window_us; }, kHour);
    detect(
        "retry_window_minutes", 0.1, 1440, [](S & s) -> auto& { return s.engine.detect.retry_window_us; }, kMinute);
    detect(
        "handoff_bytes_min", 1, 100'000, [](S & s) -> auto& { return s.engine.detect.handoff_bytes_min; });
    detect(
        "test_hits_min", 10, 1'000'000, [](S & s) -> auto& { return s.engine.detect.test_hits_min; });
    detect(
        "test_members_min", 3, 10'000, [](S & s) -> auto& { return s.engine.detect.test_members_min; });
    detect(
        "member_hits_min", 2, 10'000, [](S & s) -> auto& { return s.engine.detect.member_hits_min; });
    detect(
        "member_log10_p_max", -300, -1, [](S & s) -> auto& { return s.engine.detect.member_log10_p_max; });
    detect(
        "false_campaigns_per_month_max", 0.001, 1000,
        [](S & s) -> auto& { return s.engine.detect.false_campaigns_per_month_max; });
    detect(
        "first_seen_slots", 1U << 16, 1U << 29, [](S & s) -> auto& { return s.engine.detect.first_seen_slots; });
    detect(
        "conversation_slots", 1U << 16, 1U << 29, [](S & s) -> auto& { return s.engine.detect.conversation_slots; });
    detect(
        "shared_tokens_max", 1U << 16, 1U << 30, [](S & s) -> auto& { return s.engine.detect.shared_tokens_max; });
    detect(
        "accounts_max", 1U << 12, 1U << 30, [](S & s) -> auto& { return s.engine.detect.accounts_max; });
    detect(
        "link_events_max", 1U << 10, 1U << 30, [](S & s) -> auto& { return s.engine.detect.link_events_max; });
    detect(
        "handoff_events_max", 1U << 10, 1U << 30, [](S & s) -> auto& { return s.engine.detect.handoff_events_max; });
    detect(
        "handoff_pairs_max", 1U << 10, 1U << 30, [](S & s) -> auto& { return s.engine.detect.handoff_pairs_max; });
    detect(
        "link_edges_max", 1U << 10, 1U << 30, [](S & s) -> auto& { return s.engine.detect.link_edges_max; });
    detect(
        "groups_max", 16, 1U << 20, [](S & s) -> auto& { return s.engine.detect.groups_max; });
    detect(
        "close_work_per_query", 1, 1U << 20, [](S & s) -> auto& { return s.engine.detect.close_work_per_query; });
    detect(
        "close_work_per_epoch", 1, 1U << 30, [](S & s) -> auto& { return s.engine.detect.close_work_per_epoch; });
    const auto policy = [&](const char* name, double min, double max, auto field, double unit = 1) {
      list.push_back(number("policy", name, min, max, field, unit));
    };
    policy(
        "dry_run", 0, 1, [](S & s) -> auto& { return s.engine.policy.dry_run; });
    list.back().boolean = true;
    policy(
        "expiry_days", 0.04, 90, [](S & s) -> auto& { return s.engine.policy.expiry_us; }, kDay);
    policy(
        "renewal_hours", 1, 24 * 30, [](S & s) -> auto& { return s.engine.policy.renewal_us; }, kHour);
    policy(
        "rung_log10_e", 0.1, 100, [](S & s) -> auto& { return s.engine.policy.rung_log10_e; });
    policy(
        "notice_after_hours", 1, 24 * 30, [](S & s) -> auto& { return s.engine.policy.notice_after_us; }, kHour);
    policy(
        "end_users_acted_max", 0, 100, [](S & s) -> auto& { return s.engine.policy.end_users_acted_max; });
    policy(
        "alarm_dry_run", 0, 1, [](S & s) -> auto& { return s.engine.policy.alarm_dry_run; });
    list.back().boolean = true;
    policy(
        "alarm_hold_hours", 1, 24 * 30, [](S & s) -> auto& { return s.engine.policy.alarm_hold_us; }, kHour);
    list.push_back(number(
        "engine", "snapshot_seconds", 0.01, 86'400, [](S & s) -> auto& { return s.snapshot_seconds; }, 1, false));
    return list;
  }();
  return all;
}

}  // namespace

std::span<const SettingKey> setting_keys() { return keys(); }

const SettingKey* find_setting_key(std::string_view section, std::string_view name) {
  for (const SettingKey& key : keys()) {
    if (section == key.section && name == key.name) return &key;
  }
  return nullptr;
}

std::string canonical_settings(const RunSettings& settings) {
  std::string canonical = "stillwatch policy 1\n";
  for (const SettingKey& key : keys()) {
    if (key.judges) canonical += fmt::format("{}.{}={}\n", key.section, key.name, key.get(settings));
  }
  return canonical;
}

}  // namespace stillwatch::engine
