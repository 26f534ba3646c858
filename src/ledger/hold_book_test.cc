#include "ledger/hold_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/sha256.h"
#include "ledger/hold_file.h"
#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using test::kDay;
using test::kNow;
using testing::HasSubstr;

struct Desk {
  test::Bookcase shelf;
  std::unique_ptr<KeyBook> book = shelf.open();
  base::Result<HoldBook> try_open() { return HoldBook::open(shelf.folder / "holds.ndjson", *book); }
  HoldBook open() { return std::move(try_open().value()); }
};

HoldRequest a_hold() { return {"acme-2026", "case 7", "counsel", "litigation \"Acme\"", {"acme"}, kDay - 30, kDay}; }

TEST(HoldBook, KeepsWhatItNamesOnItsDaysUntilItIsReleased) {
  Desk desk;
  HoldBook holds = desk.open();
  const auto placed = holds.place(a_hold());
  ASSERT_TRUE(placed.has_value()) << placed.error().message;
  const NameTag acme = desk.book->tag_of("acme"), other = desk.book->tag_of("umbrella");
  for (int round = 0; round < 2; ++round) {
    ASSERT_NE(holds.keeping({acme}, kDay - 40, kDay - 30), nullptr);
    EXPECT_EQ(holds.keeping({acme}, kDay - 40, kDay - 30)->name, "acme-2026");
    EXPECT_NE(holds.keeping({other, acme}, kDay, kDay + 5), nullptr);
    EXPECT_EQ(holds.keeping({acme}, kDay - 40, kDay - 31), nullptr);
    EXPECT_EQ(holds.keeping({acme}, kDay + 1, kDay + 9), nullptr);
    EXPECT_EQ(holds.keeping({other}, kDay, kDay), nullptr);
    EXPECT_EQ(holds.keeping_any(kDay, kDay).size(), 1U);
    holds = desk.open();
  }
  desk.shelf.now_us += 1'000'000;
  const auto released = holds.release("acme-2026", "counsel", "settled");
  ASSERT_TRUE(released.has_value()) << released.error().message;
  EXPECT_TRUE(released->released);
  EXPECT_EQ(released->terms, placed->terms);
  holds = desk.open();
  EXPECT_EQ(holds.keeping({acme}, kDay, kDay), nullptr);
  EXPECT_EQ(holds.holds().at(0).released_why, "settled");
  EXPECT_FALSE(holds.release("acme-2026", "counsel", "again").has_value());
  EXPECT_FALSE(holds.place(a_hold()).has_value()) << "a name is used once";
}

TEST(HoldBook, AHoldWithoutSubjectsKeepsEverybody) {
  Desk desk;
  HoldBook holds = desk.open();
  HoldRequest request = a_hold();
  request.subjects.clear();
  ASSERT_TRUE(holds.place(request).has_value());
  EXPECT_NE(holds.keeping({desk.book->tag_of("anybody")}, kDay, kDay), nullptr);
}

TEST(HoldBook, SaysHowManyKeysItKeeps) {
  Desk desk;
  for (const char* tenant : {"acme", "umbrella"}) {
    (void)desk.book->obtain(KeyScope::payload(RetentionClass::content, kDay), tenant).value();
    (void)desk.book->obtain(KeyScope::payload(RetentionClass::content, kDay - 31), tenant).value();
    (void)desk.book->obtain(KeyScope::pseudonym(202611), tenant).value();
  }
  HoldBook holds = desk.open();
  EXPECT_EQ(holds.place(a_hold())->keys, 2U);
}

TEST(HoldBook, TheFileNamesNobodyAndTheTermsAreItsLine) {
  Desk desk;
  HoldBook holds = desk.open();
  HoldRequest request = a_hold();
  request.why = "litigation";
  const auto change = holds.place(request).value();
  const std::string path = desk.shelf.folder / "holds.ndjson";
  EXPECT_FALSE(test::is_anywhere(path.substr(0, path.rfind('/')), "acme\""));
  const std::string bytes = test::bytes_of_file(path);
  EXPECT_EQ(crypto::sha256(bytes.substr(0, bytes.find('\n'))), change.terms);
}

TEST(HoldBook, EveryChangedByteAndEveryMissingLineIsFound) {
  Desk desk;
  HoldBook holds = desk.open();
  ASSERT_TRUE(holds.place(a_hold()).has_value());
  HoldRequest second = a_hold();
  second.name = "second";
  ASSERT_TRUE(holds.place(second).has_value());
  const std::string path = desk.shelf.folder / "holds.ndjson";
  const std::string good = test::bytes_of_file(path);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 7)));
    EXPECT_FALSE(parse_holds(bad, desk.book->key_for("holds")).has_value()) << i;
  }
  for (const std::string& bad : {std::string(), good.substr(good.find('\n') + 1), good.substr(0, good.size() - 1),
                                 good.substr(0, good.find('\n') + 1), "\n" + good}) {
    test::put_file(path, bad);
    const auto refused = desk.try_open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("nothing is erased"));
    EXPECT_EQ(test::bytes_of_file(path), bad);
  }
}

TEST(HoldBook, RefusesWhatItCannotWriteDown) {
  Desk desk;
  HoldBook holds = desk.open();
  const auto refused = [&](auto change) {
    HoldRequest request = a_hold();
    change(request);
    const auto result = holds.place(request);
    return !result && result.error().fault == base::Fault::caller;
  };
  EXPECT_TRUE(refused([](HoldRequest& r) { r.name = ""; }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.name = "a b"; }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.name = std::string(65, 'a'); }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.case_id = ""; }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.who = "a\nb"; }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.why = "\xFF"; }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.why = std::string(257, 'a'); }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.from_day = kDay + 1; }));
  EXPECT_TRUE(refused([](HoldRequest& r) { r.subjects.resize(10'001, "x"); }));
  EXPECT_TRUE(holds.holds().empty());
  EXPECT_FALSE(exists(desk.shelf.folder / "holds.ndjson"));
}

TEST(HoldBook, AFullDiskTakesNoHoldAwayAndRoomBringsTheNewOne) {
  Desk desk;
  HoldBook holds = desk.open();
  ASSERT_TRUE(holds.place(a_hold()).has_value());
  HoldRequest second = a_hold();
  second.name = "second";
  bool done = false;
  for (int at = 0; !done; ++at) {
    {
      const test::DiskFault fault(test::DiskFault::Kind::fails, at);
      done = holds.place(second).has_value();
    }
    // What failed behind the rename is on the disk, and holds.
    EXPECT_GE(holds.holds().size(), done ? 2U : 1U);
    EXPECT_LE(holds.holds().size(), 2U);
    const auto reread = desk.try_open();
    ASSERT_TRUE(reread.has_value());
    EXPECT_GE(reread->holds().size(), holds.holds().size());
    EXPECT_LE(reread->holds().size(), 2U);
    ASSERT_LT(at, 50);
  }
}

}  // namespace
}  // namespace stillwatch::ledger
