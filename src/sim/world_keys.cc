#include <fmt/format.h>

#include "base/event_time.h"
#include "sim/world_keys.h"

namespace stillwatch::sim {
namespace {

struct KeyLister {
  std::string section;
  std::vector<KeyInfo>& out;
  void add(const char* key, std::string range) { out.push_back({section, key, std::move(range)}); }
  void integer(const char* key, std::int64_t, Range r) { add(key, fmt::format("{} to {}", r.min, r.max)); }
  void number(const char* key, double, Range r) { add(key, fmt::format("{} to {}", r.min, r.max)); }
  void flag(const char* key, bool) { add(key, "true or false"); }
  void text(const char* key, const std::string&) { add(key, "text"); }
  void time(const char* key, std::int64_t) { add(key, "time"); }
  void list(const char* key, const std::vector<std::string>&) { add(key, "list of words"); }
  template <class Enum, std::size_t kCount>
  void choice(const char* key, Enum, const std::array<std::string_view, kCount>& names) {
    add(key, fmt::format("{}", fmt::join(names, ", ")));
  }
};

}  // namespace

std::int64_t World::end_us() const {
  return world.start_us + static_cast<std::int64_t>(world.days * static_cast<double>(base::kDayUs));
}

World default_world() {
  World world;
  const auto set = [&](Stratum which, double requests_per_day, double sigma, double turns) -> StratumSettings& {
    auto& s = world.strata[static_cast<std::size_t>(which)];
    s.requests_per_day = requests_per_day;
    s.rate_sigma = sigma;
    s.turns = turns;
    return s;
  };
  set(Stratum::chat_single, 6, 0.9, 1).active_days = 0.6;
  set(Stratum::chat_multi, 10, 0.9, 3.2).active_days = 0.6;
  set(Stratum::developer, 10, 1.1, 1.5).active_days = 0.65;
  {
    auto& s = set(Stratum::agent_framework, 14, 0.9, 6);
    s.groups = 8, s.active_days = 0.65;
  }
  {
    auto& s = set(Stratum::saas_tenant, 10, 1.0, 1);
    s.groups = 25, s.org_share = 0.2, s.late_share = 0.3, s.active_days = 0.9;
  }
  {
    auto& s = set(Stratum::org_many_keys, 10, 1.0, 1.3);
    s.groups = 15, s.org_share = 1, s.active_days = 0.7;
  }
  {
    auto& s = set(Stratum::evaluation, 60, 0.6, 1);
    s.groups = 6, s.late_share = 0.3, s.items = 400, s.active_days = 0.7, s.declared_share = 0.2;
  }
  set(Stratum::batch, 20, 0.9, 1).declared_share = 0.1;
  {
    auto& s = set(Stratum::judge, 16, 0.8, 1);
    s.groups = 20;
  }
  {
    auto& s = set(Stratum::classroom, 3, 0.6, 1.6);
    s.groups = 20, s.active_days = 1, s.new_share = 1, s.items = 12;
  }
  {
    auto& s = set(Stratum::corporate_nat, 7, 0.9, 2.5);
    s.groups = 20, s.active_days = 0.75, s.org_share = 0.3;
  }
  {
    auto& s = set(Stratum::carrier_nat, 6, 0.9, 2.5);
    s.groups = 6, s.active_days = 0.6;
  }
  {
    auto& s = set(Stratum::privacy_vpn, 6, 0.9, 2.5);
    s.groups = 4, s.active_days = 0.6;
  }
  {
    auto& s = set(Stratum::honest_relay, 4, 0.5, 3);
    s.groups = 5, s.users_per_account = 12, s.declared_share = 0.2;
  }
  {
    auto& s = set(Stratum::viral_prompt, 5, 0.9, 1.2);
    s.groups = 8, s.active_days = 0.6, s.late_share = 0.7;
  }
  {
    auto& s = set(Stratum::red_team, 10, 0.9, 1.5);
    s.groups = 60, s.active_days = 0.6;
  }
  {
    auto& s = set(Stratum::declared_synthetic, 60, 0.5, 1);
    s.groups = 5, s.org_share = 0.4, s.declared_share = 1, s.active_days = 1, s.templates = 40;
  }
  set(Stratum::minority_language, 6, 0.9, 2).active_days = 0.6;
  {
    auto& s = set(Stratum::device_fleet, 24, 0, 1);
    s.groups = 3, s.org_share = 0.2, s.late_share = 0.6, s.active_days = 1, s.templates = 6, s.churn_share = 0.02;
  }
  {
    auto& s = set(Stratum::writing_product, 14, 1.4, 1);
    s.groups = 4, s.late_share = 0.4, s.active_days = 0.7, s.templates = 80;
  }
  {
    auto& s = set(Stratum::hackathon, 60, 0.6, 1.6);
    s.groups = 2, s.active_days = 1, s.new_share = 1, s.templates = 12;
  }
  {
    auto& s = set(Stratum::reseller_platform, 0.25, 0, 2.5);
    s.groups = 3, s.org_share = 0.5, s.declared_share = 0.5, s.users_per_account = 1500, s.new_share = 0;
    s.churn_share = 0;
  }
  return world;
}

std::vector<KeyInfo> world_keys() {
  std::vector<KeyInfo> keys;
  const World world = default_world();
  KeyLister lister{"world", keys};
  visit_keys(world.world, lister);
  lister.section = "benign";
  visit_keys(world.strata[0], lister);
  lister.section = "campaign";
  const CampaignSettings campaign;
  visit_keys(campaign, lister);
  return keys;
}

}  // namespace stillwatch::sim
