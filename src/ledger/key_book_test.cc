#include "ledger/key_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ledger/key_file.h"
#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using test::Bookcase;
using test::kDay;
using test::kNow;
using testing::HasSubstr;

const KeyScope kToday = KeyScope::payload(RetentionClass::content, kDay);
const KeyScope kMonth = KeyScope::pseudonym(202611);

std::vector<std::uint8_t> bytes_of(const Key32& key) { return {key.view().begin(), key.view().end()}; }

TEST(KeyBook, GivesTheSameKeyAgainAlsoAfterAReopen) {
  Bookcase shelf;
  auto book = shelf.open();
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(book->look_up(kToday, "acme")->fate.state, KeyState::absent);
  const auto first = book->obtain(kToday, "acme").value();
  EXPECT_TRUE(first.is_live());
  EXPECT_NE(bytes_of(first.key), std::vector<std::uint8_t>(32, 0));
  EXPECT_EQ(bytes_of(book->obtain(kToday, "acme")->key), bytes_of(first.key));
  const auto other = book->obtain(kToday, "umbrella").value();
  EXPECT_NE(bytes_of(other.key), bytes_of(first.key));
  EXPECT_NE(bytes_of(book->obtain(KeyScope::payload(RetentionClass::evidence, kDay), "acme")->key),
            bytes_of(first.key));
  EXPECT_NE(bytes_of(book->obtain(KeyScope::payload(RetentionClass::content, kDay + 1), "acme")->key),
            bytes_of(first.key));
  ASSERT_TRUE(book->sync().has_value());
  book.reset();
  book = shelf.open();
  ASSERT_NE(book, nullptr);
  const auto again = book->look_up(kToday, "acme").value();
  EXPECT_EQ(bytes_of(again.key), bytes_of(first.key));
  EXPECT_EQ(again.fate.id, first.fate.id);
  EXPECT_EQ(bytes_of(book->look_up(kToday, other.fate.id)->key), bytes_of(other.key));
  EXPECT_EQ(book->counts().keys_made, 0U);
}

TEST(KeyBook, NoFileHoldsAKeyOrAName) {
  Bookcase shelf;
  auto book = shelf.open();
  const auto key = book->obtain(kToday, "acme-corporation").value();
  ASSERT_TRUE(book->sync().has_value());
  const auto bytes = bytes_of(key.key);
  EXPECT_FALSE(test::is_anywhere(shelf.folder.path(), std::string(bytes.begin(), bytes.end())));
  EXPECT_FALSE(test::is_anywhere(shelf.folder.path(), "acme"));
  for (const std::string& path : test::files_under(shelf.folder / "keys")) {
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077U, 0U) << path;
  }
}

TEST(KeyBook, ADestroyedKeyIsAnAnswerAndIsNeverMadeAgain) {
  Bookcase shelf;
  auto book = shelf.open();
  const auto key = book->obtain(kToday, "acme").value();
  const auto kept = book->obtain(kToday, "umbrella").value();
  const std::uint64_t generation = book->generation();
  shelf.now_us += 1'000'000;
  const auto fate = book->destroy(kToday, "acme", "request of the customer, ticket 4711").value();
  EXPECT_EQ(fate.state, KeyState::destroyed);
  EXPECT_EQ(fate.id, key.fate.id);
  EXPECT_NE(book->generation(), generation);
  for (int round = 0; round < 2; ++round) {
    for (const bool make : {true, false}) {
      const auto answer = (make ? book->obtain(kToday, "acme") : book->look_up(kToday, "acme")).value();
      EXPECT_FALSE(answer.is_live());
      EXPECT_EQ(bytes_of(answer.key), std::vector<std::uint8_t>(32, 0));
      EXPECT_EQ(sentence_of(answer.fate),
                "the key was destroyed on 2026-11-22T00:00:01Z: request of the customer, ticket 4711");
    }
    EXPECT_EQ(book->look_up(kToday, key.fate.id)->fate.state, KeyState::destroyed);
    EXPECT_EQ(bytes_of(book->look_up(kToday, "umbrella")->key), bytes_of(kept.key));
    // Doing it again changes neither time nor reason.
    EXPECT_EQ(book->destroy(kToday, "acme", "another reason")->reason, fate.reason);
    book.reset();
    book = shelf.open();
    ASSERT_NE(book, nullptr);
  }
}

TEST(KeyBook, TheSealedBytesOfADestroyedKeyAreGoneFromTheFolder) {
  Bookcase shelf;
  auto book = shelf.open();
  (void)book->obtain(kToday, "acme").value();
  ASSERT_TRUE(book->sync().has_value());
  const std::string file = test::bytes_of_file(shelf.folder / ("keys/" + file_name_of(kToday)));
  ASSERT_EQ(file.size(), kKeyHeadBytes + kKeyRecordBytes);
  const std::string sealed = file.substr(kKeyHeadBytes + 32);
  ASSERT_TRUE(test::is_anywhere(shelf.folder.path(), sealed));
  ASSERT_TRUE(book->destroy(kToday, "acme", "test").has_value());
  EXPECT_FALSE(test::is_anywhere(shelf.folder.path(), sealed));
  EXPECT_EQ(book->counts().overwrites_failed, 0U);
}

TEST(KeyBook, TheOldFileIsOverwrittenNotOnlyUnlinked) {
  Bookcase shelf;
  auto book = shelf.open();
  (void)book->obtain(kToday, "acme").value();
  ASSERT_TRUE(book->sync().has_value());
  const std::string path = shelf.folder / ("keys/" + file_name_of(kToday));
  std::ifstream held(path, std::ios::binary);  // holds on to the old bytes, as a forensic look at the disk would
  ASSERT_TRUE(book->destroy(kToday, "acme", "test").has_value());
  const std::string old{std::istreambuf_iterator<char>(held), {}};
  ASSERT_EQ(old.size(), kKeyHeadBytes + kKeyRecordBytes);
  EXPECT_EQ(old, std::string(old.size(), '\0'));
}

TEST(KeyBook, ATombstoneForAKeyThatNeverWasKeepsItFromBeingMade) {
  Bookcase shelf;
  auto book = shelf.open();
  EXPECT_EQ(book->destroy(kToday, "acme", "gone")->state, KeyState::absent);
  EXPECT_EQ(book->destroy(kToday, "acme", "gone", true)->state, KeyState::destroyed);
  book.reset();
  book = shelf.open();
  EXPECT_EQ(book->obtain(kToday, "acme")->fate.state, KeyState::destroyed);
  EXPECT_TRUE(book->obtain(kToday, "other")->is_live());
}

TEST(KeyBook, AWholePeriodGoesAtOnce) {
  Bookcase shelf;
  auto book = shelf.open();
  std::vector<KeyId> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(book->obtain(kToday, "tenant" + std::to_string(i))->fate.id);
  (void)book->obtain(kMonth, "tenant1").value();
  ASSERT_EQ(book->scopes().size(), 2U);
  EXPECT_EQ(book->destroy_scope(kToday, "retention of content: 30 days").value(), ids);
  EXPECT_EQ(book->scopes(), std::vector<KeyScope>{kMonth});
  EXPECT_FALSE(exists(shelf.folder / ("keys/" + file_name_of(kToday))));
  book.reset();
  book = shelf.open();
  const auto answer = book->obtain(kToday, "tenant7").value();
  EXPECT_EQ(answer.fate.state, KeyState::destroyed);
  EXPECT_TRUE(answer.fate.with_period);
  EXPECT_THAT(sentence_of(answer.fate), HasSubstr("all keys of the period were destroyed on 2026-11-22"));
  EXPECT_TRUE(book->destroy_scope(kToday, "again")->empty());
  EXPECT_TRUE(book->look_up(kMonth, "tenant1")->is_live());
}

TEST(KeyBook, APeriodGoesExceptForTenantsThatAreHeld) {
  Bookcase shelf;
  auto book = shelf.open();
  const auto held = book->obtain(kToday, "held").value();
  (void)book->obtain(kToday, "other").value();
  const auto gone = book->destroy_scope(kToday, "retention", {book->tag_of("held")}).value();
  EXPECT_EQ(gone.size(), 1U);
  EXPECT_EQ(bytes_of(book->look_up(kToday, "held")->key), bytes_of(held.key));
  EXPECT_EQ(book->look_up(kToday, "other")->fate.state, KeyState::destroyed);
  EXPECT_EQ(book->destroy_scope(kToday, "released")->size(), 1U);
  EXPECT_EQ(book->look_up(kToday, "held")->fate.state, KeyState::destroyed);
}

TEST(KeyBook, AnotherMasterKeyIsNamedAsSuchAndNothingIsChanged) {
  Bookcase shelf;
  (void)shelf.open()->obtain(kToday, "acme").value();
  const std::string root = test::bytes_of_file(shelf.folder / "keys/book");
  std::filesystem::rename(shelf.folder / "master", shelf.folder / "right");
  const auto refused = shelf.try_open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("not the master key"));
  EXPECT_EQ(test::bytes_of_file(shelf.folder / "keys/book"), root);
  std::filesystem::rename(shelf.folder / "right", shelf.folder / "master");
  EXPECT_TRUE(shelf.open()->look_up(kToday, "acme")->is_live());
}

TEST(KeyBook, ALyingWrapperIsFoundByTheCheck) {
  struct Liar final : KeyWrapper {
    std::vector<std::uint8_t> answer = std::vector<std::uint8_t>(32, 7);
    base::Result<std::string> wrap(std::span<const std::uint8_t>) override { return "wrapped"; }
    base::Result<std::vector<std::uint8_t>> unwrap(std::string_view) override { return answer; }
  };
  const test::Folder folder;
  Liar liar;
  const auto refused = KeyBook::open(folder / "keys", liar, {false, [] { return kNow; }});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("another root key"));
}

TEST(KeyBook, TwoWritersAreRefusedAReaderIsNot) {
  Bookcase shelf;
  auto book = shelf.open();
  const auto key = book->obtain(kToday, "acme").value();
  ASSERT_TRUE(book->sync().has_value());
  EXPECT_FALSE(shelf.try_open().has_value());
  const auto reader = shelf.try_open(true);
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  EXPECT_EQ(bytes_of((*reader)->look_up(kToday, "acme")->key), bytes_of(key.key));
  EXPECT_EQ((*reader)->obtain(kToday, "new")->fate.state, KeyState::absent);
  EXPECT_EQ((*reader)->destroy(kToday, "acme", "x").error().fault, base::Fault::caller);
}

TEST(KeyBook, AClockThatGoesBackIsRepeatedAndCounted) {
  Bookcase shelf;
  auto book = shelf.open();
  EXPECT_EQ(book->now_us(), kNow);
  shelf.now_us = kNow - 5'000'000;
  EXPECT_EQ(book->now_us(), kNow);
  EXPECT_EQ(book->destroy(kToday, "acme", "x", true)->destroyed_us, kNow);
  EXPECT_EQ(book->counts().clock_steps_back, 2U);
  EXPECT_EQ(base::format_time(book->look_up(kToday, "acme")->fate.destroyed_us), "2026-11-22T00:00:00Z");
}

TEST(KeyBook, ManyScopesAreReadAgainWhenTheyWereLetGo) {
  Bookcase shelf;
  auto book = shelf.open();
  std::vector<std::vector<std::uint8_t>> keys;
  for (int i = 0; i < 60; ++i) {
    keys.push_back(bytes_of(book->obtain(KeyScope::payload(RetentionClass::content, kDay + i), "acme")->key));
    if (i % 7 == 0) {
      ASSERT_TRUE(book->sync().has_value());
    }
  }
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(bytes_of(book->obtain(KeyScope::payload(RetentionClass::content, kDay + i), "acme")->key), keys[i]);
  }
  EXPECT_TRUE(book->check()->empty());
}

TEST(KeyBook, TimesAndClassesWithoutKeysAreTheCallersFault) {
  Bookcase shelf;
  auto book = shelf.open();
  for (const KeyScope& scope :
       {KeyScope::payload(RetentionClass::query_log, kDay), KeyScope::payload(RetentionClass::content, -1),
        KeyScope::payload(RetentionClass::content, 1'000'000), KeyScope::pseudonym(202613)}) {
    const auto refused = book->obtain(scope, "acme");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().fault, base::Fault::caller);
  }
  EXPECT_TRUE(book->scopes().empty());
}

}  // namespace
}  // namespace stillwatch::ledger
