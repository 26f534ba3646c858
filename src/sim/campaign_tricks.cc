// What a campaign does besides harvesting: to look ordinary, to look common, to have others convicted.
#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "sim/population_builder.h"

namespace stillwatch::sim {
namespace {

constexpr std::uint64_t kWarmUpStream = 0x3A53, kFloodStream = 0xF100D,
                        kSpareStream = 0x59A4E;  // generators of their own
constexpr double kPoisonShare = 0.1;             // hostile share before the start: little enough to pass for a hobby
constexpr std::size_t kFramersMax = 20;          // accounts that stand beside one victim
constexpr std::size_t kFloodRequests = 5;        // of a throw-away account
constexpr double kFloodRequestsPerDay = 80;      // while it lasts
constexpr std::size_t kPopularPrompts = 200;

}  // namespace

void PopulationBuilder::add_warm_up(const CampaignSettings& settings, const Presence& ordinary, std::int64_t from_us,
                                    AccountRecord& known) {
  if (settings.warm_up_days <= 0) return;
  const std::int64_t begin_us = from_us - days(settings.warm_up_days);
  known.created_us = std::min(known.created_us, begin_us);
  base::Random random(seed_, kWarmUpStream + (known.number << 20));
  const StratumSettings& people = stage_.world.stratum(Stratum::chat_multi);
  PersonPlan plan;
  plan.presence = ordinary;
  if (plan.presence.dialect == Dialect::text) plan.presence.dialect = Dialect::openai_chat;
  plan.clock = {Rhythm::people, static_cast<std::int8_t>(countries()[known.country].utc_offset_hours),
                static_cast<float>(people.active_days), random.next()};
  plan.gap = make_gap_shape(true, 0.6 + 0.3 * random.uniform());
  plan.turns = static_cast<float>(1 + (people.turns - 1) * (0.4 + 1.2 * random.uniform()));
  plan.sessions_per_day = draw_rate(people, random) / plan.turns;
  plan.from_us = std::max(stage_.start_us, begin_us);
  plan.until_us = from_us;
  if (plan.from_us < plan.until_us) add_actor(Person(seed_, std::move(plan)));
}

void PopulationBuilder::may_be_framed(const Member& member, const Presence& presence,
                                      const std::vector<PromptTemplate>& templates) {
  // Whoever comes late or leaves early would not be there to be convicted.
  const bool stays = member.from_us == stage_.start_us && member.until_us == kNever;
  if (wants_victims_ && stays && !templates.empty()) victims_.push_back({member.record, presence, templates});
}

void PopulationBuilder::frame(const CampaignSettings& settings, Work& work, RelayPlan& plan, base::Random& random) {
  if (settings.framed_accounts == 0 || victims_.empty()) return;
  work.framing_share = settings.framing_share;
  const std::size_t count = std::min(static_cast<std::size_t>(settings.framed_accounts), victims_.size());
  const std::size_t each = std::clamp<std::size_t>(plan.accounts.size() / (2 * count), 1, kFramersMax);
  for (std::size_t v = 0; v < count; ++v) {
    // Each victim once, also over several campaigns.
    std::swap(victims_[v], victims_[v + random.below(victims_.size() - v)]);
    const Victim& victim = victims_[v];
    population_.accounts[victim.record].framed = true;
    work.frames.push_back(victim.templates);
    for (std::size_t i = 0; i < each && v * each + i < plan.accounts.size(); ++i) {
      PoolAccount& account = plan.accounts[v * each + i];
      account.frame = static_cast<std::uint32_t>(v + 1);
      account.presence.client = victim.presence.client;
      // The same /24 at every hour, from another address of it.
      account.presence.egress = victim.presence.egress;
      account.presence.egress.hosts = 1;
      account.presence.egress.host_first = 2 + static_cast<std::uint32_t>(random.below(250));
    }
  }
  victims_.erase(victims_.begin(), victims_.begin() + static_cast<std::ptrdiff_t>(count));
}

void PopulationBuilder::add_spares(std::size_t index, RelayPlan& plan, std::size_t accounts) {
  base::Random random(seed_, kSpareStream + plan.number);
  RelayPlan spares;
  spares.from_us = plan.from_us;
  spares.until_us = plan.until_us;
  spares.user_salt = plan.user_salt;
  plan_accounts(index, spares, accounts, random, true);
  plan.spare_first = plan.accounts.size();
  for (PoolAccount& account : spares.accounts) {
    account.from_us = kNever;  // until somebody is banned
    account.until_us = plan.until_us;
    plan.accounts.push_back(account);
  }
}

void PopulationBuilder::add_poison(std::size_t index, RelayPlan plan, base::Random& random) {
  const CampaignSettings& settings = stage_.world.campaigns[index];
  if (settings.poison_accounts == 0) return;
  plan.number = fresh();
  plan.accounts.clear();
  plan.until_us = plan.from_us;
  plan.from_us = stage_.start_us;
  if (plan.from_us >= plan.until_us) return;
  plan.attack_share = std::min(settings.attack_share, kPoisonShare);
  const auto accounts = static_cast<std::size_t>(settings.poison_accounts);
  plan.requests_per_day = settings.requests_per_account_day * static_cast<double>(accounts);
  plan_accounts(index, plan, accounts, random);
  add_actor(Relay(seed_, std::move(plan)));
}

void PopulationBuilder::add_flood(std::size_t index, const Work& work, std::int64_t from_us, std::int64_t until_us) {
  const CampaignSettings& settings = stage_.world.campaigns[index];
  if (settings.hub_flood_per_day <= 0) return;
  base::Random random(seed_, kFloodStream + 0x10000ULL * (index + 1));
  population_.materials.emplace_back();
  Material& material = population_.materials.back();
  material.templates = work.templates;
  const auto& popular = stage_.texts.pool(Pool::shared);
  for (std::size_t i = 0; i < std::min(popular.size(), kPopularPrompts); ++i) {
    material.items.emplace_back(popular[i]);
    if (work.templates.empty()) material.items.emplace_back(work.items[i % work.items.size()]);
  }
  const double lasts_days = static_cast<double>(until_us - from_us) / static_cast<double>(base::kDayUs);
  const auto accounts =
      static_cast<std::size_t>(settings.hub_flood_per_day * lasts_days / static_cast<double>(kFloodRequests));
  StratumSettings ordinary;
  ordinary.new_share = 0;
  ordinary.churn_share = 0;
  for (std::size_t i = 0; i < accounts; ++i) {
    const Member member = add_account(Stratum::chat_single, ordinary, random);
    AccountRecord& known = record(member);
    known.campaign = static_cast<std::uint16_t>(index + 1);
    known.tier = Tier::free;
    known.verified = Verified::email;
    known.payment = 0;
    ServicePlan plan;
    plan.kind = ServiceKind::flood;
    plan.material = &material;
    plan.presence = home_presence(member, random.chance(0.5) ? ClientUse::chat_app : ClientUse::browser, random);
    plan.presence.egress = stage_.internet.roaming(NetworkKind::home, random, base::kHourUs);
    plan.presence.away_share = 0;
    if (plan.presence.dialect == Dialect::text) plan.presence.dialect = Dialect::openai_chat;
    plan.clock = {Rhythm::flat, 0, 1, 0};
    plan.gap = make_gap_shape(true, 1);
    plan.requests_per_day = kFloodRequestsPerDay;
    plan.from_us = from_us + static_cast<std::int64_t>(random.uniform() * static_cast<double>(until_us - from_us));
    plan.until_us = plan.from_us + days(static_cast<double>(kFloodRequests) / kFloodRequestsPerDay);
    known.created_us = plan.from_us - static_cast<std::int64_t>(random.exponential() * 1e6 * 600);
    sign_up_from(plan.presence.egress, known);
    add_actor(Service(seed_, std::move(plan)));
  }
}

}  // namespace stillwatch::sim
