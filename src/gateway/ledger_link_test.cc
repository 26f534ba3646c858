// The audit log beside the query log: whatever happens to the process, each line has one leaf.
#include "gateway/ledger_link.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <thread>

#include "audit/commitments.h"
#include "audit/ledger_paths.h"
#include "audit/recalled_leaves.h"
#include "gateway/ledger_link_fixture.h"
#include "ledger/log_reader.h"
#include "ledger/vault.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;
using test::Held;
using test::held_in;
using test::kPolicy;
using test::ledger_in;
using test::lines_of_log;
using test::Pair;
using test::send;
using test::started;
using test::text_after;

/// Every line of the query log, but gaps, has one query leaf under its own id; every verdict line one decision leaf.
void expect_one_leaf_each(const ObserverOptions& options, const settings::Ledger& settings) {
  const Held held = held_in(settings);
  std::size_t records = 0;
  for (const std::string& line : lines_of_log(options)) {
    const std::string_view id = text_after(line, R"("id":")");
    if (id.starts_with("gap-")) continue;
    ++records;
    const auto leaf = audit::gateway_leaf_id(id);
    ASSERT_TRUE(leaf) << id;
    const auto found = held.records.find(*leaf);
    ASSERT_NE(found, held.records.end()) << id;
    EXPECT_EQ(found->second, 1) << id;
    bool is_shed = false;
    for (const auto& score : held.record_leaves.at(*leaf).scores) is_shed = is_shed || score.detector == "shed";
    EXPECT_EQ(is_shed, line.find(R"("shed":true)") != std::string::npos) << id;
  }
  EXPECT_EQ(held.records.size(), records);

  auto master = ledger::open_master_key_file(audit::master_key_path(settings.folder), false);
  ASSERT_TRUE(master);
  ledger::KeyBookOptions reading;
  reading.read_only = true;
  reading.now_us = [] { return test::kStart; };
  const auto book = ledger::KeyBook::open(audit::key_book_folder(settings.folder), **master, reading);
  ASSERT_TRUE(book) << book.error().message;
  std::size_t decisions = 0;
  for (const char* name : {"/verdicts.ndjson", "/verdicts.ndjson.1"}) {
    std::ifstream file(options.state_folder + name);
    for (std::string line; std::getline(file, line); ++decisions) {
      const auto time = base::parse_time(text_after(line, R"("time":")"));
      const bool is_end_user = line.find(R"("kind":"end_user")") != std::string::npos;
      const bool is_campaign = line.find(R"("kind":"campaign")") != std::string::npos;
      const std::string_view account =
          is_campaign ? "" : text_after(line, is_end_user ? R"("account":")" : R"("id":")");
      const auto names = ledger::Pseudonyms::look_up(**book, audit::tenant_of(account), *time);
      ASSERT_TRUE(names && names->are_live()) << line;
      const ledger::Id16 id = audit::decision_leaf_id(*names, line);
      const auto found = held.decisions.find(id);
      ASSERT_NE(found, held.decisions.end()) << line;
      EXPECT_EQ(found->second, 1);
      EXPECT_EQ(held.decision_leaves.at(id).verdict, audit::verdict_commitment(*names, line));
    }
  }
  EXPECT_EQ(held.decisions.size(), decisions);
  // Accounts and prompts of the world.
  EXPECT_EQ(held.bytes.find("acct_"), std::string::npos);
  EXPECT_EQ(held.bytes.find("farm_"), std::string::npos);
  EXPECT_EQ(held.bytes.find("grader"), std::string::npos);
}

TEST(LedgerLink, EveryLineAndEveryVerdictHasItsLeaf) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.accounts_file = folder.path + "/accounts.ndjson";
  folder.write("accounts.ndjson", test::accounts_of({}));
  const settings::Ledger ledger = ledger_in(folder);
  const std::vector<Exchange> world = test::make_world();
  {
    Pair pair = started(options, ledger, keyed_hash);
    test::serve(*pair.observer, world, 3, 5);
    ASSERT_TRUE(pair.stop());
  }
  expect_one_leaf_each(options, ledger);
  const Held held = held_in(ledger);
  EXPECT_GT(held.decisions.size(), 20U);
  EXPECT_EQ(held.calibrations, 1U);
  EXPECT_EQ(held.policies, 2U);  // before and after calibration
  EXPECT_EQ(held.gaps, 0U);
  for (const auto& [id, leaf] : held.decision_leaves) {
    EXPECT_TRUE(leaf.calibration.has_value());
    ASSERT_FALSE(leaf.inputs.empty());
    EXPECT_EQ(leaf.inputs.front().from, 0U);
    EXPECT_GT(leaf.inputs.back().to, 100U);
  }
}

TEST(LedgerLink, WhatWasKeptFromTheEngineSaysSo) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.queue.count_max = 60;  // so that it sheds now and then
  const settings::Ledger ledger = ledger_in(folder);
  const std::vector<Exchange> world = test::make_world({120, 6, 0});
  {
    Pair pair = started(options, ledger, keyed_hash);
    test::serve(*pair.observer, world, 3, 5);
    ASSERT_TRUE(pair.stop());
    EXPECT_GT(pair.observer->counters().queue_shed, 10U);
  }
  expect_one_leaf_each(options, ledger);
}

TEST(LedgerLink, KillNineAtAnyPointLeavesOneLeafEach) {
  const Folder folder;
  ObserverOptions options = test::options_in(folder);
  options.snapshot_seconds = 0.05;
  options.accounts_file = folder.path + "/accounts.ndjson";
  folder.write("accounts.ndjson", test::accounts_of({}));
  const settings::Ledger ledger = ledger_in(folder);
  const std::vector<Exchange> world = test::make_world();
  base::Random random(11);
  int kills = 0;
  for (bool is_done = false; !is_done; ++kills) {
    std::filesystem::create_directories(options.log.folder);
    { const auto mended = QueryLog::open(options.log); }
    const std::size_t served = lines_of_log(options).size();
    const auto serve = [&, rest = std::span(world).subspan(served)](const auto& is_ready) {
      const crypto::KeyedHash keyed_hash = test::fixed_hash();
      Pair pair = started(options, ledger, keyed_hash);
      is_ready();
      send(*pair.observer, rest);
      return pair.stop();
    };
    is_done = test::run_and_kill(50 + static_cast<std::int64_t>(random.below(600)), serve);
    ASSERT_LT(kills, 80);
  }
  EXPECT_GT(kills, 3) << "killed too seldom to show anything";
  expect_one_leaf_each(options, ledger);
  EXPECT_EQ(held_in(ledger).calibrations, 1U);
}

TEST(LedgerLink, AnAuditLogThatBeginsLaterIsGivenAllThatWasLogged) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  const ObserverOptions options = test::options_in(folder);
  const settings::Ledger ledger = ledger_in(folder);
  const std::vector<Exchange> world = test::make_world({120, 6, 20});
  const std::span<const Exchange> all(world);
  {
    auto observer = Observer::start(options, keyed_hash, {});
    ASSERT_TRUE(observer);
    send(**observer, all.first(all.size() / 2));
    ASSERT_TRUE((*observer)->stop());
  }
  const std::size_t verdicts_before = test::line_count(folder.read("state/verdicts.ndjson"));
  {
    Pair pair = started(options, ledger, keyed_hash);
    send(*pair.observer, all.subspan(all.size() / 2));
    ASSERT_TRUE(pair.stop());
  }
  const Held held = held_in(ledger);
  EXPECT_EQ(held.records.size(), world.size());
  for (const auto& [id, count] : held.records) EXPECT_EQ(count, 1);
  EXPECT_EQ(held.decisions.size() + verdicts_before, test::line_count(folder.read("state/verdicts.ndjson")));

  // Other settings: the engine learns from the log anew, the leaves of records stay what they are.
  ObserverOptions other = options;
  other.policy_hash = "sha256:other";
  {
    Pair pair = started(other, ledger, keyed_hash);
    ASSERT_TRUE(pair.stop());
  }
  EXPECT_EQ(held_in(ledger).records, held.records);
}

TEST(LedgerLink, WhileItsDiskRefusesTheQueryLogGoesOnAndNoSnapshotIsTaken) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.snapshot_seconds = 0.02;
  settings::Ledger ledger = ledger_in(folder);
  const std::vector<Exchange> world = test::make_world({100, 6, 0});
  const std::span<const Exchange> all(world);
  Pair pair = started(options, ledger, keyed_hash);
  const auto wait_for = [&](const auto& holds) {
    for (int i = 0; i < 60'000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(holds());
  };
  send(*pair.observer, all.first(300));
  wait_for([&] { return pair.observer->counters().snapshots > 0 && pair.link->feed()->counters().records == 300; });
  EXPECT_FALSE(pair.link->look().is_failing);
  std::filesystem::rename(ledger.folder + "/logs", ledger.folder + "/gone");
  send(*pair.observer, all.subspan(300, 300));
  wait_for([&] { return pair.link->look().is_failing && pair.observer->counters().snapshot_failures > 0; });
  EXPECT_FALSE(pair.link->has_room());
  wait_for([&] { return pair.observer->counters().records >= 500; });
  EXPECT_EQ(pair.observer->counters().lost, 0U);
  std::filesystem::rename(ledger.folder + "/gone", ledger.folder + "/logs");
  wait_for([&] { return !pair.link->look().is_failing && pair.link->feed()->counters().records == 600; });
  const std::uint64_t snapshots = pair.observer->counters().snapshots;
  wait_for([&] { return pair.observer->counters().snapshots > snapshots; });
  ASSERT_TRUE(pair.stop());
  expect_one_leaf_each(options, ledger);
}

TEST(LedgerLink, WhatIsPastItsTimeIsDestroyedAndLogged) {
  const Folder folder;
  settings::Ledger settings = ledger_in(folder);
  settings.vault = true;
  auto link = LedgerLink::open(settings, kPolicy);
  ASSERT_TRUE(link) << link.error().message;
  ASSERT_TRUE((*link)->recall("", false));
  const std::int64_t now_us = audit::wall_clock_ms() * 1'000;
  const auto give = [&](const char* id, std::int64_t age_days) {
    audit::Record record;
    record.time_us = now_us - age_days * base::kDayUs;
    record.id = std::string("req_") + id;
    record.account = "acct_1";
    record.line = id;
    record.prompt = "a prompt";
    std::vector<audit::Record> records;
    records.push_back(std::move(record));
    (*link)->lines(records, true);
  };
  give("oooooooooooooooooooooA", 40);
  give("nnnnnnnnnnnnnnnnnnnnnA", 2);
  ASSERT_TRUE((*link)->settle());
  ledger::Vault& vault = *(*link)->feed()->vault();
  const auto record_of = [&](const char* id, std::int64_t age_days) {
    const auto scope =
        ledger::KeyScope::payload(ledger::RetentionClass::content, ledger::day_of(now_us - age_days * base::kDayUs));
    return ledger::RecordName{*ledger::read_base64url<16>(id),
                              (*link)->feed()->keys().look_up(scope, "acct_1")->fate.id};
  };
  const ledger::RecordName old = record_of("oooooooooooooooooooooA", 40),
                           fresh = record_of("nnnnnnnnnnnnnnnnnnnnnA", 2);
  const auto is_there = [&](const ledger::RecordName& record) { return vault.find(record)->has_value(); };
  EXPECT_TRUE(is_there(old) && is_there(fresh));
  const ledger::RetentionProfile profile;
  ASSERT_TRUE(apply_retention(*(*link)->feed(), settings.folder, profile, now_us));
  EXPECT_FALSE(is_there(old));
  EXPECT_TRUE(is_there(fresh));
  ASSERT_TRUE(apply_retention(*(*link)->feed(), settings.folder, profile, now_us));  // nothing is due any more
  ASSERT_TRUE((*link)->stop());
  const auto logs = audit::logs_of_shard(settings.folder, settings.shard);
  const auto reader = ledger::LogReader::open(logs->back().folder);
  ASSERT_TRUE(reader);
  std::vector<ledger::EraseLeaf> erased;
  ASSERT_TRUE(reader->scan(0, reader->size(), [&](std::uint64_t, std::string_view bytes) {
    const auto leaf = ledger::read_leaf(bytes);
    if (const auto* one = std::get_if<ledger::EraseLeaf>(&*leaf)) erased.push_back(*one);
    return true;
  }));
  ASSERT_EQ(erased.size(), 1U);
  EXPECT_EQ(erased[0].why, "retention");
  EXPECT_EQ(erased[0].records, 1U);
  EXPECT_EQ(erased[0].keys.size(), 1U);
}

}  // namespace
}  // namespace stillwatch::gateway
