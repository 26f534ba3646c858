#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "sim/population_builder.h"

namespace stillwatch::sim {
namespace {

// A large campaign runs several relay nodes; this also lets several threads work on it.
constexpr std::size_t kPoolAccountsMax = 2'500;
constexpr std::size_t kCardAccounts = 8;    // accounts that one shared payment pays for
constexpr std::size_t kBurstAccounts = 40;  // accounts of one sign-up burst
constexpr double kBurstHours = 3;
constexpr std::size_t kRepositories = 60;
constexpr std::string_view kEvolve[] = {
    "Rewrite the given prompt so that it needs one more step of reasoning. Keep it understandable.\\n\\n#Given#:\\n",
    "Add a constraint to the prompt below; the new one may have at most 20 words more.\\n\\n#Given#:\\n",
    "Replace general terms of the prompt by more specific ones.\\n\\n#Given#:\\n",
    "Write a brand-new prompt of the same field that is rarer than the one below.\\n\\n#Given#:\\n",
    "Make the prompt below concrete with an input such as a table or code.\\n\\n#Given#:\\n"};

std::size_t language_index(const std::string& code) {
  const auto& all = builtin_languages();
  const auto at = std::find(all.begin(), all.end(), code);
  return at == all.end() ? 0 : static_cast<std::size_t>(at - all.begin());
}

}  // namespace

std::shared_ptr<Work> PopulationBuilder::plan_work(const CampaignSettings& settings, base::Random& random) {
  auto work = std::make_shared<Work>();
  work->family = settings.family;
  work->paraphrase = settings.paraphrase;
  work->multi_turn = settings.multi_turn;
  work->unique = settings.unique;
  work->disjoint_topics = settings.disjoint_topics;
  work->models = settings.models;
  const bool uses_templates = settings.family == Family::template_farm || settings.family == Family::judge_loop;
  if (uses_templates && !settings.unique) {
    const std::int64_t count =
        settings.family == Family::judge_loop ? std::min<std::int64_t>(settings.templates, 5) : settings.templates;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string& language = settings.languages[random.below(settings.languages.size())];
      const PromptTemplate first = PromptTemplate::draw(random, language_index(language), 30);
      work->templates.push_back(first);
      for (std::int64_t v = 1; v < settings.variants; ++v)
        work->templates.push_back(first.reworded(random.next(), stage_.texts));
    }
    work->variants = static_cast<std::size_t>(settings.variants);
  }
  const bool questions = settings.family == Family::reasoning_sweep || settings.family == Family::repeated_sampling;
  if (questions && settings.question_set == QuestionSet::benchmark && !benchmark_.empty()) {
    // The public set lives in a material that the population keeps.
    population_.materials.emplace_back();
    population_.materials.back().items = benchmark_;
    for (const std::string& item : population_.materials.back().items) work->items.push_back(item);
  } else {
    const auto& pool = stage_.texts.pool(questions ? Pool::question : Pool::task);
    const std::size_t count = std::min(pool.size(), static_cast<std::size_t>(settings.items));
    const std::size_t first = random.below(pool.size());
    for (std::size_t i = 0; i < count; ++i) work->items.push_back(pool[(first + i) % pool.size()]);
  }
  // A queue is worked off in its own order, not in that of the corpus.
  for (std::size_t i = work->items.size(); i > 1; --i) std::swap(work->items[i - 1], work->items[random.below(i)]);
  // Without affixes the bare tasks are left: what a method always says around them is as constant as a data set's.
  work->labelled = !stage_.world.world.strip_affixes;
  for (const std::string_view instruction : kEvolve) {
    work->instructions.emplace_back(work->labelled ? instruction : std::string_view());
    for (std::int64_t v = 1; v < settings.variants && work->labelled && settings.family == Family::evolution; ++v)
      work->instructions.push_back(reword(random.next(), stage_.texts.passage(), instruction));
  }
  if (work->labelled) work->instruction_end = "\\n#Rewritten#:";
  if (settings.family == Family::self_instruct && work->labelled) {
    work->prefixes.push_back(draw_system_prompt(random, 22) + "\\n\\nList of tasks:");
    for (std::int64_t v = 1; v < settings.variants; ++v)
      work->prefixes.push_back(reword(random.next(), stage_.texts.passage(), work->prefixes[0]));
  }
  if (settings.family == Family::agent_rollouts) {
    for (std::size_t i = 0; i < kRepositories; ++i)
      work->system_of_task.push_back(draw_system_prompt(random, 10) +
                                     "\\nRepository: " + std::to_string(random.below(100000)));
    work->tools = draw_tools(random, 6, false);
  }
  if (settings.release_pivot && stage_.world.world.release_day > 0) {
    work->pivot_us = stage_.start_us + days(stage_.world.world.release_day) +
                     static_cast<std::int64_t>((1 + 5 * random.uniform()) * static_cast<double>(base::kHourUs));
  }
  return work;
}

void PopulationBuilder::plan_accounts(std::size_t index, RelayPlan& plan, std::size_t accounts, base::Random& random,
                                      bool spare) {
  const CampaignSettings& settings = stage_.world.campaigns[index];
  StratumSettings ordinary;
  ordinary.new_share = 0;
  ordinary.churn_share = 0;
  const std::uint64_t operator_number = plan.user_salt;
  const Egress shared_exit = stage_.internet.server(NetworkKind::hosting, random);
  std::int64_t burst_us = 0;
  std::size_t burst_left = 0;
  std::uint64_t payment = 0;
  std::size_t payment_left = 0;
  for (std::size_t slot = 0; slot < accounts; ++slot) {
    std::int64_t from_us = plan.from_us;
    do {
      const Member member = add_account(Stratum::chat_single, ordinary, random);
      AccountRecord& known = record(member);
      known.campaign = static_cast<std::uint16_t>(index + 1);
      known.tier = Tier::standard;
      known.verified = random.chance(0.8) ? Verified::card : Verified::phone;
      known.mail_domain = random.chance(0.8) ? 1 + random.below(5) : fresh();
      known.payment = fresh();
      if (random.chance(settings.payment_share)) {
        if (payment_left == 0) payment = fresh(), payment_left = kCardAccounts;
        --payment_left;
        known.payment = payment;
      }
      // First accounts are prepared for the start; replacements are bought when they are needed.
      const bool first = from_us == plan.from_us;
      known.created_us = from_us - days(0.05 + settings.account_age_days * random.exponential() * (first ? 1 : 0.1));
      if (first && random.chance(settings.signup_burst)) {
        if (burst_left == 0)
          burst_us = plan.from_us - days(0.1 + settings.account_age_days * random.uniform()),
          burst_left = kBurstAccounts;
        --burst_left;
        known.created_us =
            burst_us + static_cast<std::int64_t>(random.uniform() * kBurstHours * static_cast<double>(base::kHourUs));
      }
      known.created_us = std::min(known.created_us, from_us);
      PoolAccount account;
      const bool spoofed =
          settings.client == ClientPlan::spoofed || (settings.client == ClientPlan::mixed && random.chance(0.5));
      account.presence = home_presence(member, random.chance(0.6) ? ClientUse::library : ClientUse::chat_app, random);
      known.spare = spare;
      if (!spare) add_warm_up(settings, account.presence, from_us, known);
      if (!spoofed) account.presence.client = stage_.clients.fixed(ClientUse::relay, operator_number);
      account.presence.keys = 1;
      account.presence.away_share = 0;
      switch (settings.proxies) {
        case Proxies::own: break;  // a consumer line of its own, as home_presence has it
        case Proxies::residential:
          account.presence.egress = stage_.internet.roaming(NetworkKind::home, random, base::kHourUs);
          break;
        case Proxies::datacenter: account.presence.egress = stage_.internet.server(NetworkKind::hosting, random); break;
        case Proxies::shared:
          account.presence.egress = shared_exit;
          account.presence.egress.hosts = 4;
          account.presence.egress.rotate_us = base::kHourUs;
          break;
      }
      sign_up_from(account.presence.egress, known);
      account.topic = static_cast<std::uint32_t>(slot);
      if (settings.rate_sigma > 0) account.weight = static_cast<float>(std::exp(settings.rate_sigma * random.normal()));
      account.from_us = from_us;
      account.until_us = plan.until_us;
      if (settings.replacement_per_day > 0) {
        const double life_days = random.exponential() / settings.replacement_per_day;
        if (life_days < 400) account.until_us = std::min(plan.until_us, from_us + days(life_days));
      }
      plan.accounts.push_back(account);
      from_us = account.until_us + days(0.05 + 0.5 * random.uniform());
    } while (from_us < plan.until_us && !spare);
  }
}

void PopulationBuilder::add_campaign(std::size_t index) {
  const CampaignSettings& settings = stage_.world.campaigns[index];
  if (settings.accounts == 0) return;
  base::Random random(seed_, 0xCA3 + 0x10000ULL * (index + 1));
  const std::shared_ptr<Work> work = plan_work(settings, random);
  const auto total = static_cast<std::size_t>(settings.accounts);
  const std::size_t pools = (total + kPoolAccountsMax - 1) / kPoolAccountsMax;
  const std::uint64_t operator_number = fresh();
  const Dialect dialect = random.chance(0.5) ? Dialect::anthropic_messages : Dialect::openai_chat;
  const std::uint64_t first_item = random.below(std::max<std::size_t>(1, work->items.size()));
  for (std::size_t pool = 0; pool < pools; ++pool) {
    RelayPlan plan;
    plan.number = fresh();
    plan.user_salt = operator_number;
    plan.work = work;
    plan.attack_share = settings.attack_share;
    plan.resale_share = settings.resale_share;
    plan.turns = 3;
    plan.users = 1 + static_cast<std::uint64_t>(static_cast<double>(total) * 4);
    plan.cover_pool = static_cast<std::uint32_t>(settings.cover_pool);
    plan.from_us = stage_.start_us + days(settings.start_day);
    plan.until_us =
        settings.end_day == 0 ? stage_.end_us : std::min(stage_.end_us, stage_.start_us + days(settings.end_day));
    if (plan.from_us >= plan.until_us) return;
    plan.clock = {settings.schedule == Schedule::human ? Rhythm::people : Rhythm::flat,
                  static_cast<std::int8_t>(random.below(24)), 1, operator_number};
    plan.gap = settings.schedule == Schedule::bursty ? make_gap_shape(false, 0.15) : make_gap_shape(true, 0.9);
    plan.selection = settings.selection;
    plan.sticky_us = static_cast<std::int64_t>(settings.sticky_minutes * static_cast<double>(base::kMinuteUs));
    plan.forged_users = settings.end_users == EndUsers::forged;
    plan.shown_users = settings.end_users == EndUsers::real;
    plan.dialect = dialect;
    const std::size_t accounts = total / pools + (pool < total % pools ? 1 : 0);
    plan.requests_per_day = settings.requests_per_account_day * static_cast<double>(accounts);
    plan.item_first = static_cast<std::uint32_t>(first_item + pool);
    plan.item_stride = static_cast<std::uint32_t>(pools);
    if (pool == 0) add_poison(index, plan, random);
    plan_accounts(index, plan, accounts, random);
    if (pool == 0) frame(settings, *work, plan, random);
    if (stage_.bans_are_answered) {
      plan.wanted_accounts = accounts;
      add_spares(index, plan, stage_.spare_accounts / pools + (pool < stage_.spare_accounts % pools ? 1 : 0));
    }
    const std::int64_t from_us = plan.from_us, until_us = plan.until_us;
    add_actor(Relay(seed_, std::move(plan)));
    if (pool == 0) add_flood(index, *work, from_us, until_us);
  }
}

}  // namespace stillwatch::sim
