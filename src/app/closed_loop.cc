#include "app/closed_loop.h"

#include <array>

#include "crypto/keyed_hash.h"
#include "intake/account_parser.h"
#include "intake/line_parser.h"

namespace stillwatch::app {
namespace {

// Lines get the padding that the parsers ask for.
class PaddedLine {
 public:
  std::string_view operator()(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    bytes_.assign(line);
    bytes_.append(intake::kJsonPadding, '\0');
    return std::string_view(bytes_).substr(0, line.size());
  }

 private:
  std::string bytes_;
};

/// What stands between the simulator's lines and the bans: intake and engine, as in a replay.
class Defence {
 public:
  Defence(const ClosedLoopOptions& options, std::vector<std::string>& convicted)
      : keyed_hash_(kSecret),
        parser_(intake::make_query_parser(keyed_hash_, &identities_)),
        account_parser_(keyed_hash_),
        engine_(
            options.engine, options.threads, [this](event::Token token) { return identities_.open(token); },
            [this, &options, &convicted](std::span<const event::Verdict> verdicts) {
              for (const event::Verdict& verdict : verdicts) {
                if (verdict.kind == event::SubjectKind::account && verdict.level >= options.respond)
                  convicted.emplace_back(identities_.open(verdict.subject));
              }
              return base::Status{};
            }) {}

  base::Status read_account(std::string_view line, std::vector<event::AccountUpdate>& updates) {
    event::AccountUpdate update;
    if (account_parser_.parse(padded_(line), update))
      return base::fail(base::Fault::ours, "the simulator wrote an account line that intake refuses");
    identities_.add(intake::IdKind::account, update.account, account_parser_.account_id());
    updates.push_back(std::move(update));
    return {};
  }
  base::Status read_queries(const std::vector<sim::Simulation::Entry>& entries) {
    batch_.clear();
    for (const sim::Simulation::Entry& entry : entries) {
      parser_->parse(padded_(entry.line), parsed_);
      if (!parsed_.accepted)
        return base::fail(base::Fault::ours, "the simulator wrote a query line that intake refuses");
      identities_.add(parser_->new_ids());
      parser_->new_ids().clear();
      batch_.push_back(parsed_.query);
    }
    return engine_.step(batch_);
  }
  engine::Engine& engine() { return engine_; }

 private:
  // Fixed: tokens order ties, and the same seed must give the same figures.
  static constexpr std::array<std::uint8_t, crypto::KeyedHash::kSecretBytes> kSecret = {'c', 'l', 'o', 's', 'e', 'd'};

  crypto::KeyedHash keyed_hash_;
  intake::Identities identities_;
  std::unique_ptr<intake::LineParser> parser_;
  intake::AccountParser account_parser_;
  intake::ParsedLine parsed_;
  std::vector<event::Query> batch_;
  PaddedLine padded_;
  engine::Engine engine_;
};

}  // namespace

base::Result<ClosedLoopResult> run_closed_loop(const ClosedLoopOptions& options,
                                               const std::function<void(double)>& progress) {
  sim::SimulationOptions running;
  running.world = options.world;
  running.seed = options.seed;
  running.prompts = options.prompts;
  running.threads = options.threads;
  running.spare_accounts = options.replacements;
  STILLWATCH_TRY(simulation, sim::Simulation::open(std::move(running)));
  std::vector<std::string> convicted;
  std::optional<Defence> defence;
  if (options.bans) {
    defence.emplace(options, convicted);
    std::vector<event::AccountUpdate> updates;
    base::Status status;
    simulation->for_each_account([&](const std::string& line, const std::string&) {
      if (status) status = defence->read_account(line, updates);
    });
    STILLWATCH_CHECK(status);
    defence->engine().set_accounts(std::move(updates));
  }
  ClosedLoopResult result;
  std::vector<sim::Simulation::Entry> entries;
  for (;;) {
    STILLWATCH_TRY(more, simulation->next_slice(entries));
    if (!more) break;
    result.records += entries.size();
    for (const sim::Simulation::Entry& entry : entries)
      result.hostile_answers += !entry.truth.empty() && entry.answered ? 1 : 0;
    if (progress) progress(simulation->share());
    if (!options.bans || entries.empty()) continue;
    convicted.clear();
    const std::int64_t now_us = entries.back().time_us;
    STILLWATCH_CHECK(defence->read_queries(entries));
    std::vector<sim::Replacement> replacements;
    for (const std::string& account : convicted) simulation->ban(account, now_us, replacements);
    std::vector<event::AccountUpdate> updates;
    for (const sim::Replacement& replacement : replacements)
      STILLWATCH_CHECK(defence->read_account(replacement.account_line, updates));
    if (!updates.empty()) defence->engine().add_accounts(std::move(updates));
    const sim::Simulation::Counts& counts = simulation->counts();
    if (!result.first_ban_us && counts.hostile_banned > 0) result.first_ban_us = now_us;
    while (options.evade_after > 0 && counts.hostile_banned >= options.evade_after * (result.evasions + 1))
      simulation->evade(sim::evasion_step(result.evasions++));
  }
  const sim::Simulation::Counts& counts = simulation->counts();
  result.hostile_accounts = counts.hostile_accounts;
  result.hostile_banned = counts.hostile_banned;
  result.replacements = counts.replacements;
  result.honest_accounts = counts.accounts - counts.hostile_accounts;
  result.honest_banned = counts.honest_banned;
  return result;
}

base::Result<HalfYield> cost_of_half(ClosedLoopOptions options, std::uint64_t whole, const ClosedLoopResult& at_most,
                                     int runs_max, const std::function<void(double)>& progress) {
  const auto keeps_half = [&](const ClosedLoopResult& result) { return 2 * result.hostile_answers >= whole; };
  HalfYield half;
  if (!keeps_half(at_most)) return half;
  half.reached = true;
  // A budget that was not used up is as good as what was used of it.
  half.budget = at_most.replacements;
  half.accounts_spent = at_most.hostile_accounts;
  std::size_t too_few = 0;
  const std::size_t near_enough = std::max<std::size_t>(1, at_most.hostile_accounts / 50);
  while (half.runs < runs_max && half.budget > 0) {
    // None at all first: most undetected campaigns need no replacement.
    const std::size_t budget = half.runs == 0 ? 0 : too_few + (half.budget - too_few) / 2;
    if (half.runs > 0 && half.budget - too_few <= near_enough) break;
    options.replacements = budget;
    STILLWATCH_TRY(result, run_closed_loop(options, progress));
    ++half.runs;
    if (keeps_half(result)) {
      half.budget = budget;
      half.accounts_spent = result.hostile_accounts;
    } else {
      too_few = budget;
    }
  }
  return half;
}

}  // namespace stillwatch::app
