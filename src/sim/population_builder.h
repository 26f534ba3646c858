// Builds a Population stratum by stratum. Split over benign_people.cc, benign_services.cc, benign_products.cc
// (strata), campaign.cc and campaign_tricks.cc.
//
// Invariant: draws come from one generator per stratum or campaign, so that changing one leaves the others
// as they were. Threads: one. Cost: some microseconds an account.
#pragma once

#include "base/event_time.h"
#include "sim/population.h"
#include "sim/relay.h"
#include "sim/service.h"

namespace stillwatch::sim {

inline std::int64_t days(double count) { return static_cast<std::int64_t>(count * static_cast<double>(base::kDayUs)); }
/// An account's requests a day; mean one times the stratum's mean.
double draw_rate(const StratumSettings& settings, base::Random& random);

class PopulationBuilder {
 public:
  PopulationBuilder(const Stage& stage, std::uint64_t seed);
  void add_stratum(Stratum which);
  void add_campaign(std::size_t index);
  Population finish() { return std::move(population_); }

 private:
  struct Member {
    std::size_t record = 0;  // index into population_.accounts
    std::uint64_t number = 0;
    std::size_t country = 0;
    std::int64_t from_us = 0, until_us = kNever;
  };
  struct Group {
    Material* material = nullptr;
    std::uint64_t number = 0;
    std::uint64_t org = 0;
    std::int64_t from_us = 0;
    bool declared = false;
  };

  // benign_people.cc, benign_services.cc
  void add_people(Stratum which, base::Random& random);
  void add_tenants(base::Random& random);
  void add_org(base::Random& random);
  void add_evaluation(base::Random& random);
  void add_batch(base::Random& random);
  void add_judges(base::Random& random);
  void add_relays(base::Random& random);
  void add_declared(base::Random& random);
  // benign_products.cc
  void add_fleets(base::Random& random);
  void add_writing(base::Random& random);
  void add_hackathons(base::Random& random);
  void add_platforms(base::Random& random);
  void launch_late(const Group& product, ServicePlan& plan, AccountRecord& known, base::Random& random) const;
  /// Midnight of a Saturday whose weekend lies in the world.
  std::int64_t draw_weekend(base::Random& random) const;
  /// Plans the weekly renewals of a group's templates and system prompt, once these are made.
  void drift(const StratumSettings& settings, const Group& group, std::size_t words) const;
  Renewals own_drift(const StratumSettings& settings, std::uint64_t account,
                     const std::vector<PromptTemplate>& templates, std::size_t words) const;
  std::vector<Group> make_groups(const StratumSettings& settings, base::Random& random);
  /// Index of the group of account i: sizes follow a power law, as vendors' and companies' do.
  std::size_t group_of(std::size_t i, std::size_t groups, base::Random& random) const;
  PersonPlan person_plan(Stratum which, const Member& member, base::Random& random);
  void fit_person(Stratum which, const Group& group, const StratumSettings& settings, PersonPlan& plan,
                  AccountRecord& record, base::Random& random);
  ServicePlan service_plan(Stratum which, const Member& member, base::Random& random);

  // Both.
  Member add_account(Stratum which, const StratumSettings& settings, base::Random& random);
  AccountRecord& record(const Member& member) { return population_.accounts[member.record]; }
  Presence home_presence(const Member& member, ClientUse use, base::Random& random) const;
  Presence server_presence(const Member& member, base::Random& random) const;
  void sign_up_from(const Egress& egress, AccountRecord& record) const;
  std::size_t draw_country(base::Random& random) const;
  std::uint64_t fresh() { return ++last_number_; }
  template <class T>
  void add_actor(T actor) {
    population_.actors.push_back(std::make_unique<T>(std::move(actor)));
  }

  // campaign.cc
  void plan_accounts(std::size_t index, RelayPlan& plan, std::size_t accounts, base::Random& random,
                     bool spare = false);
  void add_spares(std::size_t index, RelayPlan& plan, std::size_t accounts);
  std::shared_ptr<Work> plan_work(const CampaignSettings& settings, base::Random& random);
  // campaign_tricks.cc
  void add_warm_up(const CampaignSettings& settings, const Presence& ordinary, std::int64_t from_us,
                   AccountRecord& known);
  void frame(const CampaignSettings& settings, Work& work, RelayPlan& plan, base::Random& random);
  void add_poison(std::size_t index, RelayPlan plan, base::Random& random);
  void add_flood(std::size_t index, const Work& work, std::int64_t from_us, std::int64_t until_us);
  /// Remembers an honest account that a campaign may frame, if one wants to.
  void may_be_framed(const Member& member, const Presence& presence, const std::vector<PromptTemplate>& templates);

  const Stage& stage_;
  std::uint64_t seed_;
  std::uint64_t last_number_ = 1000;  // groups, owners, payments; small numbers are free mail providers
  std::uint64_t last_account_ = 0;
  std::vector<std::string> benchmark_;  // questions of the first benchmark, for campaigns that sweep a public set
  struct Victim {
    std::size_t record = 0;
    Presence presence;
    std::vector<PromptTemplate> templates;
  };
  std::vector<Victim> victims_;
  bool wants_victims_ = false;
  std::uint32_t chat_people_ = 0, chat_person_ = 0;
  Population population_;
};

}  // namespace stillwatch::sim
