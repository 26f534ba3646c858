// Decisions of a gateway that rest on a kept state: made again from it, they are those of the whole log.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>

#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "gateway/ledger_link_fixture.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;
using test::held_in;
using test::ledger_in;
using test::lines_of_log;
using test::Pair;
using test::send;
using test::started;

constexpr std::int64_t kFebruaryMs = 1'770'000'000'000;  // 2026-02-02
constexpr std::int64_t kMonthMs = 31LL * 86'400'000;

void wait_for(const std::function<bool()>& holds) {
  for (int i = 0; i < 60'000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(holds());
}

/// How many leaves of records stand before a place of the shard's logs.
std::size_t records_before(const settings::Ledger& settings, const std::string& origin, std::uint64_t index) {
  std::size_t count = 0;
  const auto logs = audit::logs_of_shard(settings.folder, settings.shard);
  for (const audit::ShardLog& log : *logs) {
    const std::uint64_t end = log.origin == origin ? index : log.size;
    const auto reader = ledger::LogReader::open(log.folder);
    EXPECT_TRUE(reader->scan(0, end, [&](std::uint64_t, std::string_view bytes) {
      count += bytes.starts_with(R"({"v":1,"k":"query")") ? 1 : 0;
      return true;
    }));
    if (log.origin == origin) break;
  }
  return count;
}

/// What an engine says that goes on from a kept state and is given lines of the query log.
std::string replay_from(const audit::KeptState& state, std::string_view names, const std::vector<std::string>& lines,
                        const ObserverOptions& options, const crypto::KeyedHash& keyed_hash, const Folder& folder) {
  std::string verdicts;
  intake::Identities identities;
  const auto open = [&](event::Token token) { return identities.open(token); };
  engine::Engine engine(options.engine, 2, open, [&](std::span<const event::Verdict> given) {
    for (const event::Verdict& verdict : given) verdicts += event::to_json(verdict, options.policy_hash, open) + "\n";
    return base::Status{};
  });
  EXPECT_TRUE(identities.load(names));
  auto known = intake::load_accounts(options.state_folder + "/accounts.ndjson", keyed_hash, identities, {}, false);
  EXPECT_EQ(known->updates.size(), state.account_updates) << "the file did not change meanwhile";
  std::stable_sort(known->updates.begin(), known->updates.end(),
                   [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  engine.set_accounts(std::move(known->updates));
  EXPECT_TRUE(engine.restore(state.engine));
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  folder.write("rest.ndjson", text);
  intake::LogReaderOptions reading;
  reading.lateness_us = options.lateness_us;
  auto reader = intake::LogReader::open({folder.path + "/rest.ndjson"}, reading, keyed_hash, identities, {});
  std::vector<event::Query> all = state.waiting;
  for (std::vector<event::Query> batch;; batch.clear()) {
    const auto more = (*reader)->next(batch);
    EXPECT_TRUE(more);
    if (!more || !*more) break;
    all.insert(all.end(), batch.begin(), batch.end());
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  EXPECT_TRUE(engine.step(all));
  return verdicts;
}

TEST(KeptState, DecisionsOfAMonthComeOutOfItsStateAsOutOfTheWholeLog) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.snapshot_seconds = 0.05;
  options.accounts_file = folder.path + "/accounts.ndjson";
  folder.write("accounts.ndjson", test::accounts_of({}));
  const settings::Ledger ledger = ledger_in(folder);
  const std::vector<Exchange> world = test::make_world();
  const std::span<const Exchange> all(world);
  std::atomic<std::int64_t> now_ms{kFebruaryMs};
  const audit::KeptStates states(ledger.folder);
  {
    Pair pair = started(options, ledger, keyed_hash, [&] { return now_ms.load(); });
    constexpr std::size_t kWaiting = 50;
    const std::size_t part = world.size() * 3 / 5;
    test::serve(*pair.observer, {world.begin(), world.begin() + static_cast<std::ptrdiff_t>(part - kWaiting)}, 3, 5);
    EXPECT_TRUE(states.list()->empty());
    // Records wait for the turn of one that is still being served when the month begins.
    std::optional<InFlight::Ticket> served(pair.observer->in_flight().arrive_at(world[part - kWaiting].arrived_us - 1));
    send(*pair.observer, all.subspan(part - kWaiting, kWaiting));
    now_ms += kMonthMs;
    wait_for([&] { return states.list()->size() == 1; });
    served.reset();
    send(*pair.observer, all.subspan(world.size() * 3 / 5));
    ASSERT_TRUE(pair.stop());
  }
  ASSERT_EQ(states.list()->size(), 1U) << "once a month";
  const ledger::Hash32 hash = states.list()->front().hash;
  const auto held = held_in(ledger);
  std::size_t before = 0, after = 0;
  std::string origin;
  std::uint64_t from = 0;
  for (const auto& [id, leaf] : held.decision_leaves) {
    if (!leaf.state) {
      ++before;
      EXPECT_EQ(leaf.inputs.front().from, 0U);
      continue;
    }
    ++after;
    EXPECT_EQ(*leaf.state, hash);
    ASSERT_EQ(leaf.inputs.size(), 1U);
    EXPECT_TRUE(leaf.inputs.front().log.ends_with("2026-03")) << leaf.inputs.front().log;
    origin = leaf.inputs.front().log;
    from = leaf.inputs.front().from;
  }
  EXPECT_GT(before, 5U);
  ASSERT_GT(after, 5U);

  const auto state = states.read(hash);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_FALSE(state->waiting.empty());
  const auto master = ledger::open_master_key_file(audit::master_key_path(ledger.folder), false);
  ledger::KeyBookOptions reading;
  reading.read_only = true;
  reading.now_us = [] { return test::kStart; };
  const auto keys = ledger::KeyBook::open(audit::key_book_folder(ledger.folder), **master, reading);
  ASSERT_TRUE(keys);
  const auto names = states.read_names(hash, **keys);
  ASSERT_TRUE(names) << names.error().message;
  const std::vector<std::string> lines = lines_of_log(options);
  const std::size_t seen = records_before(ledger, origin, from);
  ASSERT_LT(seen, lines.size());
  const std::string whole = test::replay(options, keyed_hash).verdicts;
  EXPECT_EQ(whole, folder.read("state/verdicts.ndjson"));
  const std::string rest = replay_from(*state, *names, {lines.begin() + static_cast<std::ptrdiff_t>(seen), lines.end()},
                                       options, keyed_hash, folder);
  EXPECT_EQ(test::line_count(rest), after);
  EXPECT_TRUE(whole.ends_with(rest));
}

TEST(KeptState, AfterALossOfTheSnapshotDecisionsRestOnWhatTheEngineThenIs) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  const ObserverOptions options = test::options_in(folder);
  const settings::Ledger ledger = ledger_in(folder);
  const std::vector<Exchange> world = test::make_world();
  const std::span<const Exchange> all(world);
  const audit::KeptStates states(ledger.folder);
  {
    Pair pair = started(options, ledger, keyed_hash);
    send(*pair.observer, all.first(all.size() * 3 / 5));
    ASSERT_TRUE(pair.stop());
  }
  EXPECT_TRUE(states.list()->empty());
  std::filesystem::remove(options.state_folder + "/observer.snapshot");
  for (int round = 0; round < 2; ++round) {
    Pair pair = started(options, ledger, keyed_hash);
    EXPECT_EQ(states.list()->size(), 1U);
    if (round == 0) send(*pair.observer, all.subspan(all.size() * 3 / 5));
    ASSERT_TRUE(pair.stop());
  }
  std::size_t after = 0;
  for (const auto& [id, leaf] : held_in(ledger).decision_leaves) after += leaf.state ? 1 : 0;
  EXPECT_GT(after, 5U);
  const auto check = audit::check_kept_states(ledger.folder);
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->findings.empty());
  EXPECT_EQ(check->unused, 0U);
}

}  // namespace
}  // namespace stillwatch::gateway
