// A world: who sends requests, how many, and how; read from TOML (docs/reference/worlds.md).
//
// Invariant: every value is inside its range once parse or load has returned; unknown keys are errors
// that name file and line. Threads: plain values. Cost: start-up only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::sim {

/// The benign strata, in the order of docs/reference/worlds.md.
enum class Stratum : std::uint8_t {
  chat_single,
  chat_multi,
  developer,
  agent_framework,
  saas_tenant,
  org_many_keys,
  evaluation,
  batch,
  judge,
  classroom,
  corporate_nat,
  carrier_nat,
  privacy_vpn,
  honest_relay,
  viral_prompt,
  red_team,
  declared_synthetic,
  minority_language,
  device_fleet,  // later strata come last: account numbers and generators of the others stay as they were
  writing_product,
  hackathon,
  reseller_platform,
};
inline constexpr std::size_t kStrata = 22;
inline constexpr std::array<std::string_view, kStrata> kStratumNames = {
    "chat_single",  "chat_multi",      "developer",    "agent_framework",  "saas_tenant",        "org_many_keys",
    "evaluation",   "batch",           "judge",        "classroom",        "corporate_nat",      "carrier_nat",
    "privacy_vpn",  "honest_relay",    "viral_prompt", "red_team",         "declared_synthetic", "minority_language",
    "device_fleet", "writing_product", "hackathon",    "reseller_platform"};

enum class Family : std::uint8_t {
  template_farm,
  self_instruct,
  evolution,
  reasoning_sweep,
  judge_loop,
  repeated_sampling,
  agent_rollouts
};
inline constexpr std::array<std::string_view, 7> kFamilyNames = {
    "template_farm", "self_instruct",     "evolution",     "reasoning_sweep",
    "judge_loop",    "repeated_sampling", "agent_rollouts"};
enum class Proxies : std::uint8_t { own, residential, datacenter, shared };
inline constexpr std::array<std::string_view, 4> kProxyNames = {"own", "residential", "datacenter", "shared"};
enum class ClientPlan : std::uint8_t { one, spoofed, mixed };
inline constexpr std::array<std::string_view, 3> kClientPlanNames = {"one", "spoofed", "mixed"};
enum class Schedule : std::uint8_t { flat, human, bursty };
inline constexpr std::array<std::string_view, 3> kScheduleNames = {"flat", "human", "bursty"};
enum class Selection : std::uint8_t { least_recently_used, random };
inline constexpr std::array<std::string_view, 2> kSelectionNames = {"least_recently_used", "random"};
enum class EndUsers : std::uint8_t { forged, none, real };
inline constexpr std::array<std::string_view, 3> kEndUsersNames = {"forged", "none", "real"};
enum class CorpusHalf : std::uint8_t { all, tuning, held_out };
inline constexpr std::array<std::string_view, 3> kCorpusHalfNames = {"all", "tuning", "held_out"};
enum class QuestionSet : std::uint8_t { own, benchmark };
inline constexpr std::array<std::string_view, 2> kQuestionSetNames = {"own", "benchmark"};

struct WorldSettings {
  std::string name = "world";
  std::int64_t start_us = 1'772'323'200'000'000;  // 2026-03-01T00:00:00Z
  double days = 14;
  double calibration_days = 7;
  double scale = 1;
  std::string prompts = "builtin";
  bool response_body = false;
  double failure_rate = 0.012;
  double release_day = 0;  // 0: no new model
  CorpusHalf corpus_half = CorpusHalf::all;
  bool strip_affixes = false;
  bool match_lengths = false;
};

struct StratumSettings {
  std::int64_t accounts = 0;
  std::int64_t groups = 1;
  double requests_per_day = 5;
  double rate_sigma = 0.8;
  double turns = 1;
  double new_share = 0.15;
  double churn_share = 0.1;
  double active_days = 0.8;
  double org_share = 0;
  double late_share = 0;
  double declared_share = 0;
  std::int64_t templates = 3;
  std::int64_t items = 500;
  double users_per_account = 30;
  double drift_per_week = 0;
};

struct CampaignSettings {
  std::string name;
  Family family = Family::template_farm;
  std::int64_t accounts = 0;
  double requests_per_account_day = 26;
  double attack_share = 1;
  double resale_share = 0;
  std::int64_t cover_pool = 2000;
  double start_day = 8;
  double end_day = 0;  // 0: to the end of the world
  std::int64_t templates = 100;
  double paraphrase = 0;
  bool unique = false;
  bool disjoint_topics = false;
  double multi_turn = 0;
  std::int64_t items = 20000;
  QuestionSet question_set = QuestionSet::own;
  Proxies proxies = Proxies::own;
  ClientPlan client = ClientPlan::one;
  double payment_share = 0;
  double signup_burst = 0.3;
  Schedule schedule = Schedule::flat;
  Selection selection = Selection::least_recently_used;
  double account_age_days = 20;
  double replacement_per_day = 0;
  double sticky_minutes = 60;
  EndUsers end_users = EndUsers::forged;
  std::vector<std::string> languages = {"en"};
  std::vector<std::string> models = {"m-large"};
  std::int64_t variants = 1;
  double rate_sigma = 0;
  double warm_up_days = 0;
  std::int64_t framed_accounts = 0;
  double framing_share = 0.3;
  double hub_flood_per_day = 0;
  std::int64_t poison_accounts = 0;
  bool release_pivot = false;
};

struct World {
  WorldSettings world;
  std::array<StratumSettings, kStrata> strata;
  std::vector<CampaignSettings> campaigns;  // by name

  const StratumSettings& stratum(Stratum which) const { return strata[static_cast<std::size_t>(which)]; }
  std::int64_t end_us() const;
};

/// Defaults of every key, no accounts in any stratum.
World default_world();

/// One key of a section, as the reference documents it.
struct KeyInfo {
  std::string section, key, range;
};
std::vector<KeyInfo> world_keys();

/// World text without `extends`; `name` stands in messages.
base::Result<World> parse_world(std::string_view toml, const std::string& name);

/// Reads a world file and those it extends, then applies overrides "section.key=value" in order
/// ("campaign.*.key" means every campaign), then world.scale.
base::Result<World> load_world(const std::string& path, const std::vector<std::string>& overrides);

}  // namespace stillwatch::sim
