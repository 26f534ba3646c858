#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "sim/population_builder.h"

namespace stillwatch::sim {
namespace {

constexpr std::size_t kAgentRules = 14;         // about 1 KB of system prompt
constexpr std::size_t kAgentTools = 3;
constexpr double kClassWeeks = 6;
constexpr double kRequestsPerDayMin = 0.05;

std::int64_t days(double count) { return static_cast<std::int64_t>(count * static_cast<double>(base::kDayUs)); }

// Mean one, so that requests_per_day is the mean of the stratum.
double draw_rate(const StratumSettings& settings, base::Random& random) {
  const double factor = std::exp(settings.rate_sigma * random.normal() - settings.rate_sigma * settings.rate_sigma / 2);
  return std::max(kRequestsPerDayMin, settings.requests_per_day * factor);
}

bool mixes_languages(Stratum which) { return which != Stratum::developer && which != Stratum::agent_framework && which != Stratum::red_team; }

}  // namespace

PopulationBuilder::PopulationBuilder(const Stage& stage, std::uint64_t seed) : stage_(stage), seed_(seed) {
  for (const Stratum which : {Stratum::chat_single, Stratum::chat_multi, Stratum::developer, Stratum::corporate_nat, Stratum::carrier_nat,
                              Stratum::privacy_vpn, Stratum::viral_prompt}) {
    chat_people_ += static_cast<std::uint32_t>(stage.world.stratum(which).accounts);
  }
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

PopulationBuilder::Member PopulationBuilder::add_account(Stratum which, const StratumSettings& settings, base::Random& random) {
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

std::vector<PopulationBuilder::Group> PopulationBuilder::make_groups(const StratumSettings& settings, base::Random& random) {
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
  plan.presence = home_presence(member, use < 0.6 ? ClientUse::chat_app : use < 0.9 ? ClientUse::browser : ClientUse::library, random);
  if (plan.presence.dialect == Dialect::text) plan.presence.dialect = Dialect::openai_chat;
  const Country& country = countries()[member.country];
  plan.clock = {Rhythm::people, static_cast<std::int8_t>(country.utc_offset_hours), static_cast<float>(settings.active_days), random.next()};
  plan.gap = make_gap_shape(true, 0.6 + 0.3 * random.uniform());
  plan.turns = static_cast<float>(1 + (settings.turns - 1) * (0.4 + 1.2 * random.uniform()));
  plan.sessions_per_day = draw_rate(settings, random) / plan.turns;
  if (mixes_languages(which) && random.chance(0.7)) plan.language = static_cast<std::uint8_t>(std::min(country.language, kCommonLanguages - 1));
  plan.default_system = random.chance(0.45) ? static_cast<std::uint8_t>(1 + random.below(kDefaultSystems - 1)) : 0;
  plan.from_us = member.from_us;
  plan.until_us = member.until_us;
  return plan;
}

void PopulationBuilder::fit_person(Stratum which, const Group& group, const StratumSettings& settings, PersonPlan& plan, AccountRecord& record,
                                   base::Random& random) {
  const bool draws_from_pool = which == Stratum::chat_single || which == Stratum::chat_multi || which == Stratum::developer ||
                               which == Stratum::corporate_nat || which == Stratum::carrier_nat || which == Stratum::privacy_vpn || which == Stratum::viral_prompt;
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
      for (std::uint64_t i = 0; i < own; ++i) plan.own_templates.push_back(PromptTemplate::draw(random, 0, 10 + random.below(60)));
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
      plan.clock = {Rhythm::student, static_cast<std::int8_t>(countries()[record.country].utc_offset_hours), static_cast<float>(settings.active_days), group.number};
      base::Random shared(seed_, group.number);
      const std::size_t country = draw_country(shared);
      Egress campus = stage_.internet.server(NetworkKind::office, shared);
      campus.network = stage_.internet.some(NetworkKind::office, country, shared);
      campus.subnet_first = static_cast<std::uint32_t>(shared.below(stage_.internet.networks()[campus.network].subnets));
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
    } else if (which == Stratum::viral_prompt) {
      material.templates.push_back(PromptTemplate::draw(random, 0, 6));
      material.spread_us = days(2 + random.uniform() * 5);
    } else if (which == Stratum::red_team) {
      // Jailbreaks lie in public: groups share some of one pool.
      const auto& shared = stage_.texts.pool(Pool::shared);
      for (int i = 0; i < 3; ++i) material.items.emplace_back(shared[random.below(std::min<std::size_t>(shared.size(), 120))]);
    } else if (which == Stratum::classroom) {
      group.from_us = stage_.start_us + days(random.uniform() * stage_.world.world.days * 0.7);
      group.from_us = group.from_us / base::kDayUs * base::kDayUs + static_cast<std::int64_t>(8 + random.below(8)) * base::kHourUs;
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
    const Group& group = groups[which == Stratum::classroom ? static_cast<std::size_t>(i) % groups.size() : group_of(static_cast<std::size_t>(i), groups.size(), random)];
    PersonPlan plan = person_plan(which, member, random);
    sign_up_from(plan.presence.egress, record(member));
    fit_person(which, group, settings, plan, record(member), random);
    if (group.declared && which == Stratum::red_team) record(member).declared = Declared::research;
    add_actor(Person(seed_, std::move(plan)));
  }
}

ServicePlan PopulationBuilder::service_plan(Stratum which, const Member& member, base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(which);
  ServicePlan plan;
  plan.presence = server_presence(member, random);
  plan.clock = {Rhythm::service, static_cast<std::int8_t>(countries()[member.country].utc_offset_hours), static_cast<float>(settings.active_days), random.next()};
  plan.gap = draw_gap_shape(random);
  plan.requests_per_day = draw_rate(settings, random);
  plan.from_us = member.from_us;
  plan.until_us = member.until_us;
  sign_up_from(random.chance(0.7) ? stage_.internet.home(member.country, random) : plan.presence.egress, record(member));
  return plan;
}

void PopulationBuilder::add_tenants(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::saas_tenant);
  const std::vector<Group> vendors = make_groups(settings, random);
  struct Vendor {
    ClientChoice client;
    Dialect dialect;
    Egress cloud;
    std::uint8_t model, params;
    float output_tokens;
  };
  std::vector<Vendor> ways;
  for (const Group& group : vendors) {
    if (random.chance(0.75)) group.material->system = draw_system_prompt(random, random.below(12));
    const std::uint64_t count = 1 + random.below(static_cast<std::uint64_t>(settings.templates));
    for (std::uint64_t i = 0; i < count; ++i) group.material->templates.push_back(PromptTemplate::draw(random, 0, 20 + random.below(90)));
    Egress cloud = stage_.internet.server(NetworkKind::cloud, random);
    cloud.subnet_count = 1 + static_cast<std::uint32_t>(random.below(3));
    cloud.subnet_first = std::min(cloud.subnet_first, stage_.internet.networks()[cloud.network].subnets - cloud.subnet_count);
    cloud.hosts = 12;
    cloud.rotate_us = base::kHourUs;
    ways.push_back({stage_.clients.fixed(ClientUse::library, group.number), draw_dialect(random, true), cloud, draw_model(random),
                    static_cast<std::uint8_t>(random.below(kUsualParams)), static_cast<float>(lognormal(random, 120, 0.8))});
    ways.back().client.pinned = random.chance(0.5);
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::saas_tenant, settings, random);
    const std::size_t at = group_of(static_cast<std::size_t>(i), vendors.size(), random);
    const Group& vendor = vendors[at];
    const Vendor& way = ways[at];
    ServicePlan plan = service_plan(Stratum::saas_tenant, member, random);
    plan.kind = ServiceKind::tenant;
    plan.material = vendor.material;
    plan.presence.client = way.client;
    plan.presence.dialect = way.dialect;
    plan.presence.model = way.model;
    plan.presence.params = way.params;
    plan.presence.egress = way.cloud;
    plan.presence.egress.salt = random.next();
    plan.output_tokens = way.output_tokens;
    plan.from_us = std::max(plan.from_us, vendor.from_us);
    AccountRecord& known = record(member);
    known.org = vendor.org;
    if (vendor.from_us > stage_.start_us) {
      // A late vendor's tenants sign up with it, some in a burst.
      known.created_us = vendor.from_us + days(random.chance(0.4) ? random.uniform() * 0.2 : random.exponential() * 6);
      plan.from_us = known.created_us;
    }
    if (random.chance(0.3)) sign_up_from(plan.presence.egress, known);  // created by the vendor's own server
    if (random.chance(0.25)) known.referral = vendor.number;
    add_actor(Service(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_org(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::org_many_keys);
  const std::vector<Group> orgs = make_groups(settings, random);
  for (const Group& group : orgs) {
    const std::uint64_t count = 1 + random.below(static_cast<std::uint64_t>(settings.templates));
    for (std::uint64_t i = 0; i < count; ++i) group.material->templates.push_back(PromptTemplate::draw(random, 0, 15 + random.below(60)));
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::org_many_keys, settings, random);
    const Group& org = orgs[group_of(static_cast<std::size_t>(i), orgs.size(), random)];
    base::Random shared(seed_, org.number);
    ServicePlan plan = service_plan(Stratum::org_many_keys, member, random);
    plan.material = org.material;
    plan.own_share = 0.5F;
    plan.clock.rhythm = random.chance(0.5) ? Rhythm::office : Rhythm::service;
    plan.presence.egress = stage_.internet.server(shared.chance(0.5) ? NetworkKind::office : NetworkKind::cloud, shared);
    plan.presence.egress.hosts = 6;
    plan.presence.egress.rotate_us = base::kHourUs;
    plan.presence.egress.salt = random.next();
    if (random.chance(0.6)) plan.presence.client = stage_.clients.fixed(ClientUse::library, org.number);
    AccountRecord& known = record(member);
    known.org = org.org;
    known.verified = Verified::org;
    known.tier = Tier::scale;
    known.payment = org.number;
    known.mail_domain = org.number + (1ULL << 40);
    sign_up_from(plan.presence.egress, known);
    add_actor(Service(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_evaluation(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::evaluation);
  const std::vector<Group> benchmarks = make_groups(settings, random);
  std::vector<double> spent;
  for (std::size_t g = 0; g < benchmarks.size(); ++g) {
    Material& material = *benchmarks[g].material;
    // A benchmark's own questions: public, yet not the pool that campaigns sweep unless they are told to.
    const std::uint64_t count = static_cast<std::uint64_t>(settings.items) / 2 + random.below(static_cast<std::uint64_t>(settings.items));
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string item;
      append_builtin(random.chance(0.8) ? TextKind::question : TextKind::task, 0, random, item);
      material.items.push_back(std::move(item));
    }
    if (g == 0) benchmark_ = material.items;
    material.templates.push_back(PromptTemplate::draw(random, 0, 20, true));
    material.params = random.chance(0.7) ? ",\"temperature\":0,\"max_tokens\":1024" : ",\"temperature\":1.0,\"max_tokens\":8192";
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::evaluation, settings, random);
    const Group& benchmark = benchmarks[static_cast<std::size_t>(i) % benchmarks.size()];
    ServicePlan plan = service_plan(Stratum::evaluation, member, random);
    plan.kind = ServiceKind::evaluation;
    plan.material = benchmark.material;
    plan.job_requests = static_cast<double>(benchmark.material->items.size());
    plan.job_gap_s = lognormal(random, 4, 0.8);
    plan.gap = make_gap_shape(true, 1.5);
    plan.from_us = std::max(plan.from_us, benchmark.from_us);
    plan.presence.client = stage_.clients.choose(ClientUse::harness, random);
    plan.presence.dialect = random.chance(0.7) ? Dialect::openai_chat : Dialect::anthropic_messages;
    if (random.chance(settings.declared_share)) record(member).declared = Declared::evaluation;
    add_actor(Service(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_batch(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::batch);
  const auto records = static_cast<std::uint32_t>(stage_.texts.pool(Pool::record).size());
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::batch, settings, random);
    ServicePlan plan = service_plan(Stratum::batch, member, random);
    plan.kind = stage_.texts.from_corpora() && random.chance(0.4) ? ServiceKind::records : ServiceKind::batch;
    plan.record_count = std::max(1U, std::min(records, 60U));
    plan.record_first = static_cast<std::uint32_t>(static_cast<std::uint64_t>(i) * plan.record_count % std::max(1U, records - plan.record_count));
    const std::uint64_t own = 1 + random.below(static_cast<std::uint64_t>(settings.templates));
    for (std::uint64_t t = 0; t < own; ++t) plan.own_templates.push_back(PromptTemplate::draw(random, random.chance(0.8) ? 0 : 1 + random.below(kCommonLanguages - 1), 40 + random.below(120)));
    plan.job_requests = std::max(2.0, plan.requests_per_day * (0.5 + 3 * random.uniform()));
    plan.job_gap_s = lognormal(random, 3, 1.0);
    plan.gap = make_gap_shape(true, 1.2);
    plan.clock.rhythm = random.chance(0.5) ? Rhythm::night : Rhythm::service;
    if (random.chance(settings.declared_share)) record(member).declared = Declared::batch;
    add_actor(Service(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_judges(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::judge);
  const std::vector<Group> rubrics = make_groups(settings, random);
  for (const Group& group : rubrics) {
    group.material->templates.push_back(PromptTemplate::draw(random, 0, 120, true));
    group.material->params = random.chance(0.7) ? ",\"temperature\":0,\"max_tokens\":16" : ",\"temperature\":0,\"max_tokens\":64";
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::judge, settings, random);
    ServicePlan plan = service_plan(Stratum::judge, member, random);
    plan.kind = ServiceKind::judge;
    plan.material = rubrics[group_of(static_cast<std::size_t>(i), rubrics.size(), random)].material;
    // Half of them wrote their own rubric, the others took a published one.
    if (random.chance(0.5)) plan.own_templates.push_back(PromptTemplate::draw(random, 0, 120, true));
    plan.output_tokens = 4;
    plan.job_requests = std::max(2.0, plan.requests_per_day * (0.5 + 2 * random.uniform()));
    plan.job_gap_s = lognormal(random, 2, 0.8);
    add_actor(Service(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_relays(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::honest_relay);
  if (settings.accounts == 0) return;
  const std::vector<Group> relays = make_groups(settings, random);
  std::vector<RelayPlan> plans(relays.size());
  for (std::size_t g = 0; g < relays.size(); ++g) {
    RelayPlan& plan = plans[g];
    plan.number = relays[g].number;
    plan.turns = settings.turns;
    plan.user_salt = random.next();
    plan.from_us = relays[g].from_us;
    plan.clock = {Rhythm::people, static_cast<std::int8_t>(random.below(12)), 1, 0};
    plan.gap = make_gap_shape(true, 0.85);
    plan.selection = random.chance(0.75) ? Selection::least_recently_used : Selection::random;
    plan.forged_users = random.chance(0.3);
    plan.shown_users = random.chance(0.4);
    plan.dialect = random.chance(0.5) ? Dialect::openai_chat : Dialect::anthropic_messages;
  }
  const Presence none;
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const std::size_t g = static_cast<std::size_t>(i) % relays.size();
    const Group& relay = relays[g];
    base::Random shared(seed_, relay.number);
    const Member member = add_account(Stratum::honest_relay, settings, random);
    PoolAccount account;
    account.presence = server_presence(member, random);
    account.presence.client = stage_.clients.fixed(ClientUse::relay, relay.number);
    // Each account has a proxy of its own; a few relays send everything from one place.
    if (shared.chance(0.7)) account.presence.egress = stage_.internet.home(member.country, random);
    account.from_us = member.from_us;
    account.until_us = member.until_us;
    AccountRecord& known = record(member);
    sign_up_from(account.presence.egress, known);
    if (shared.chance(0.5)) known.payment = relay.number;
    if (relay.declared) known.declared = Declared::resale;
    if (random.chance(0.3)) known.created_us = std::min(known.created_us, stage_.start_us - days(20 + random.uniform() * 0.3));
    plans[g].accounts.push_back(account);
  }
  for (RelayPlan& plan : plans) {
    if (plan.accounts.empty()) continue;
    plan.users = static_cast<std::uint64_t>(std::max(1.0, settings.users_per_account * static_cast<double>(plan.accounts.size())));
    plan.requests_per_day = settings.requests_per_day * static_cast<double>(plan.users);
    add_actor(Relay(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_declared(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::declared_synthetic);
  const std::vector<Group> customers = make_groups(settings, random);
  for (const Group& group : customers) {
    for (std::int64_t i = 0; i < settings.templates; ++i) group.material->templates.push_back(PromptTemplate::draw(random, 0, 30));
    group.material->params = ",\"temperature\":1.0,\"max_tokens\":4096";
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::declared_synthetic, settings, random);
    const Group& customer = customers[static_cast<std::size_t>(i) % customers.size()];
    ServicePlan plan = service_plan(Stratum::declared_synthetic, member, random);
    plan.kind = ServiceKind::declared;
    plan.material = customer.material;
    plan.record_first = static_cast<std::uint32_t>(random.below(1U << 20));
    plan.clock.rhythm = Rhythm::flat;
    plan.output_tokens = 500;
    plan.presence.client = stage_.clients.fixed(ClientUse::library, customer.number);
    plan.from_us = std::max(plan.from_us, customer.from_us);
    AccountRecord& known = record(member);
    known.org = customer.org;
    known.verified = Verified::org;
    known.tier = Tier::scale;
    if (customer.declared) known.declared = customer.number % 2 == 0 ? Declared::synthetic_data : Declared::distillation;
    add_actor(Service(seed_, std::move(plan)));
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
    default: return add_people(which, random);
  }
}

}  // namespace stillwatch::sim
