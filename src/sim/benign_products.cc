// Products whose users are even, prolific or sudden: fleets of devices, writing tools, hackathons, platforms.
#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "sim/population_builder.h"

namespace stillwatch::sim {
namespace {

constexpr double kDevicePeriodShape = 40;   // of Weibull gaps: a timer that is 3 % off
constexpr double kPromotedDays = 5;         // mean delay of a late product's customers
constexpr std::int64_t kDayOfSaturday = 2;  // days since 1970-01-01, a Thursday, modulo 7
constexpr double kEventHours = 34;          // Saturday morning to Sunday evening
constexpr double kDoorsHours = 2;           // everybody signs up in these

}  // namespace

void PopulationBuilder::launch_late(const Group& product, ServicePlan& plan, AccountRecord& known,
                                    base::Random& random) const {
  plan.from_us = std::max(plan.from_us, product.from_us);
  if (product.from_us == stage_.start_us) return;
  // Part of them sign up on the day of the launch.
  known.created_us =
      product.from_us + days(random.chance(0.4) ? random.uniform() * 0.2 : random.exponential() * kPromotedDays);
  plan.from_us = known.created_us;
}

void PopulationBuilder::add_fleets(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::device_fleet);
  const std::vector<Group> vendors = make_groups(settings, random);
  struct Fleet {
    Dialect dialect;
    std::size_t country;
    bool by_carrier, registered_by_vendor;
    Egress vendor_server;
    double requests_per_day;
    float output_tokens;
  };
  std::vector<Fleet> fleets;
  for (const Group& vendor : vendors) {
    Material& material = *vendor.material;
    if (random.chance(0.8)) material.system = draw_system_prompt(random, 3 + random.below(5));
    material.params = ",\"temperature\":0.2,\"max_tokens\":256";
    const std::uint64_t count = 1 + random.below(static_cast<std::uint64_t>(settings.templates));
    for (std::uint64_t i = 0; i < count; ++i)
      material.templates.push_back(PromptTemplate::draw(random, 0, 8 + random.below(20)));
    drift(settings, vendor, 15);
    Fleet fleet;
    fleet.dialect = draw_dialect(random, false);
    fleet.country = draw_country(random);
    fleet.by_carrier = random.chance(0.5);
    fleet.registered_by_vendor = random.chance(0.5);
    fleet.vendor_server = stage_.internet.server(NetworkKind::cloud, random);
    fleet.requests_per_day = settings.requests_per_day * std::exp(0.3 * random.normal() - 0.045);
    fleet.output_tokens = static_cast<float>(lognormal(random, 60, 0.5));
    fleets.push_back(fleet);
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::device_fleet, settings, random);
    const std::size_t at = group_of(static_cast<std::size_t>(i), vendors.size(), random);
    const Group& vendor = vendors[at];
    const Fleet& fleet = fleets[at];
    ServicePlan plan = service_plan(Stratum::device_fleet, member, random);
    plan.material = vendor.material;
    plan.presence.client = stage_.clients.fixed(ClientUse::library, vendor.number);
    plan.presence.dialect = fleet.dialect;
    plan.presence.egress =
        fleet.by_carrier ? stage_.internet.mobile(fleet.country, random) : stage_.internet.home(fleet.country, random);
    plan.presence.keys = 1;
    plan.clock = {Rhythm::flat, 0, static_cast<float>(settings.active_days), random.next()};
    plan.gap = make_gap_shape(true, kDevicePeriodShape);
    const double sigma = settings.rate_sigma;
    plan.requests_per_day = fleet.requests_per_day * std::exp(sigma * random.normal() - sigma * sigma / 2);
    plan.output_tokens = fleet.output_tokens;
    AccountRecord& known = record(member);
    known.unit = vendor.number;
    known.org = vendor.org;
    known.mail_domain = vendor.number + (1ULL << 40);
    launch_late(vendor, plan, known, random);
    sign_up_from(fleet.registered_by_vendor ? fleet.vendor_server : plan.presence.egress, known);
    add_actor(Service(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_writing(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::writing_product);
  const std::vector<Group> vendors = make_groups(settings, random);
  struct Product {
    Dialect dialect;
    Egress cloud;
    bool from_cloud;
    std::uint8_t model;
    float output_tokens;
  };
  std::vector<Product> products;
  for (const Group& vendor : vendors) {
    Material& material = *vendor.material;
    if (random.chance(0.5)) material.system = draw_system_prompt(random, random.below(8));
    material.params = ",\"temperature\":0.8,\"max_tokens\":4096";
    for (std::int64_t i = 0; i < settings.templates; ++i)
      material.templates.push_back(PromptTemplate::draw(random, 0, 15 + random.below(60)));
    drift(settings, vendor, 40);
    Egress cloud = stage_.internet.server(NetworkKind::cloud, random);
    cloud.hosts = 8;
    cloud.rotate_us = base::kHourUs;
    products.push_back({draw_dialect(random, false), cloud, random.chance(0.6), draw_model(random),
                        static_cast<float>(lognormal(random, 700, 0.3))});
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::writing_product, settings, random);
    const std::size_t at = group_of(static_cast<std::size_t>(i), vendors.size(), random);
    const Group& vendor = vendors[at];
    const Product& product = products[at];
    ServicePlan plan = service_plan(Stratum::writing_product, member, random);
    plan.material = vendor.material;
    plan.clock.rhythm = Rhythm::people;
    plan.presence.client =
        stage_.clients.fixed(product.from_cloud ? ClientUse::library : ClientUse::chat_app, vendor.number);
    plan.presence.client.pinned = false;
    plan.presence.dialect = product.dialect;
    plan.presence.model = product.model;
    plan.presence.egress = product.from_cloud ? product.cloud : stage_.internet.home(member.country, random);
    plan.presence.egress.salt = random.next();
    plan.output_tokens = product.output_tokens;
    AccountRecord& known = record(member);
    known.unit = vendor.number;
    known.org = vendor.org;
    launch_late(vendor, plan, known, random);
    if (random.chance(0.2)) known.referral = vendor.number;
    add_actor(Service(seed_, std::move(plan)));
  }
}

std::int64_t PopulationBuilder::draw_weekend(base::Random& random) const {
  std::vector<std::int64_t> saturdays;
  for (std::int64_t day = stage_.start_us / base::kDayUs - 1; day * base::kDayUs < stage_.end_us; ++day) {
    if (day % 7 == kDayOfSaturday) saturdays.push_back(day * base::kDayUs);
  }
  return saturdays.empty() ? stage_.start_us : saturdays[random.below(saturdays.size())];
}

void PopulationBuilder::add_hackathons(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::hackathon);
  std::vector<Group> events = make_groups(settings, random);
  for (Group& event : events) {
    event.from_us = draw_weekend(random) + static_cast<std::int64_t>(6 + random.below(4)) * base::kHourUs;
    event.material->start_us = event.from_us;
    for (std::int64_t i = 0; i < settings.templates; ++i)
      event.material->templates.push_back(PromptTemplate::draw(random, 0, 10 + random.below(30)));
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const Member member = add_account(Stratum::hackathon, settings, random);
    const Group& event = events[group_of(static_cast<std::size_t>(i), events.size(), random)];
    base::Random shared(seed_, event.number);
    PersonPlan plan = person_plan(Stratum::hackathon, member, random);
    plan.kind = PersonKind::hacker;
    plan.material = event.material;
    plan.language = 0;
    plan.presence = home_presence(member, ClientUse::library, random);
    if (plan.presence.dialect == Dialect::text) plan.presence.dialect = Dialect::openai_chat;
    Egress venue = stage_.internet.server(NetworkKind::office, shared);
    venue.hosts = 4;
    venue.rotate_us = base::kHourUs;
    venue.salt = random.next();
    plan.presence.away = stage_.internet.mobile(member.country, random);
    plan.presence.egress = venue;
    plan.presence.away_share = 0.1F;
    plan.clock = {Rhythm::student, 0, 1, event.number};
    AccountRecord& known = record(member);
    known.unit = event.number;
    known.org = event.org;
    known.created_us =
        event.from_us + static_cast<std::int64_t>(random.uniform() * kDoorsHours * static_cast<double>(base::kHourUs));
    known.tier = Tier::standard;
    known.verified = Verified::email;
    known.payment = event.number;
    known.referral = event.number + (1ULL << 41);
    plan.from_us = std::max(known.created_us, stage_.start_us);
    plan.until_us = event.from_us + static_cast<std::int64_t>(kEventHours * static_cast<double>(base::kHourUs));
    sign_up_from(venue, known);
    add_actor(Person(seed_, std::move(plan)));
  }
}

void PopulationBuilder::add_platforms(base::Random& random) {
  const StratumSettings& settings = stage_.world.stratum(Stratum::reseller_platform);
  const std::vector<Group> platforms = make_groups(settings, random);
  std::vector<RelayPlan> plans(platforms.size());
  for (std::size_t g = 0; g < platforms.size(); ++g) {
    RelayPlan& plan = plans[g];
    plan.number = platforms[g].number;
    plan.turns = settings.turns;
    plan.user_salt = random.next();
    plan.from_us = platforms[g].from_us;
    plan.clock = {Rhythm::people, static_cast<std::int8_t>(random.below(12)), 1, 0};
    plan.gap = make_gap_shape(true, 0.9);
    plan.selection = Selection::random;
    plan.sticky_us = 30 * base::kDayUs;  // a user's account is his region: it does not change
    plan.shown_users = true;
    plan.dialect = random.chance(0.5) ? Dialect::openai_chat : Dialect::anthropic_messages;
  }
  for (std::int64_t i = 0; i < settings.accounts; ++i) {
    const std::size_t g = static_cast<std::size_t>(i) % platforms.size();
    const Group& platform = platforms[g];
    const Member member = add_account(Stratum::reseller_platform, settings, random);
    PoolAccount account;
    account.presence = server_presence(member, random);
    account.presence.client = stage_.clients.fixed(ClientUse::library, platform.number);
    account.from_us = std::max(member.from_us, platform.from_us);
    account.until_us = member.until_us;
    AccountRecord& known = record(member);
    known.unit = platform.number;
    known.org = platform.org;
    known.tier = Tier::scale;
    known.verified = Verified::org;
    known.payment = platform.number;
    known.mail_domain = platform.number + (1ULL << 40);
    if (platform.declared) known.declared = Declared::resale;
    sign_up_from(account.presence.egress, known);
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

}  // namespace stillwatch::sim
