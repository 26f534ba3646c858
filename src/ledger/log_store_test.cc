#include "ledger/log_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "crypto/sha256.h"
#include "ledger/log_fixture.h"
#include "ledger/log_reader.h"
#include "tlog/hash.h"

namespace stillwatch::ledger {
namespace {

namespace fs = std::filesystem;
using test::append_entries;
using test::kOrigin;
using test::seed;
using ::testing::HasSubstr;

// RFC 6962 section 2.1, word for word.
Hash32 tree_hash(std::span<const Hash32> leaves) {
  if (leaves.empty()) return crypto::sha256("");
  if (leaves.size() == 1) return leaves[0];
  std::size_t left = 1;
  while (left * 2 < leaves.size()) left *= 2;
  return tlog::node_hash(tree_hash(leaves.first(left)), tree_hash(leaves.subspan(left)));
}
Hash32 root_of_entries(std::uint64_t count) {
  std::vector<Hash32> leaves;
  for (std::uint64_t i = 0; i < count; ++i) leaves.push_back(tlog::leaf_hash(test::entry(i)));
  return tree_hash(leaves);
}

class LogStoreTest : public test::LogTest {
 protected:
  base::Result<LogStore> open() { return LogStore::open(folder_, seed()); }
  std::string refusal() {
    const auto store = open();
    return store ? "" : store.error().message;
  }
};

TEST_F(LogStoreTest, HasTheRootOfTheDefinitionAtEverySize) {
  LogStore store = create();
  EXPECT_EQ(store.root(), root_of_entries(0));
  base::Random random(1);
  while (store.size() < 700) {
    append_entries(store, 1 + random.below(40));
    EXPECT_EQ(store.root(), root_of_entries(store.size()));
  }
}

TEST_F(LogStoreTest, GoesOnWhereItStopped) {
  std::optional<LogStore> store(create());
  base::Random random(2);
  std::uint64_t size = 0;
  for (int round = 0; round < 30; ++round) {
    append_entries(*store, random.below(300));
    size = store->size();
    ASSERT_TRUE(store->sign());
    store.reset();
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
    store.emplace(std::move(*opened));
    EXPECT_EQ(store->size(), size);
    EXPECT_EQ(store->signed_size(), size);
    EXPECT_EQ(store->root(), root_of_entries(size));
    EXPECT_EQ(store->counters().tail_bytes_cut, 0U);
  }
}

TEST_F(LogStoreTest, CrossesTheBorderOfASegmentInOneBatch) {
  std::optional<LogStore> store(create());
  append_entries(*store, 65'000);
  append_entries(*store, 1'200, 4'096);
  EXPECT_EQ(store->root(), root_of_entries(66'200));
  store.reset();
  auto opened = open();
  ASSERT_TRUE(opened) << opened.error().message;
  append_entries(*opened, 65'536 - 664);  // ends exactly at a border
  EXPECT_EQ(opened->size(), 131'072U);
  const Hash32 root = opened->root();
  { const LogStore gone = std::move(*opened); }
  auto again = open();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->root(), root);
  append_entries(*again, 1);
  EXPECT_EQ(again->root(), root_of_entries(131'073));
}

TEST_F(LogStoreTest, TakesEntriesUpToTheBoundAndRefusesLongerWithoutWriting) {
  LogStore store = create();
  const std::string longest(kEntryBytesMax, 'a'), longer(kEntryBytesMax + 1, 'a');
  ASSERT_TRUE(store.append(std::vector<std::string_view>{longest, "", longest}));
  const auto refused = store.append(std::vector<std::string_view>{"fits", longer});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, base::Fault::caller);
  EXPECT_THAT(refused.error().message, HasSubstr("65536"));
  EXPECT_EQ(store.size(), 3U);
  EXPECT_FALSE(store.is_broken());
  ASSERT_TRUE(store.append(std::vector<std::string_view>{"fits"}));
  ASSERT_TRUE(store.sign());
  EXPECT_EQ(*LogReader::open(folder_)->entry(2), longest);
}

TEST_F(LogStoreTest, RefusesASecondWriter) {
  const LogStore store = create();
  EXPECT_THAT(refusal(), HasSubstr("in use"));
}

TEST_F(LogStoreTest, RefusesAnotherKeyAndAFolderWithALog) {
  { LogStore store = create(); }
  EXPECT_EQ(LogStore::open(folder_, seed(2)).error().fault, base::Fault::caller);
  EXPECT_EQ(LogStore::create(folder_, kOrigin, seed()).error().fault, base::Fault::caller);
  EXPECT_EQ(LogStore::create(top_ / "other", "no name+", seed()).error().fault, base::Fault::caller);
}

TEST_F(LogStoreTest, CutsATailThatWasNotCommitted) {
  {
    LogStore store = create();
    append_entries(store, 300);
    ASSERT_TRUE(store.sign());
  }
  const std::string entries = test::read(folder_ + "/entries-000000"), hashes = test::read(folder_ + "/hashes-000000");
  test::write(folder_ + "/entries-000000", entries + std::string("\0\3abc\0\7half", 11));
  test::write(folder_ + "/hashes-000000", hashes + "half a hash");
  test::write(folder_ + "/entries-000001", "of a batch over the border");
  const auto store = open();
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store->size(), 300U);
  EXPECT_EQ(store->counters().tail_bytes_cut, 11U + 26U);
  EXPECT_EQ(test::read(folder_ + "/entries-000000"), entries);
  EXPECT_EQ(test::read(folder_ + "/hashes-000000"), hashes);
  EXPECT_FALSE(fs::exists(folder_ + "/entries-000001"));
}

TEST_F(LogStoreTest, MakesHashesAgainThatDidNotReachTheDisk) {
  {
    LogStore store = create();
    append_entries(store, 65'536 + 700);
    ASSERT_TRUE(store.sign());
  }
  for (const char* name : {"hashes-000001", "index-000001", "level-1"}) {
    const std::string path = folder_ + "/" + name, before = test::read(path);
    // What an unsynced file may hold after a power cut: zeros, or nothing. Of level-1 only the present segment's part.
    const std::size_t keep = std::string_view(name) == "level-1" ? 8'192 : 0;
    test::write(path, before.substr(0, keep) + std::string(before.size() - keep, '\0'));
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(test::read(path), before) << name;
    test::write(path, before.substr(0, keep));
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(test::read(path), before) << name;
  }
}

TEST_F(LogStoreTest, NamesFileAndPlaceOfDamageWithinWhatIsCommitted) {
  {
    LogStore store = create();
    append_entries(store, 300);
  }
  const std::string path = folder_ + "/entries-000000", before = test::read(path);
  const std::size_t at = before.find("entry-123");
  for (const std::size_t flipped : {at, at - 1, at - 2}) {  // a byte of the entry, and both of its length
    test::flip_bit(path, flipped * 8 + 3);
    EXPECT_THAT(refusal(), HasSubstr("entries-000000 is damaged within what is committed, near byte " +
                                     std::to_string(at - 2) + " (entry 123)"));
    test::write(path, before);
  }
  test::write(path, before.substr(0, before.size() - 1));
  EXPECT_THAT(refusal(), HasSubstr("ends at byte " + std::to_string(before.size() - 1)));
  fs::remove(path);
  EXPECT_THAT(refusal(), HasSubstr("entries-000000 is missing"));
  test::write(path, before);
  EXPECT_EQ(refusal(), "");
}

TEST_F(LogStoreTest, RefusesAnyFlippedBitInItsSmallFiles) {
  {
    LogStore store = create();
    append_entries(store, 5);
    ASSERT_TRUE(store.sign());
  }
  for (const char* name : {"state", "signed", "key"}) {
    const std::string path = folder_ + "/" + name, before = test::read(path);
    for (std::uint64_t byte = 0; byte < before.size(); ++byte) {
      test::flip_bit(path, byte * 8 + byte % 8);
      EXPECT_NE(refusal(), "") << name << " byte " << byte;
      test::flip_bit(path, byte * 8 + byte % 8);
    }
  }
  EXPECT_EQ(refusal(), "");
}

TEST_F(LogStoreTest, RefusesAStateOlderThanTheLastSignedCheckpoint) {
  fs::copy_options all = fs::copy_options::recursive | fs::copy_options::overwrite_existing;
  {
    LogStore store = create();
    append_entries(store, 100);
    ASSERT_TRUE(store.sign());
  }
  fs::copy(folder_, top_ / "backup", all);
  {
    auto store = open();
    append_entries(*store, 50);
    ASSERT_TRUE(store->sign());
  }
  const std::string signed_note = test::read(folder_ + "/signed");
  fs::remove_all(folder_);
  fs::copy(top_ / "backup", folder_, all);
  EXPECT_EQ(refusal(), "");  // a whole old copy cannot be told from an old log by itself: hence `signed` elsewhere
  test::write(folder_ + "/signed", signed_note);
  EXPECT_THAT(refusal(), HasSubstr("of size 100, older than the last signed checkpoint of size 150"));
  EXPECT_THAT(refusal(), HasSubstr("rolled back"));
  fs::remove(folder_ + "/signed");
  EXPECT_THAT(refusal(), HasSubstr("signed is missing"));
}

TEST_F(LogStoreTest, KeepsTheSignedCheckpointElsewhere) {
  const LogStoreOptions options{top_ / "elsewhere.signed"};
  {
    auto store = LogStore::create(folder_, kOrigin, seed(), options);
    ASSERT_TRUE(store);
    append_entries(*store, 10);
    ASSERT_TRUE(store->sign());
  }
  EXPECT_FALSE(fs::exists(folder_ + "/signed"));
  EXPECT_EQ(test::read(options.signed_path), test::read(folder_ + "/checkpoint"));
  fs::copy(folder_, top_ / "backup", fs::copy_options::recursive);
  {
    auto store = LogStore::open(folder_, seed(), options);
    append_entries(*store, 10);
    ASSERT_TRUE(store->sign());
  }
  const auto rolled_back = LogStore::open(top_ / "backup", seed(), options);
  ASSERT_FALSE(rolled_back);
  EXPECT_THAT(rolled_back.error().message, HasSubstr("rolled back"));
}

TEST_F(LogStoreTest, RefusesAnotherHistoryUnderTheSignedSize) {
  {
    LogStore store = create();
    append_entries(store, 100);
    ASSERT_TRUE(store.sign());
  }
  const std::string signed_note = test::read(folder_ + "/signed");
  fs::remove_all(folder_);
  {
    LogStore store = create();
    ASSERT_TRUE(store.append(std::vector<std::string_view>{"another"}));
    append_entries(store, 150);
  }
  test::write(folder_ + "/signed", signed_note);
  EXPECT_THAT(refusal(), HasSubstr("are not those that"));
}

TEST_F(LogStoreTest, DoesNotSignWhenAnotherWriterSigned) {
  LogStore store = create();
  append_entries(store, 10);
  ASSERT_TRUE(store.sign());
  const std::string before = test::read(folder_ + "/signed");
  append_entries(store, 10);
  test::write(folder_ + "/signed", "something else");
  const auto note = store.sign();
  ASSERT_FALSE(note);
  EXPECT_THAT(note.error().message, HasSubstr("another writer"));
  EXPECT_TRUE(store.is_broken());
  test::write(folder_ + "/signed", before);
  ASSERT_TRUE(store.reopen());
  ASSERT_TRUE(store.sign());
  EXPECT_EQ(store.signed_size(), 20U);
}

TEST_F(LogStoreTest, PublishesTheSignedCheckpointAgain) {
  {
    LogStore store = create();
    append_entries(store, 10);
    ASSERT_TRUE(store.sign());
  }
  const std::string note = test::read(folder_ + "/checkpoint");
  fs::remove(folder_ + "/checkpoint");  // a crash came between `signed` and `checkpoint`
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(test::read(folder_ + "/checkpoint"), note);
}

TEST_F(LogStoreTest, SignsTheSameSizeWithTheSameBytes) {
  LogStore store = create();
  append_entries(store, 10);
  const auto note = store.sign();
  ASSERT_TRUE(note);
  EXPECT_EQ(*store.sign(), *note);
  EXPECT_EQ(store.counters().checkpoints, 1U);
}

TEST_F(LogStoreTest, TakesNothingAfterItsClose) {
  {
    LogStore store = create();
    append_entries(store, 10);
    ASSERT_TRUE(store.append_and_close(std::vector<std::string_view>{"last"}));
    EXPECT_TRUE(store.is_closed());
    EXPECT_EQ(store.append(std::vector<std::string_view>{"late"}).error().fault, base::Fault::caller);
  }
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->is_closed());
  EXPECT_EQ(store->append(std::vector<std::string_view>{"late"}).error().fault, base::Fault::caller);
  ASSERT_TRUE(store->sign());
  EXPECT_EQ(store->signed_size(), 11U);
}

TEST_F(LogStoreTest, DropsWholeSegmentsOfEntriesAndKeepsTheirHashes) {
  auto store = std::optional<LogStore>(create());
  append_entries(*store, 2 * 65'536 + 10, 4'096);
  EXPECT_EQ(*store->prune(131'072), 0U);  // nothing that is not signed
  ASSERT_TRUE(store->sign());
  EXPECT_EQ(*store->prune(70'000), 65'536U);
  EXPECT_EQ(*store->prune(3), 65'536U);  // never back
  EXPECT_FALSE(fs::exists(folder_ + "/entries-000000"));
  EXPECT_TRUE(fs::exists(folder_ + "/hashes-000000"));
  EXPECT_EQ(*store->prune(store->size()), 131'072U);
  append_entries(*store, 1);
  ASSERT_TRUE(store->sign());
  store.reset();
  const auto reader = LogReader::open(folder_);
  EXPECT_EQ(reader->index_min(), 131'072U);
  EXPECT_TRUE(reader->inclusion_proof(17));
  EXPECT_EQ(reader->entry(17).error().fault, base::Fault::input);
  EXPECT_EQ(*reader->entry(131'075), test::entry(131'075));
  EXPECT_EQ(refusal(), "");
}

TEST_F(LogStoreTest, GoesOnWithADeletionThatACrashCutShort) {
  std::string entries;
  {
    LogStore store = create();
    append_entries(store, 65'536 + 10, 4'096);
    ASSERT_TRUE(store.sign());
    entries = test::read(folder_ + "/entries-000000");
    ASSERT_EQ(*store.prune(65'536), 65'536U);
  }
  test::write(folder_ + "/entries-000000", entries);
  EXPECT_EQ(refusal(), "");
  EXPECT_FALSE(fs::exists(folder_ + "/entries-000000"));
}

TEST_F(LogStoreTest, AClosedLogMayLoseAllEntries) {
  {
    LogStore store = create();
    append_entries(store, 300);
    ASSERT_TRUE(store.append_and_close(std::vector<std::string_view>{"last"}));
    ASSERT_TRUE(store.sign());
    EXPECT_EQ(*store.prune(1'000), 301U);
  }
  EXPECT_FALSE(fs::exists(folder_ + "/entries-000000"));
  EXPECT_EQ(refusal(), "");
  EXPECT_TRUE(LogReader::open(folder_)->inclusion_proof(300));
}

TEST_F(LogStoreTest, StoresAtMostThirtyFiveBytesBesideAnEntry) {
  LogStore store = create();
  append_entries(store, 65'536, 4'096);
  ASSERT_TRUE(store.sign());
  std::uint64_t bytes = 0;
  for (const auto& file : fs::directory_iterator(folder_)) bytes += file.file_size();
  EXPECT_LE(static_cast<double>(bytes - store.counters().entry_bytes) / 65'536, 35.0);
}

TEST(CheckpointTextHash, LeavesSignaturesOut) {
  const Hash32 hash = crypto::sha256("origin\n5\nroot\n");
  EXPECT_EQ(checkpoint_text_hash("origin\n5\nroot\n\n— a b\n"), hash);
  EXPECT_EQ(checkpoint_text_hash("origin\n5\nroot\n\n— a b\n— c d\n"), hash);
}

}  // namespace
}  // namespace stillwatch::ledger
