#include "ledger/fsck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/random.h"
#include "ledger/leaf_examples.h"
#include "ledger/log_fixture.h"

namespace stillwatch::ledger {
namespace {

namespace fs = std::filesystem;
using test::append_entries;
using test::kOrigin;
using test::seed;

class FsckTest : public test::LogTest {
 protected:
  void make_log(std::uint64_t size, std::uint64_t signed_size) {
    LogStore store = create();
    append_entries(store, signed_size, 4'096);
    ASSERT_TRUE(store.sign());
    append_entries(store, size - signed_size, 4'096);
  }
  FsckReport check() const {
    FsckOptions options;
    options.check_leaves = false;
    const auto report = fsck(folder_, options);
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : FsckReport{};
  }
  static std::string text(const FsckReport& report) {
    std::string out;
    for (const FsckFinding& finding : report.findings) {
      out += finding.file + "@" + std::to_string(finding.offset);
      if (finding.index) out += "#" + std::to_string(*finding.index);
      out += ": " + finding.what + "\n";
    }
    return out;
  }
  static bool names(const FsckReport& report, const std::string& file, std::uint64_t from, std::uint64_t to) {
    for (const FsckFinding& finding : report.findings) {
      if (finding.file == file && finding.offset >= from && finding.offset <= to) return true;
    }
    return false;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& file : fs::directory_iterator(folder_)) names.push_back(file.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(FsckTest, FindsNothingInAGoodLog) {
  for (const std::uint64_t size : {0, 1, 256, 700, 65'536, 66'000}) {
    fs::remove_all(folder_);
    make_log(size, size - size / 3);
    const FsckReport report = check();
    EXPECT_EQ(text(report), "") << size;
    EXPECT_EQ(report.size, size);
    EXPECT_EQ(report.entries_checked, size);
    EXPECT_EQ(report.origin, kOrigin);
  }
}

// Every byte of a small log has one of its bits flipped; of the small files that have no places the name is enough.
TEST_F(FsckTest, FindsEveryFlippedBitOfASmallLog) {
  make_log(300, 290);
  const std::vector<std::string> all = files();
  ASSERT_EQ(all.size(), 8U);
  for (const std::string& name : all) {
    const std::string path = folder_ + "/" + name;
    const std::uint64_t size = fs::file_size(path);
    const bool is_small = name == "state" || name == "signed" || name == "checkpoint" || name == "key";
    for (std::uint64_t byte = 0; byte < size; byte += is_small ? 1 : 7) {
      test::flip_bit(path, byte * 8 + byte % 8);
      const FsckReport report = check();
      // An entry's finding begins at its length, at most 24 bytes before; a hash's and an index's at its first byte.
      const std::uint64_t from = is_small ? 0 : byte < 32 ? 0 : byte - 31;
      EXPECT_TRUE(names(report, name, from, byte)) << name << " byte " << byte << "\n" << text(report);
      test::flip_bit(path, byte * 8 + byte % 8);
    }
  }
  EXPECT_EQ(text(check()), "");
}

TEST_F(FsckTest, FindsFlippedBitsAnywhereInALargeLog) {
  make_log(2 * 65'536 + 700, 131'000);
  base::Random random(5);
  for (const std::string& name : files()) {
    const std::string path = folder_ + "/" + name;
    const std::uint64_t size = fs::file_size(path);
    for (int round = 0; round < 3; ++round) {
      const std::uint64_t bit = random.below(size * 8);
      test::flip_bit(path, bit);
      const FsckReport report = check();
      const std::uint64_t from = size < 1'000 ? 0 : bit / 8 < 32 ? 0 : bit / 8 - 31;
      EXPECT_TRUE(names(report, name, from, bit / 8)) << name << " bit " << bit << "\n" << text(report);
      // Nothing but this file is blamed, unless it is one that the others are measured by.
      for (const FsckFinding& finding : report.findings) EXPECT_EQ(finding.file, name) << text(report);
      test::flip_bit(path, bit);
    }
  }
}

TEST_F(FsckTest, FindsShortAndMissingFiles) {
  make_log(65'536 + 700, 66'000);
  for (const std::string& name : files()) {
    const std::string path = folder_ + "/" + name, kept = top_ / "kept";
    const std::uint64_t size = fs::file_size(path);
    fs::copy_file(path, kept, fs::copy_options::overwrite_existing);
    for (const std::uint64_t left : {size - 1, size / 2, std::uint64_t{0}}) {
      fs::resize_file(path, left);
      const FsckReport report = check();
      EXPECT_TRUE(names(report, name, 0, left)) << name << " cut to " << left << "\n" << text(report);
    }
    fs::remove(path);
    EXPECT_TRUE(names(check(), name, 0, 0)) << name;
    fs::copy_file(kept, path);
  }
  EXPECT_EQ(text(check()), "");
}

TEST_F(FsckTest, TellsATailOfACrashFromDamage) {
  make_log(300, 300);
  std::ofstream(folder_ + "/entries-000000", std::ios::app) << "half a batch";
  const FsckReport report = check();
  EXPECT_EQ(text(report), "");
  EXPECT_EQ(report.tail_bytes, 12U);
}

TEST_F(FsckTest, FindsBytesBehindAFullSegment) {
  make_log(65'536, 65'536);
  for (const char* name : {"entries-000000", "hashes-000000", "index-000000"}) {
    const std::string path = folder_ + "/" + name;
    const std::uint64_t size = fs::file_size(path);
    std::ofstream(path, std::ios::app) << 'x';
    EXPECT_TRUE(names(check(), name, size, size)) << name;
    fs::resize_file(path, size);
  }
}

TEST_F(FsckTest, FindsAChangedEntryWithItsHashesMadeToMatch) {
  // Somebody who rewrites an entry and all hashes, but has not the key.
  make_log(300, 300);
  const std::string signed_note = test::read(folder_ + "/signed");
  fs::remove_all(folder_);
  {
    LogStore store = create();
    append_entries(store, 120);
    ASSERT_TRUE(store.append(std::vector<std::string_view>{"changed"}));
    append_entries(store, 179);
    ASSERT_TRUE(store.sign());
  }
  test::write(folder_ + "/signed", signed_note);
  test::write(folder_ + "/checkpoint", signed_note);
  const FsckReport report = check();
  ASSERT_EQ(report.findings.size(), 1U) << text(report);
  EXPECT_EQ(report.findings[0].file, "checkpoint");
}

TEST_F(FsckTest, SeesARolledBackState) {
  make_log(300, 200);
  const std::string old_state = test::read(folder_ + "/state");
  {
    auto store = LogStore::open(folder_, seed());
    append_entries(*store, 300);
    ASSERT_TRUE(store->sign());
  }
  test::write(folder_ + "/state", old_state);
  EXPECT_TRUE(names(check(), "state", 0, 0));
}

TEST_F(FsckTest, KnowsThatPrunedEntriesAreGone) {
  make_log(65'536 + 300, 65'836);
  {
    auto store = LogStore::open(folder_, seed());
    ASSERT_EQ(*store->prune(65'536), 65'536U);
  }
  const FsckReport report = check();
  EXPECT_EQ(text(report), "");
  EXPECT_EQ(report.index_min, 65'536U);
  EXPECT_EQ(report.entries_checked, 300U);
  // Their hashes are still checked.
  test::flip_bit(folder_ + "/hashes-000000", 8 * 32 * 17);
  EXPECT_NE(text(check()), "");
}

TEST_F(FsckTest, FindsEntriesThatAreNoLeaves) {
  {
    LogStore store = create();
    std::string leaf;
    ASSERT_TRUE(write_leaf(test::query_example(), leaf));
    ASSERT_TRUE(store.append(std::vector<std::string_view>{leaf, leaf, leaf + " ", leaf}));
    ASSERT_TRUE(store.sign());
  }
  const auto report = fsck(folder_);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->findings.size(), 1U);
  EXPECT_EQ(report->findings[0].index, 2U);
}

TEST_F(FsckTest, DoesNotRunBesideAWriter) {
  make_log(3, 3);
  const auto store = LogStore::open(folder_, seed());
  EXPECT_EQ(fsck(folder_).error().fault, base::Fault::environment);
  EXPECT_EQ(fsck(top_ / "nothing").error().fault, base::Fault::environment);
}

TEST_F(FsckTest, ListsSoManyFindingsAndCountsTheRest) {
  make_log(3'000, 3'000);
  fs::resize_file(folder_ + "/hashes-000000", 0);
  FsckOptions options;
  options.check_leaves = false;
  options.findings_max = 4;
  const auto report = fsck(folder_, options);
  EXPECT_EQ(report->findings.size(), 4U);
  EXPECT_GT(report->findings_more, 3U);
}

}  // namespace
}  // namespace stillwatch::ledger
