// What a key book does when its files are changed, its disk fails, or its process is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/key_book.h"
#include "ledger/key_file.h"
#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using test::Bookcase;
using test::kDay;
using testing::HasSubstr;

const KeyScope kToday = KeyScope::payload(RetentionClass::content, kDay);
const KeyScope kMonth = KeyScope::pseudonym(202611);

std::string key_text(KeyBook& book, const KeyScope& scope, const std::string& tenant) {
  const auto answer = book.look_up(scope, tenant);
  if (!answer || !answer->is_live()) return "";
  return {answer->key.view().begin(), answer->key.view().end()};
}

struct Filled {
  Bookcase shelf;
  std::vector<std::string> keys;
  Filled() {
    const auto book = shelf.open();
    for (int i = 0; i < 4; ++i) {
      (void)book->obtain(kToday, "tenant" + std::to_string(i)).value();
      (void)book->obtain(kMonth, "tenant" + std::to_string(i)).value();
    }
    (void)book->sync();
    (void)book->destroy(kToday, "tenant3", "test");
    keys = read(*book);
  }
  static std::vector<std::string> read(KeyBook& book) {
    std::vector<std::string> out;
    for (int i = 0; i < 4; ++i) {
      for (const KeyScope& scope : {kToday, kMonth}) out.push_back(key_text(book, scope, "tenant" + std::to_string(i)));
    }
    return out;
  }
};

TEST(KeyBookFaults, EveryFlippedBitOfEveryFileIsFoundAndTheFileIsLeftAlone) {
  Filled filled;
  for (const std::string& path : test::files_under(filled.shelf.folder / "keys")) {
    const std::string good = test::bytes_of_file(path);
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
      test::put_file(path, bad);
      // A reader, which takes no locks and syncs nothing, so that this test is quick.
      const auto book = filled.shelf.try_open(true);
      if (book) {
        const auto damages = (*book)->check();
        ASSERT_TRUE(damages.has_value());
        ASSERT_EQ(damages->size(), 1U) << path << " byte " << i;
        EXPECT_THAT(damages->front(), HasSubstr(path));
        const auto by_use = (*book)->look_up(scope_named(path.substr(path.rfind('/') + 1)).value(), "tenant0");
        ASSERT_FALSE(by_use.has_value());
        EXPECT_THAT(by_use.error().message, HasSubstr("restore it from its backup"));
      } else {
        EXPECT_THAT(book.error().message, HasSubstr(path));
      }
      ASSERT_EQ(test::bytes_of_file(path), bad) << "a damaged file must not be written to";
    }
    test::put_file(path, good);
  }
  EXPECT_EQ(Filled::read(*filled.shelf.open()), filled.keys);
}

TEST(KeyBookFaults, AMissingOrShortenedFileIsNamed) {
  Filled filled;
  const std::string path = filled.shelf.folder / ("keys/" + file_name_of(kToday));
  const std::string good = test::bytes_of_file(path);
  // Without its last record a tombstone would be forgotten, and the key made again.
  test::put_file(path, good.substr(0, good.size() - kKeyRecordBytes));
  EXPECT_THAT(filled.shelf.open()->look_up(kToday, "tenant3").error().message, HasSubstr("its end is missing"));
  for (const char* name : {"book", "index", "pseudonym-2026-11.keys"}) {
    const std::string file = filled.shelf.folder / (std::string("keys/") + name);
    std::filesystem::rename(file, file + "-away");
    const auto refused = filled.shelf.try_open();
    ASSERT_FALSE(refused.has_value()) << name;
    EXPECT_THAT(refused.error().message, HasSubstr("it is missing"));
    std::filesystem::rename(file + "-away", file);
  }
  test::put_file(path, good);
  EXPECT_EQ(Filled::read(*filled.shelf.open()), filled.keys);
}

TEST(KeyBookFaults, AnAppendThatACrashCutOffIsTakenAway) {
  Filled filled;
  const std::string path = filled.shelf.folder / ("keys/" + file_name_of(kToday));
  const std::string good = test::bytes_of_file(path);
  const std::string torn = good.substr(kKeyHeadBytes, kKeyRecordBytes - 1);
  for (const std::string& tail :
       {torn, std::string(kKeyRecordBytes, '\0'), std::string(3 * kKeyRecordBytes + 5, '\0')}) {
    test::put_file(path, good + tail);
    const auto book = filled.shelf.open();
    EXPECT_EQ(Filled::read(*book), filled.keys);
    EXPECT_EQ(book->counts().tails_cut, 1U);
    EXPECT_EQ(test::bytes_of_file(path), good);
    EXPECT_TRUE(book->obtain(kToday, "new")->is_live());
    ASSERT_TRUE(book->check()->empty());
    test::put_file(path, good);
  }
}

// The states that are right after an interrupted change: every other key as it was, and the one that was changed either
// as before or as after.
void expect_whole(Filled& filled, const std::string& what) {
  const auto opened = filled.shelf.try_open();
  ASSERT_TRUE(opened.has_value()) << what << ": " << opened.error().message;
  const auto damages = (*opened)->check();
  ASSERT_TRUE(damages.has_value());
  EXPECT_THAT(*damages, testing::IsEmpty()) << what;
  auto now = Filled::read(**opened);
  if (now[0].empty()) {
    EXPECT_EQ((*opened)->look_up(kToday, "tenant0")->fate.state, KeyState::destroyed) << what;
    now[0] = filled.keys[0];
  }
  EXPECT_EQ(now, filled.keys) << what;
  // The change can be made again, and is then done.
  ASSERT_TRUE((*opened)->destroy(kToday, "tenant0", "again").has_value()) << what;
  EXPECT_EQ((*opened)->obtain(kToday, "tenant0")->fate.state, KeyState::destroyed) << what;
  for (const std::string& path : test::files_under(filled.shelf.folder / "keys")) {
    EXPECT_FALSE(path.ends_with(".new") || path.ends_with(".old")) << what << path;
  }
}

TEST(KeyBookFaults, AFullDiskOrAKillAtAnyStepOfADestructionLeavesAWholeBook) {
  for (const auto kind : {test::DiskFault::Kind::fails, test::DiskFault::Kind::kills}) {
    bool reached_end = false;
    for (int at = 0; !reached_end; ++at) {
      ASSERT_LT(at, 60);
      Filled filled;
      const std::string what = "step " + std::to_string(at);
      if (kind == test::DiskFault::Kind::kills) {
        reached_end = !test::ends_in_child([&] {
          const auto book = filled.shelf.open();
          const test::DiskFault fault(kind, at);
          (void)book->destroy(kToday, "tenant0", "test");
        });
      } else {
        const auto book = filled.shelf.open();
        const test::DiskFault fault(kind, at);
        const auto fate = book->destroy(kToday, "tenant0", "test");
        reached_end = !fault.happened();
        // Never claimed when it is not so.
        EXPECT_TRUE(!fate || book->look_up(kToday, "tenant0")->fate.state == KeyState::destroyed);
        // The open book goes on: nothing of the others is lost, new keys go into the file that is there.
        watch_disk(nullptr);
        EXPECT_EQ(key_text(*book, kToday, "tenant1"), filled.keys[2]) << what;
        EXPECT_TRUE(book->obtain(kToday, "new")->is_live()) << what;
        ASSERT_TRUE(book->sync().has_value());
      }
      expect_whole(filled, what);
    }
  }
}

TEST(KeyBookFaults, AKillAtAnyStepOfAPeriodsEndLeavesAWholeBook) {
  bool reached_end = false;
  for (int at = 0; !reached_end; ++at) {
    ASSERT_LT(at, 60);
    Filled filled;
    reached_end = !test::ends_in_child([&] {
      const auto book = filled.shelf.open();
      const test::DiskFault fault(test::DiskFault::Kind::kills, at);
      (void)book->destroy_scope(kMonth, "retention");
    });
    const auto book = filled.shelf.open();
    ASSERT_NE(book, nullptr) << at;
    EXPECT_TRUE(book->check()->empty());
    EXPECT_EQ(key_text(*book, kToday, "tenant0"), filled.keys[0]);
    const auto state = book->look_up(kMonth, "tenant0")->fate.state;
    EXPECT_EQ(state == KeyState::live, exists(filled.shelf.folder / "keys/pseudonym-2026-11.keys")) << at;
    EXPECT_TRUE(book->destroy_scope(kMonth, "retention").has_value());
    EXPECT_EQ(book->obtain(kMonth, "tenant0")->fate.state, KeyState::destroyed);
  }
}

TEST(KeyBookFaults, AFullDiskWhileKeysAreMadeLosesNone) {
  for (int at = 0; at < 12; ++at) {
    Bookcase shelf;
    auto book = shelf.open();
    {
      const test::DiskFault fault(test::DiskFault::Kind::fails, at);
      (void)book->obtain(kToday, "acme");
      (void)book->sync();
    }
    const auto key = book->obtain(kToday, "acme");
    ASSERT_TRUE(key.has_value()) << at << key.error().message;
    ASSERT_TRUE(book->sync().has_value());
    const std::string text = key_text(*book, kToday, "acme");
    book.reset();
    book = shelf.open();
    ASSERT_NE(book, nullptr) << at;
    EXPECT_EQ(key_text(*book, kToday, "acme"), text) << at;
  }
}

}  // namespace
}  // namespace stillwatch::ledger
