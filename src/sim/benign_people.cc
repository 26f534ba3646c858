// People of the benign strata: one account and one person each.
#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "sim/population_builder.h"

namespace stillwatch::sim {
namespace {

constexpr std::size_t kAgentRules = 14;  // about 1 KB of system prompt
constexpr std::size_t kAgentTools = 3;
constexpr double kClassWeeks = 6;
constexpr double kRequestsPerDayMin = 0.05;

// Members have something in common by which they would be suspected together.
bool shares_a_group(Stratum which) {
  return which == Stratum::agent_framework || which == Stratum::classroom || which == Stratum::corporate_nat ||
         which == Stratum::carrier_nat || which == Stratum::privacy_vpn || which == Stratum::viral_prompt ||
         which == Stratum::red_team;
}

bool mixes_languages(Stratum which) {
  return which != Stratum::developer && which != Stratum::agent_framework && which != Stratum::red_team;
}

}  // namespace

double draw_rate(const StratumSettings& settings, base::Random& random) {
  // The factor has mean one, so that requests_per_day is the mean of the stratum.
  const double factor = std::exp(settings.rate_sigma * random.normal() - settings.rate_sigma * settings.rate_sigma / 2);
  return std::max(kRequestsPerDayMin, settings.requests_per_day * factor);
}

PopulationBuilder::PopulationBuilder(const Stage& stage, std::uint64_t seed) : stage_(stage), seed_(seed) {
  for (const Stratum which : {Stratum::chat_single, Stratum::chat_multi, Stratum::developer, Stratum::corporate_nat,
                              Stratum::carrier_nat, Stratum::privacy_vpn, Stratum::viral_prompt}) {
    chat_people_ += static_cast<std::uint32_t>(stage.world.stratum(which).accounts);
  }
  for (const CampaignSettings& campaign : stage.world.campaigns) wants_victims_ |= campaign.framed_accounts > 0;
}

std::size_t PopulationBuilder::draw_country(base::Random& random) const {
  double total = 0;
  for (const Country& country : countries()) total += country.weight;
  double at = random.uniform() * total;
  for (std::size_t i = 0; i < countries().size(); ++i) {
    if ((at -= countries()[i].weight) < 0) return i;
  }
  return 0;
}

void PopulationBuilder::sign_up_from(const Egress& egress, AccountRecord& record) const {
  const Network& network = stage_.internet.networks()[egress.network];
  record.address = stage_.internet.address_at(egress, record.created_us);
  record.asn = network.asn;
  record.country = network.country;
}

PopulationBuilder::Member PopulationBuilder::add_account(Stratum which, const StratumSettings& settings,
                                                         base::Random& random) {
  Member member;
  member.number = ++last_account_;
  member.record = population_.accounts.size();
  member.country = draw_country(random);
  AccountRecord record;
  record.number = member.number;
  record.stratum = which;
  const double world_days = stage_.world.world.days;
  if (random.chance(settings.new_share)) {
    record.created_us = stage_.start_us + days(random.uniform() * world_days * 0.95);
  } else {
    record.created_us = stage_.start_us - days(0.2 + random.exponential() * 220);
  }
  member.from_us = std::max(stage_.start_us, record.created_us);
  if (random.chance(settings.churn_share)) member.until_us = member.from_us + days(random.uniform() * world_days);
  const double tier = random.uniform();
  record.tier = tier < 0.25 ? Tier::free : tier < 0.93 ? Tier::standard : Tier::scale;
  const double verified = random.uniform();
  record.verified = record.tier == Tier::free ? (verified < 0.3 ? Verified::phone : Verified::email)
                    : verified < 0.8          ? Verified::card
                    : verified < 0.9          ? Verified::phone
                                              : Verified::id;
  if (record.tier != Tier::free) record.payment = fresh();
  record.mail_domain = random.chance(0.7) ? 1 + random.below(5) : fresh();
  if (random.chance(0.06)) record.referral = 1 + random.below(200);  // public referral codes, shared by many
  population_.accounts.push_back(record);
  return member;
}

Presence PopulationBuilder::home_presence(const Member& member, ClientUse use, base::Random& random) const {
  Presence presence;
  presence.account = member.number;
  presence.egress = stage_.internet.home(member.country, random);
  presence.away = stage_.internet.mobile(member.country, random);
  presence.away_share = random.chance(0.5) ? 0.25F : 0.0F;
  presence.client = stage_.clients.choose(use, random);
  presence.dialect = draw_dialect(random, use == ClientUse::library);
  presence.params = static_cast<std::uint8_t>(random.below(kUsualParams));
  presence.model = draw_model(random);
  presence.keys = random.chance(0.15) ? 3 : 1;
  return presence;
}

Presence PopulationBuilder::server_presence(const Member& member, base::Random& random) const {
  Presence presence = home_presence(member, ClientUse::library, random);
  presence.egress = stage_.internet.server(random.chance(0.8) ? NetworkKind::cloud : NetworkKind::hosting, random);
  presence.away_share = 0;
  return presence;
}

std::vector<PopulationBuilder::Group> PopulationBuilder::make_groups(const StratumSettings& settings,
                                                                     base::Random& random) {
  std::vector<Group> groups(static_cast<std::size_t>(settings.groups));
  const double world_days = stage_.world.world.days;
  for (Group& group : groups) {
    population_.materials.emplace_back();
    group.material = &population_.materials.back();
    group.number = fresh();
    if (random.chance(settings.org_share)) group.org = fresh();
    group.declared = random.chance(settings.declared_share);
    group.from_us = stage_.start_us;
    if (random.chance(settings.late_share)) {
      const double calm = std::min(stage_.world.world.calibration_days, world_days * 0.5);
      group.from_us += days(calm + random.uniform() * (world_days - calm) * 0.7);
    }
    group.material->start_us = group.from_us;
  }
  return groups;
}

std::size_t PopulationBuilder::group_of(std::size_t i, std::size_t groups, base::Random& random) const {
  if (i < groups) return i;  // nobody is empty
  const double u = random.uniform();
  return std::min(groups - 1, static_cast<std::size_t>(static_cast<double>(groups) * u * u));
}

PersonPlan PopulationBuilder::person_plan(Stratum which, const Member& member, base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(which);
  PersonPlan plan;
  const double use = random.uniform();
  plan.presence = home_presence(member,
                                use < 0.6   ? ClientUse::chat_app
                                : use < 0.9 ? ClientUse::browser
                                            : ClientUse::library,
                                random);
  if (plan.presence.dialect == Dialect::text) plan.presence.dialect = Dialect::openai_chat;
  const Country& country = countries()[member.country];
  plan.clock = {Rhythm::people, static_cast<std::int8_t>(country.utc_offset_hours),
                static_cast<float>(settings.active_days), random.next()};
  plan.gap = make_gap_shape(true, 0.6 + 0.3 * random.uniform());
  plan.turns = static_cast<float>(1 + (settings.turns - 1) * (0.4 + 1.2 * random.uniform()));
  plan.sessions_per_day = draw_rate(settings, random) / plan.turns;
  if (mixes_languages(which) && random.chance(0.7))
    plan.language = static_cast<std::uint8_t>(std::min(country.language, kCommonLanguages - 1));
  plan.default_system = random.chance(0.45) ? static_cast<std::uint8_t>(1 + random.below(kDefaultSystems - 1)) : 0;
  plan.from_us = member.from_us;
  plan.until_us = member.until_us;
  plan.drift_per_week = settings.drift_per_week;
  return plan;
}

void PopulationBuilder::fit_person(Stratum which, const Group& group, const StratumSettings& settings, PersonPlan& plan,
                                   AccountRecord& record, base::Random& random) {
  const bool draws_from_pool = which == Stratum::chat_single || which == Stratum::chat_multi ||
                               which == Stratum::developer || which == Stratum::corporate_nat ||
                               which == Stratum::carrier_nat || which == Stratum::privacy_vpn ||
                               which == Stratum::viral_prompt;
  if (draws_from_pool) {
    plan.prompt_first = chat_person_++;
    plan.prompt_stride = std::max(1U, chat_people_);
  }
  switch (which) {
    case Stratum::developer: {
      plan.kind = PersonKind::developer;
      plan.presence = home_presence({0, record.number, record.country, 0, 0}, ClientUse::library, random);
      plan.clock.rhythm = random.chance(0.6) ? Rhythm::office : Rhythm::people;
      plan.gap = draw_gap_shape(random);
      plan.default_system = random.chance(0.5) ? 1 : 0;
      const std::uint64_t own = random.below(static_cast<std::uint64_t>(settings.templates) + 1);
      for (std::uint64_t i = 0; i < own; ++i)
        plan.own_templates.push_back(PromptTemplate::draw(random, 0, 10 + random.below(60)));
      plan.own_renewals = own_drift(settings, record.number, plan.own_templates, 40);
      break;
    }
    case Stratum::agent_framework:
      plan.kind = PersonKind::agent;
      plan.material = group.material;
      plan.clock.rhythm = Rhythm::office;
      plan.presence.client = stage_.clients.fixed(ClientUse::agent, group.number);
      plan.presence.client.pinned = false;  // frameworks upgrade, each user in his own time
      plan.presence.client.lag_days = static_cast<std::int32_t>(random.exponential() * 8);
      plan.presence.dialect = group.number % 2 == 0 ? Dialect::openai_chat : Dialect::anthropic_messages;
      break;
    case Stratum::classroom: {
      plan.kind = PersonKind::student;
      plan.material = group.material;
      plan.clock = {Rhythm::student, static_cast<std::int8_t>(countries()[record.country].utc_offset_hours),
                    static_cast<float>(settings.active_days), group.number};
      base::Random shared(seed_, group.number);
      const std::size_t country = draw_country(shared);
      Egress campus = stage_.internet.server(NetworkKind::office, shared);
      campus.network = stage_.internet.some(NetworkKind::office, country, shared);
      campus.subnet_first =
          static_cast<std::uint32_t>(shared.below(stage_.internet.networks()[campus.network].subnets));
      campus.hosts = 3;
      campus.rotate_us = base::kHourUs;
      campus.salt = random.next();
      plan.presence.away = plan.presence.egress;
      plan.presence.egress = campus;
      plan.presence.away_share = 0.45F;
      // The sign-up burst of the first lesson; a sponsor pays.
      record.created_us = group.from_us + static_cast<std::int64_t>(random.uniform() * 5'400e6);
      record.tier = Tier::standard;
      record.verified = Verified::email;
      record.payment = group.number;
      record.mail_domain = group.number + (1ULL << 40);
      record.referral = group.number + (1ULL << 41);
      plan.from_us = record.created_us;
      plan.until_us = group.from_us + days(7 * kClassWeeks);
      sign_up_from(campus, record);
      if (group.org != 0) record.org = group.org;
      break;
    }
    case Stratum::corporate_nat: {
      base::Random shared(seed_, group.number);
      Egress office = stage_.internet.server(NetworkKind::office, shared);
      office.hosts = 4;
      office.rotate_us = base::kHourUs;
      office.salt = random.next();
      plan.presence.away = plan.presence.egress;
      plan.presence.egress = office;
      plan.presence.away_share = 0.1F;
      plan.clock.rhythm = Rhythm::office;
      if (shared.chance(0.5)) plan.presence.client = stage_.clients.fixed(ClientUse::chat_app, group.number);
      record.mail_domain = group.number + (1ULL << 40);
      if (group.org != 0) record.org = group.org;
      sign_up_from(office, record);
      break;
    }
    case Stratum::carrier_nat: {
      base::Random shared(seed_, group.number);
      Egress gateway = stage_.internet.mobile(draw_country(shared), shared);
      gateway.subnet_count = 2;
      gateway.hosts = 20;
      gateway.rotate_us = 2 * base::kHourUs;
      gateway.salt = random.next();
      plan.presence.egress = gateway;
      plan.presence.away_share = 0;
      sign_up_from(gateway, record);
      break;
    }
    case Stratum::privacy_vpn: {
      base::Random shared(seed_, group.number);
      Egress tunnel = stage_.internet.roaming(NetworkKind::vpn, shared, 8 * base::kHourUs);
      tunnel.hosts = 30;
      tunnel.salt = random.next();
      plan.presence.egress = tunnel;
      plan.presence.away_share = 0;
      sign_up_from(tunnel, record);
      break;
    }
    case Stratum::viral_prompt:
      plan.kind = PersonKind::viral;
      plan.material = group.material;
      break;
    case Stratum::red_team:
      plan.kind = PersonKind::red_team;
      plan.material = group.material;
      plan.language = 0;
      break;
    case Stratum::minority_language: {
      const std::size_t languages = builtin_languages().size();
      plan.language = static_cast<std::uint8_t>(kCommonLanguages + random.below(languages - kCommonLanguages));
      break;
    }
    default: break;
  }
}

void PopulationBuilder::add_people(Stratum which, base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(which);
  std::vector<Group> groups = make_groups(settings, random);
  for (Group& group : groups) {
    Material& material = *group.material;
    if (which == Stratum::agent_framework) {
      material.system = draw_system_prompt(random, kAgentRules);
      material.tools = draw_tools(random, kAgentTools, group.number % 2 != 0);
      material.params = ",\"max_tokens\":8192";
      drift(settings, group, 30);
    } else if (which == Stratum::viral_prompt) {
      material.templates.push_back(PromptTemplate::draw(random, 0, 6));
      material.spread_us = days(2 + random.uniform() * 5);
    } else if (which == Stratum::red_team) {
      // Jailbreaks lie in public: groups share some of one pool.
      const auto& shared = stage_.texts.pool(Pool::shared);
      for (int i = 0; i < 3; ++i)
        material.items.emplace_back(shared[random.below(std::min<std::size_t>(shared.size(), 120))]);
    } else if (which == Stratum::classroom) {
      group.from_us = stage_.start_us + days(random.uniform() * stage_.world.world.days * 0.7);
      group.from_us =
          group.from_us / base::kDayUs * base::kDayUs + static_cast<std::int64_t>(8 + random.below(8)) * base::kHourUs;
      material.start_us = group.from_us;
      for (std::int64_t i = 0; i < settings.items; ++i) {
        std::string item;
        stage_.texts.passage().append(random, 15 + random.below(40), item);
        item += ' ';
        append_builtin(TextKind::task, 0, random, item);
        material.items.push_back(std::move(item));
      }
    }
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(which, settings, random);
    const Group& group =
        groups[which == Stratum::classroom ? static_cast<std::size_t>(i) % groups.size()
                                           : group_of(static_cast<std::size_t>(i), groups.size(), random)];
    PersonPlan plan = person_plan(which, member, random);
    sign_up_from(plan.presence.egress, record(member));
    fit_person(which, group, settings, plan, record(member), random);
    record(member).language = plan.language;
    if (shares_a_group(which)) record(member).unit = group.number;
    if (group.declared && which == Stratum::red_team) record(member).declared = Declared::research;
    if (which == Stratum::developer) may_be_framed(member, plan.presence, plan.own_templates);
    add_actor(Person(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_stratum(Stratum which) {
  base::Random random(seed_, 0x57A7 + static_cast<std::uint64_t>(which));
  if (stage_.world.stratum(which).accounts == 0) return;
  switch (which) {
    case Stratum::saas_tenant: return add_tenants(random);
    case Stratum::org_many_keys: return add_org(random);
    case Stratum::evaluation: return add_evaluation(random);
    case Stratum::batch: return add_batch(random);
    case Stratum::judge: return add_judges(random);
    case Stratum::honest_relay: return add_relays(random);
    case Stratum::declared_synthetic: return add_declared(random);
    case Stratum::device_fleet: return add_fleets(random);
    case Stratum::writing_product: return add_writing(random);
    case Stratum::hackathon: return add_hackathons(random);
    case Stratum::reseller_platform: return add_platforms(random);
    default: return add_people(which, random);
  }
}

}  // namespace stillwatch::sim
