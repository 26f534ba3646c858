// Software of the benign strata: tenants, companies, laboratories, jobs, judges, relays, declared customers.
#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "sim/population_builder.h"

namespace stillwatch::sim {
namespace {

constexpr std::uint64_t kDriftStream = 0xD21F7;  // its own generators: drift changes nothing else

}  // namespace

ServicePlan PopulationBuilder::service_plan(Stratum which, const Member& member, base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(which);
  ServicePlan plan;
  plan.presence = server_presence(member, random);
  plan.clock = {Rhythm::service, static_cast<std::int8_t>(countries()[member.country].utc_offset_hours),
                static_cast<float>(settings.active_days), random.next()};
  plan.gap = draw_gap_shape(random);
  plan.requests_per_day = draw_rate(settings, random);
  plan.from_us = member.from_us;
  plan.until_us = member.until_us;
  sign_up_from(random.chance(0.7) ? stage_.internet.home(member.country, random) : plan.presence.egress,
               record(member));
  return plan;
}

void PopulationBuilder::drift(const StratumSettings& settings, const Group& group, std::size_t words) const {
  Material& material = *group.material;
  material.renewals.plan(base::Random(seed_, kDriftStream + group.number), settings.drift_per_week, group.from_us,
                         stage_.end_us, material.templates, words, material.system);
}

Renewals PopulationBuilder::own_drift(const StratumSettings& settings, std::uint64_t account,
                                      const std::vector<PromptTemplate>& templates, std::size_t words) const {
  Renewals renewals;
  renewals.plan(base::Random(seed_, kDriftStream + (account << 32)), settings.drift_per_week, stage_.start_us,
                stage_.end_us, templates, words, {});
  return renewals;
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
    for (std::uint64_t i = 0; i < count; ++i)
      group.material->templates.push_back(PromptTemplate::draw(random, 0, 20 + random.below(90)));
    drift(settings, group, 60);
    Egress cloud = stage_.internet.server(NetworkKind::cloud, random);
    cloud.subnet_count = 1 + static_cast<std::uint32_t>(random.below(3));
    cloud.subnet_first =
        std::min(cloud.subnet_first, stage_.internet.networks()[cloud.network].subnets - cloud.subnet_count);
    cloud.hosts = 12;
    cloud.rotate_us = base::kHourUs;
    ways.push_back({stage_.clients.fixed(ClientUse::library, group.number), draw_dialect(random, true), cloud,
                    draw_model(random), static_cast<std::uint8_t>(random.below(kUsualParams)),
                    static_cast<float>(lognormal(random, 120, 0.8))});
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
    known.unit = vendor.number;
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
    for (std::uint64_t i = 0; i < count; ++i)
      group.material->templates.push_back(PromptTemplate::draw(random, 0, 15 + random.below(60)));
    drift(settings, group, 40);
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::org_many_keys, settings, random);
    const Group& org = orgs[group_of(static_cast<std::size_t>(i), orgs.size(), random)];
    base::Random shared(seed_, org.number);
    ServicePlan plan = service_plan(Stratum::org_many_keys, member, random);
    plan.material = org.material;
    plan.own_share = 0.5F;
    plan.clock.rhythm = random.chance(0.5) ? Rhythm::office : Rhythm::service;
    plan.presence.egress =
        stage_.internet.server(shared.chance(0.5) ? NetworkKind::office : NetworkKind::cloud, shared);
    plan.presence.egress.hosts = 6;
    plan.presence.egress.rotate_us = base::kHourUs;
    plan.presence.egress.salt = random.next();
    if (random.chance(0.6)) plan.presence.client = stage_.clients.fixed(ClientUse::library, org.number);
    AccountRecord& known = record(member);
    known.unit = org.number;
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
    const std::uint64_t count =
        static_cast<std::uint64_t>(settings.items) / 2 + random.below(static_cast<std::uint64_t>(settings.items));
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string item;
      append_builtin(random.chance(0.8) ? TextKind::question : TextKind::task, 0, random, item);
      material.items.push_back(std::move(item));
    }
    if (g == 0) benchmark_ = material.items;
    material.templates.push_back(PromptTemplate::draw(random, 0, 20, true));
    material.params =
        random.chance(0.7) ? ",\"temperature\":0,\"max_tokens\":1024" : ",\"temperature\":1.0,\"max_tokens\":8192";
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::evaluation, settings, random);
    const Group& benchmark = benchmarks[static_cast<std::size_t>(i) % benchmarks.size()];
    ServicePlan plan = service_plan(Stratum::evaluation, member, random);
    record(member).unit = benchmark.number;
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
    plan.record_first = static_cast<std::uint32_t>(static_cast<std::uint64_t>(i) * plan.record_count %
                                                   std::max(1U, records - plan.record_count));
    const std::uint64_t own = 1 + random.below(static_cast<std::uint64_t>(settings.templates));
    for (std::uint64_t t = 0; t < own; ++t) {
      const std::uint64_t words = 40 + random.below(120);  // drawn first: worlds of earlier versions keep their bytes
      const std::size_t language = random.chance(0.8) ? 0 : 1 + random.below(kCommonLanguages - 1);
      if (t == 0) record(member).language = static_cast<std::uint8_t>(language);
      plan.own_templates.push_back(PromptTemplate::draw(random, language, words));
    }
    plan.own_renewals = own_drift(settings, member.number, plan.own_templates, 80);
    plan.job_requests = std::max(2.0, plan.requests_per_day * (0.5 + 3 * random.uniform()));
    plan.job_gap_s = lognormal(random, 3, 1.0);
    plan.gap = make_gap_shape(true, 1.2);
    plan.clock.rhythm = random.chance(0.5) ? Rhythm::night : Rhythm::service;
    if (random.chance(settings.declared_share)) record(member).declared = Declared::batch;
    if (plan.kind == ServiceKind::batch) may_be_framed(member, plan.presence, plan.own_templates);
    add_actor(Service(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_judges(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::judge);
  const std::vector<Group> rubrics = make_groups(settings, random);
  for (const Group& group : rubrics) {
    group.material->templates.push_back(PromptTemplate::draw(random, 0, 120, true));
    drift(settings, group, 120);
    group.material->params =
        random.chance(0.7) ? ",\"temperature\":0,\"max_tokens\":16" : ",\"temperature\":0,\"max_tokens\":64";
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::judge, settings, random);
    ServicePlan plan = service_plan(Stratum::judge, member, random);
    plan.kind = ServiceKind::judge;
    const Group& rubric = rubrics[group_of(static_cast<std::size_t>(i), rubrics.size(), random)];
    plan.material = rubric.material;
    // Half of them wrote their own rubric, the others took a published one.
    if (random.chance(0.5)) {
      plan.own_templates.push_back(PromptTemplate::draw(random, 0, 120, true));
    } else {
      record(member).unit = rubric.number;
    }
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
    known.unit = relay.number;
    sign_up_from(account.presence.egress, known);
    if (shared.chance(0.5)) known.payment = relay.number;
    if (relay.declared) known.declared = Declared::resale;
    if (random.chance(0.3))
      known.created_us = std::min(known.created_us, stage_.start_us - days(20 + random.uniform() * 0.3));
    plans[g].accounts.push_back(account);
  }
  for (RelayPlan& plan : plans) {
    if (plan.accounts.empty()) continue;
    plan.users = static_cast<std::uint64_t>(
        std::max(1.0, settings.users_per_account * static_cast<double>(plan.accounts.size())));
    plan.requests_per_day = settings.requests_per_day * static_cast<double>(plan.users);
    add_actor(Relay(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_declared(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::declared_synthetic);
  const std::vector<Group> customers = make_groups(settings, random);
  for (const Group& group : customers) {
    for (std::int64_t i = 0; i < settings.templates; ++i)
      group.material->templates.push_back(PromptTemplate::draw(random, 0, 30));
    drift(settings, group, 30);
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
    known.unit = customer.number;
    known.org = customer.org;
    known.verified = Verified::org;
    known.tier = Tier::scale;
    if (customer.declared)
      known.declared = customer.number % 2 == 0 ? Declared::synthetic_data : Declared::distillation;
    add_actor(Service(seed_, std::move(plan)));
  }
}

}  // namespace stillwatch::sim
