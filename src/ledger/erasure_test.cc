#include "ledger/erasure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/random_bytes.h"
#include "ledger/pseudonym.h"
#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using test::kDay;
using test::kNow;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kDayUs = base::kDayUs;

// Two customers over four days, with a query log, a verdict file, an engine snapshot and a report.
struct World {
  test::Bookcase shelf;
  std::unique_ptr<KeyBook> book;
  std::unique_ptr<Vault> vault;
  std::unique_ptr<HoldBook> holds;
  std::unique_ptr<Eraser> eraser;
  std::map<std::string, std::vector<RecordName>> records;
  std::map<std::string, std::int64_t> time_of;

  explicit World(test::Folder folder) : shelf{std::move(folder)} { open(); }
  explicit World(int days = 4) {
    open();
    std::string log, verdicts;
    for (int day = days - 1; day >= 0; --day) {
      const std::int64_t time_us = kNow - day * kDayUs;
      for (const std::string tenant : {"acme", "umbrella"}) {
        for (const auto kind : {RetentionClass::content, RetentionClass::flagged}) put(tenant, kind, time_us);
        (void)Pseudonyms::obtain(*book, tenant, time_us).value();
        const std::string time = base::format_time(time_us);
        log += "{\"v\":1,\"id\":\"req-" + tenant + std::to_string(day) + "\",\"time\":\"" + time + "\",\"account\":\"" +
               tenant + "-key\"}\n";
        verdicts += "{\"v\":1,\"time\":\"" + time + "\",\"subject\":{\"kind\":\"account\",\"id\":\"" + tenant +
                    "-key\"},\"level\":\"observe\"}\n";
      }
    }
    EXPECT_TRUE(vault->commit().has_value());
    test::put_file(log_path(), log);
    test::put_file(verdict_path(), verdicts);
    std::filesystem::create_directories(state_path());
    test::put_file(state_path() + "/snapshot", "fingerprints of everybody");
    test::put_file(report_path(), "<html>acme-key</html>");
  }
  void open() {
    eraser.reset();
    vault.reset();
    book.reset();
    book = shelf.open();
    vault = std::move(Vault::open(shelf.folder / "vault", *book, {}).value());
    holds = std::make_unique<HoldBook>(std::move(HoldBook::open(shelf.folder / "holds.ndjson", *book).value()));
    eraser =
        std::make_unique<Eraser>(std::move(Eraser::open(shelf.folder / "orders", *book, vault.get(), *holds).value()));
  }
  void put(const std::string& tenant, RetentionClass kind, std::int64_t time_us) {
    SealRequest request;
    request.id = crypto::random_array<16>();
    request.tenant = tenant;
    request.time_us = time_us;
    request.retention = kind;
    const std::string prompt = "a prompt of " + tenant;
    request.prompt = prompt;
    const auto sealed = vault->seal(request);
    ASSERT_TRUE(sealed.has_value()) << sealed.error().message;
    records[tenant].push_back({request.id, sealed->fate.id});
    time_of[base64url(request.id)] = time_us;
  }
  std::string log_path() const { return shelf.folder / "queries.ndjson"; }
  std::string verdict_path() const { return shelf.folder / "verdicts.ndjson"; }
  std::string state_path() const { return shelf.folder / "state"; }
  std::string report_path() const { return shelf.folder / "report.html"; }
  std::vector<ErasureFile> files() const {
    return {{log_path(), FileRule::lines, RetentionClass::query_log, kDay - 3, kDay},
            {verdict_path(), FileRule::lines, RetentionClass::verdicts, kDay - 3, kDay},
            {state_path(), FileRule::remove, RetentionClass::engine_state, kDay - 3, kDay},
            {report_path(), FileRule::remove, RetentionClass::reports, kDay - 3, kDay}};
  }
  ErasureOrder customer(const std::string& tenant) const {
    ErasureOrder order;
    order.kind = OrderKind::customer;
    order.tenant = tenant;
    order.names = {tenant + "-key"};
    order.who = "privacy desk";
    order.why = "request of the customer, ticket 12";
    order.files = files();
    return order;
  }
  Found found(const RecordName& record) {
    const auto opened = vault->open_record({record, time_of.at(base64url(record.id)), "test", "test", {}, {}, {}});
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? opened->found : Found::opened;
  }
  void expect_untouched(const std::string& tenant) {
    for (const RecordName& record : records[tenant]) EXPECT_EQ(found(record), Found::opened);
    EXPECT_TRUE(Pseudonyms::look_up(*book, tenant, kNow)->are_live());
    EXPECT_THAT(test::bytes_of_file(log_path()), HasSubstr(tenant + "-key"));
    EXPECT_THAT(test::bytes_of_file(verdict_path()), HasSubstr(tenant + "-key"));
  }
  void expect_gone(const std::string& tenant) {
    for (const RecordName& record : records[tenant]) EXPECT_EQ(found(record), Found::destroyed);
    EXPECT_EQ(Pseudonyms::look_up(*book, tenant, kNow)->fate().state, KeyState::destroyed);
    EXPECT_FALSE(test::is_anywhere(shelf.folder.path(), tenant));
  }
};

TEST(Erasure, OfACustomerTakesEverythingOfHisAndNothingOfOthers) {
  World world;
  const Id16 pseudonym = Pseudonyms::look_up(*world.book, "acme", kNow)->tenant();
  const auto result = world.eraser->erase(world.customer("acme"));
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_TRUE(result->complete);
  EXPECT_EQ(result->keys.size(), 9U);  // four days in two classes, one month
  EXPECT_EQ(result->records, 8U);
  EXPECT_EQ(result->lines, 8U);
  EXPECT_EQ(result->files_rewritten, 2U);
  EXPECT_EQ(result->files_removed, 2U);
  EXPECT_EQ(result->overwrites_failed, 0U);
  EXPECT_THAT(result->held_by, IsEmpty());
  EXPECT_FALSE(result->remains.empty());
  ASSERT_TRUE(world.eraser->acknowledge(result->order).has_value());
  world.expect_gone("acme");
  world.expect_untouched("umbrella");
  world.open();
  world.expect_gone("acme");
  world.expect_untouched("umbrella");
  EXPECT_THAT(*world.vault->check(), IsEmpty());
  EXPECT_THAT(*world.book->check(), IsEmpty());
  // Names of leaves from now on are random: a leaf is still written, and never links to the ones before.
  const auto late = Pseudonyms::obtain(*world.book, "acme", kNow).value();
  EXPECT_FALSE(late.are_live());
  EXPECT_NE(late.tenant(), pseudonym);
  EXPECT_NE(late.account("acme-key"), late.account("acme-key"));
}

TEST(Erasure, OfOneRecordLeavesTheOthers) {
  World world;
  ErasureOrder order;
  order.kind = OrderKind::record;
  order.tenant = "acme";
  order.record = world.records["acme"][2];
  order.line_id = "req-acme2";
  order.who = "privacy desk";
  order.why = "ticket 13";
  order.files = {world.files()[0]};
  const auto result = world.eraser->erase(order);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->records, 1U);
  EXPECT_EQ(result->lines, 1U);
  EXPECT_THAT(result->keys, IsEmpty());
  for (const RecordName& record : world.records["acme"]) {
    EXPECT_EQ(world.found(record), record.id == order.record.id ? Found::absent : Found::opened);
  }
  EXPECT_EQ(world.eraser->erase(order)->records, 0U);
  EXPECT_THAT(test::bytes_of_file(world.log_path()), testing::Not(HasSubstr("req-acme2")));
  EXPECT_THAT(test::bytes_of_file(world.log_path()), HasSubstr("req-acme1"));
}

TEST(Erasure, WhatAHoldKeepsStaysAndIsNamed) {
  World world;
  ASSERT_TRUE(world.holds->place({"case-7", "7", "counsel", "litigation", {"acme"}, kDay - 1, kDay - 1}).has_value());
  const auto result = world.eraser->erase(world.customer("acme")).value();
  EXPECT_FALSE(result.complete);
  EXPECT_THAT(result.held_by, ElementsAre("case-7"));
  EXPECT_EQ(result.keys_held, 3U);  // two classes of that day, and the month that the day is in
  EXPECT_EQ(result.records_held, 2U);
  EXPECT_EQ(result.lines_held, 2U);
  EXPECT_EQ(result.files_held, 2U);
  EXPECT_EQ(result.keys.size(), 6U);
  EXPECT_EQ(result.records, 6U);
  EXPECT_EQ(result.lines, 6U);
  for (const RecordName& record : world.records["acme"]) {
    const bool held = day_of(world.time_of.at(base64url(record.id))) == kDay - 1;
    EXPECT_EQ(world.found(record), held ? Found::opened : Found::destroyed);
  }
  ErasureOrder one;
  one.kind = OrderKind::record;
  one.tenant = "acme";
  one.who = one.why = "x";
  for (const RecordName& record : world.records["acme"]) {
    if (world.found(record) == Found::opened) one.record = record;
  }
  const auto refused = world.eraser->erase(one).value();
  EXPECT_EQ(refused.records, 0U);
  EXPECT_EQ(refused.records_held, 1U);
  EXPECT_EQ(world.found(one.record), Found::opened);
  // Released, the same order takes the rest.
  ASSERT_TRUE(world.holds->release("case-7", "counsel", "settled").has_value());
  const auto rest = world.eraser->erase(world.customer("acme")).value();
  EXPECT_TRUE(rest.complete);
  EXPECT_EQ(rest.keys.size(), 3U);
  EXPECT_EQ(rest.records, 2U);
  const auto done = world.eraser->open_orders().value();
  for (const auto& order : done) {
    ASSERT_TRUE(world.eraser->acknowledge(order.id).has_value());
  }
  world.expect_untouched("umbrella");
  ASSERT_TRUE(std::filesystem::remove(world.shelf.folder / "holds.ndjson"));  // its case names what it likes
  world.expect_gone("acme");
}

TEST(Erasure, AHoldThatComesAfterAnErrorIsHeededToo) {
  for (int at = 0;; ++at) {
    ASSERT_LT(at, 20);
    World world(1);
    {
      const test::DiskFault fault(test::DiskFault::Kind::fails, at);
      ASSERT_FALSE(world.eraser->erase(world.customer("acme")).has_value());
    }
    const auto orders = world.eraser->open_orders().value();
    if (orders.empty() || orders[0].plan.empty()) continue;  // not planned yet
    ASSERT_TRUE(world.holds->place({"case-7", "7", "counsel", "litigation", {"acme"}, kDay, kDay}).has_value());
    const auto result = world.eraser->resume(orders[0]).value();
    EXPECT_FALSE(result.complete);
    EXPECT_THAT(result.keys, IsEmpty());
    EXPECT_EQ(result.records, 0U);
    EXPECT_EQ(result.keys_held, 3U);
    world.expect_untouched("acme");
    return;
  }
}

TEST(Erasure, AFileOfEverybodyStaysForAnyonesHold) {
  World world;
  ASSERT_TRUE(world.holds->place({"case-8", "8", "counsel", "litigation", {"umbrella"}, kDay, kDay}).has_value());
  const auto result = world.eraser->erase(world.customer("acme")).value();
  EXPECT_EQ(result.files_held, 2U);
  EXPECT_THAT(result.held_by, ElementsAre("case-8"));
  EXPECT_EQ(result.keys.size(), 9U);
  EXPECT_EQ(result.lines_held, 0U);
  EXPECT_TRUE(exists(world.report_path()));
}

TEST(Erasure, RetentionTakesScopesWithNothingButTombstones) {
  World world;
  for (const char* tenant : {"acme", "umbrella"}) ASSERT_TRUE(world.eraser->erase(world.customer(tenant)).has_value());
  ASSERT_EQ(world.book->scopes().size(), 9U);
  world.shelf.now_us = kNow + 3'000 * kDayUs;
  EXPECT_THAT(world.eraser->apply_retention({}, {}, "retention")->keys, IsEmpty());
  EXPECT_TRUE(world.book->scopes().empty());
  EXPECT_THAT(test::files_under(world.shelf.folder / "vault/packs"), IsEmpty());
}

TEST(Erasure, RetentionTakesWhatIsDueExceptForHolds) {
  World world;
  ASSERT_TRUE(world.holds->place({"case-7", "7", "counsel", "litigation", {"acme"}, kDay - 3, kDay - 3}).has_value());
  RetentionProfile profile;
  profile.of(RetentionClass::content) = 1;  // two of the four days are due
  const auto result = world.eraser->apply_retention(profile, world.files(), "retention");
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->keys.size(), 3U);
  EXPECT_EQ(result->records, 3U);
  EXPECT_EQ(result->keys_held, 1U);
  EXPECT_THAT(result->held_by, ElementsAre("case-7"));
  EXPECT_EQ(result->files_removed, 0U);
  for (const auto& [tenant, records] : world.records) {
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::int64_t day = day_of(world.time_of.at(base64url(records[i].id)));
      const bool due = i % 2 == 0 && day < kDay - 1 && !(tenant == "acme" && day == kDay - 3);
      EXPECT_EQ(world.found(records[i]), due ? Found::destroyed : Found::opened) << tenant << i;
    }
  }
  const auto fate = world.book->look_up(KeyScope::payload(RetentionClass::content, kDay - 2), "acme")->fate;
  EXPECT_EQ(fate.reason, "retention of content: 1 days");
  EXPECT_FALSE(exists(world.shelf.folder / "vault/packs/content-2026-11-20-0001.pack"));
  EXPECT_TRUE(exists(world.shelf.folder / "vault/packs/content-2026-11-19-0001.pack"));
  // Nothing more is due: nothing happens.
  EXPECT_THAT(world.eraser->apply_retention(profile, {}, "retention")->keys, IsEmpty());
}

TEST(Erasure, RetentionOfEverythingTakesFilesAndMonthsToo) {
  World world;
  world.shelf.now_us = kNow + 3'000 * kDayUs;
  const auto result = world.eraser->apply_retention({}, world.files(), "retention").value();
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.keys.size(), 18U);
  EXPECT_EQ(result.records, 16U);
  EXPECT_EQ(result.files_removed, 4U);
  ASSERT_TRUE(world.eraser->acknowledge(result.order).has_value());
  EXPECT_TRUE(world.book->scopes().empty());
  world.expect_gone("acme");
  world.expect_gone("umbrella");
}

TEST(Erasure, AnOrderNeedsANameAndAReason) {
  World world;
  for (auto change :
       {+[](ErasureOrder& o) { o.who = ""; }, +[](ErasureOrder& o) { o.why = ""; },
        +[](ErasureOrder& o) { o.tenant = ""; }, +[](ErasureOrder& o) { o.why = std::string(257, 'x'); }}) {
    ErasureOrder order = world.customer("acme");
    change(order);
    EXPECT_EQ(world.eraser->erase(order).error().fault, base::Fault::caller);
  }
  EXPECT_THAT(*world.eraser->open_orders(), IsEmpty());
  world.expect_untouched("acme");
}

TEST(Erasure, AnOrderPlacedByOneRunIsCarriedOutByAnother) {
  World world;
  const auto placed = world.eraser->place(world.customer("acme")).value();
  EXPECT_FALSE(test::is_anywhere(world.shelf.folder / "orders", "acme"));
  world.open();
  const auto orders = world.eraser->open_orders().value();
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].id, placed.id);
  EXPECT_EQ(orders[0].files.size(), 4U);
  EXPECT_TRUE(world.eraser->resume(orders[0])->complete);
  ASSERT_TRUE(world.eraser->acknowledge(placed.id).has_value());
  EXPECT_THAT(*world.eraser->open_orders(), IsEmpty());
  world.expect_gone("acme");
}

TEST(Erasure, EveryChangedBitOfAnOrderIsFound) {
  World world;
  const auto placed = world.eraser->place(world.customer("acme")).value();
  const std::string path = world.shelf.folder / ("orders/" + placed.id + ".order");
  const std::string good = test::bytes_of_file(path);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    test::put_file(path, bad);
    const auto refused = world.eraser->open_orders();
    ASSERT_FALSE(refused.has_value()) << i;
    EXPECT_THAT(refused.error().message, HasSubstr(path));
  }
  test::put_file(path, good);
  EXPECT_EQ(world.eraser->open_orders()->size(), 1U);
}

// After an error or a kill at any step: what is claimed is so, the order is there, and going on finishes it with the
// whole list of keys.
void go_on(World& world, const std::string& what) {
  const auto orders = world.eraser->open_orders();
  ASSERT_TRUE(orders.has_value()) << what << orders.error().message;
  world.expect_untouched("umbrella");
  if (orders->empty()) return world.expect_untouched("acme");  // it was ended before it was ordered
  ASSERT_EQ(orders->size(), 1U);
  const auto result = world.eraser->resume((*orders)[0]);
  ASSERT_TRUE(result.has_value()) << what << ": " << result.error().message;
  EXPECT_TRUE(result->complete) << what;
  EXPECT_EQ(result->keys.size(), 3U) << what;
  EXPECT_EQ(result->records, 2U) << what;
  ASSERT_TRUE(world.eraser->acknowledge(result->order).has_value());
  world.expect_gone("acme");
  world.expect_untouched("umbrella");
  EXPECT_THAT(*world.vault->check(), IsEmpty()) << what;
  EXPECT_THAT(*world.book->check(), IsEmpty()) << what;
}

TEST(Erasure, AFullDiskAtAnyStepIsNeverCalledDoneAndCanBeGoneOnWith) {
  bool reached_end = false;
  for (int at = 0; !reached_end; ++at) {
    ASSERT_LT(at, 200);
    World world(1);
    {
      const test::DiskFault fault(test::DiskFault::Kind::fails, at);
      const auto result = world.eraser->erase(world.customer("acme"));
      reached_end = !fault.happened();
      // Only overwriting may fail and the rest go on; it is counted, except of orders, which are sealed.
      const bool may_fail = fault.what().starts_with("overwrite ");
      const bool counted =
          result && (result->overwrites_failed > 0 || fault.what().find("/orders/") != std::string::npos);
      EXPECT_TRUE(!result || reached_end || (may_fail && counted)) << at << fault.what();
    }
    go_on(world, "step " + std::to_string(at));
  }
}

TEST(DISABLED_ErasureInNewProcess, IsKilled) {
  World world(test::folder_of_parent());
  const test::DiskFault fault(test::DiskFault::Kind::kills, test::step_of_parent());
  ASSERT_TRUE(world.eraser->erase(world.customer("acme")).has_value());
}

TEST(Erasure, AKillAtAnyStepCanBeGoneOnWith) {
  bool reached_end = false;
  for (int at = 0; !reached_end; at += 2) {
    ASSERT_LT(at, 200);
    World world(1);
    world.eraser.reset();
    world.vault.reset();
    world.book.reset();
    reached_end = !test::ends_in_new_process("DISABLED_ErasureInNewProcess.IsKilled", world.shelf.folder, at);
    world.open();
    EXPECT_TRUE(!reached_end || world.eraser->open_orders()->size() == 1);
    go_on(world, "step " + std::to_string(at));
  }
}

}  // namespace
}  // namespace stillwatch::ledger
