#include "tlog/verifier.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "tlog/log_fixture.h"

namespace stillwatch::tlog {
namespace {

constexpr const char* kOrigin = "log.example/test";

LogReport report_of(test::MemoryLog& log, const VerifySettings& settings = {}) {
  auto report = verify_log(log, log.key(), settings);
  EXPECT_TRUE(report) << report.error().message;
  return report ? *std::move(report) : LogReport{};
}
std::string text_of(const LogReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) {
    text +=
        finding.file + (finding.index ? " [" + std::to_string(*finding.index) + "]" : "") + ": " + finding.what + "\n";
  }
  return text;
}

TEST(Verifier, GoodLogsOfManySizesHold) {
  for (const std::size_t size : {0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 700, 65'535, 65'536, 65'537, 70'000}) {
    test::MemoryLog log(kOrigin, test::entries_of(size));
    VerifySettings settings;
    for (const std::size_t older : {std::size_t{0}, size / 3, size / 2, size}) {
      settings.older_checkpoints.push_back(log.checkpoint_of(older));
    }
    const LogReport report = report_of(log, settings);
    EXPECT_TRUE(report.holds()) << size << "\n" << text_of(report);
    EXPECT_EQ(report.checkpoint.size, size);
    EXPECT_EQ(report.entries_checked, size);
    EXPECT_EQ(report.older_checked, 4U);
    std::uint64_t tiles = 0;
    for (const auto& [path, bytes] : log.files) tiles += path != "checkpoint" && !path.starts_with("tile/entries/");
    EXPECT_EQ(report.tiles_checked, tiles) << size;
  }
}

// Where byte `at` of the file is: which hash, or which entry.
std::uint64_t index_of(const std::string& path, const std::string& bytes, std::size_t at) {
  const TileId tile = *parse_tile_path(path);
  if (tile.kind == TileId::Kind::hashes) return tile.index * kTileWidth + at / kHashBytes;
  EntryReader reader(bytes);
  std::uint64_t index = tile.index * kTileWidth;
  for (std::string_view entry; reader.next(entry) && reader.offset() <= at;) ++index;
  return index;
}

TEST(Verifier, EachFlippedBitIsFoundAndNamed) {
  test::MemoryLog log(kOrigin, test::entries_of(600));
  const auto good = log.files;
  for (const auto& [path, bytes] : good) {
    if (path == "checkpoint") continue;
    const bool is_bundle = path.starts_with("tile/entries/");
    for (std::size_t at = 0; at < bytes.size(); at += is_bundle ? 3 : 11) {
      std::string& file = log.files[path];
      file[at] = static_cast<char>(file[at] ^ 1 << at % 8);
      const LogReport report = report_of(log);
      file = bytes;
      ASSERT_GE(report.findings_count, 1U) << path << " byte " << at;
      const Finding& first = report.findings.front();
      ASSERT_EQ(first.file, path) << "byte " << at << "\n" << text_of(report);
      // A changed length moves the entries after it; the first one that is wrong is the one that it is of.
      ASSERT_EQ(first.index, index_of(path, bytes, at)) << path << " byte " << at << "\n" << text_of(report);
      if (!is_bundle) {
        ASSERT_EQ(report.findings_count, 1U) << text_of(report);
      }
    }
  }
  EXPECT_TRUE(report_of(log).holds());
}

TEST(Verifier, FlippedBitsInALogOfThreeLevels) {
  test::MemoryLog log(kOrigin, test::entries_of(66'000));
  const auto good = log.files;
  for (const char* path : {"tile/0/000", "tile/0/255", "tile/0/256", "tile/0/257.p/208", "tile/1/000", "tile/1/001.p/1",
                           "tile/2/000.p/1", "tile/entries/000", "tile/entries/200", "tile/entries/257.p/208"}) {
    const std::string& bytes = good.at(path);
    for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      log.files[path][at] = static_cast<char>(bytes[at] ^ 4);
      const LogReport report = report_of(log);
      log.files[path] = bytes;
      ASSERT_GE(report.findings_count, 1U);
      EXPECT_EQ(report.findings[0].file, path) << text_of(report);
      EXPECT_EQ(report.findings[0].index, index_of(path, bytes, at)) << text_of(report);
    }
  }
}

TEST(Verifier, EachMissingOrCutFileIsNamed) {
  test::MemoryLog log(kOrigin, test::entries_of(66'000));
  const auto good = log.files;
  std::size_t number = 0;
  for (const auto& [path, bytes] : good) {
    // Every file above level 0, and some of the many below.
    if (path == "checkpoint" || (number++ % 37 != 0 && path.find(".p/") == std::string::npos && path[5] != '1'))
      continue;
    log.files.erase(path);
    LogReport report = report_of(log);
    ASSERT_EQ(report.findings_count, 1U) << path << "\n" << text_of(report);
    EXPECT_EQ(report.findings[0].file, path);
    for (const std::string& other : {bytes.substr(0, bytes.size() - 1), bytes + "x", std::string()}) {
      log.files[path] = other;
      report = report_of(log);
      ASSERT_GE(report.findings_count, 1U) << path;
      EXPECT_EQ(report.findings[0].file, path) << text_of(report);
    }
    log.files[path] = bytes;
  }
  log.files.erase("checkpoint");
  EXPECT_FALSE(verify_log(log, log.key(), {}));
}

TEST(Verifier, AnotherHistoryOfTheSameSizeIsFound) {
  test::MemoryLog log(kOrigin, test::entries_of(700));
  auto entries = test::entries_of(700);
  entries[300] = "rewritten";
  test::MemoryLog rewritten(kOrigin, entries);
  // All files rewritten but the checkpoint, whose key the writer did not have.
  rewritten.files["checkpoint"] = log.files["checkpoint"];
  const LogReport report = report_of(rewritten);
  ASSERT_EQ(report.findings_count, 1U) << text_of(report);
  EXPECT_EQ(report.findings[0].file, "checkpoint");
  // One level kept: the tiles above tell which part was rewritten.
  rewritten.files["tile/1/000.p/2"] = log.files["tile/1/000.p/2"];
  const LogReport part = report_of(rewritten);
  ASSERT_EQ(part.findings_count, 1U) << text_of(part);
  EXPECT_EQ(part.findings[0].file, "tile/0/001");
}

TEST(Verifier, ARewriteWithTheKeyIsFoundByAnOlderCheckpoint) {
  test::MemoryLog log(kOrigin, test::entries_of(700));
  auto entries = test::entries_of(700);
  entries[300] = "rewritten";
  test::MemoryLog rewritten(kOrigin, entries);
  EXPECT_TRUE(report_of(rewritten).holds());
  for (const std::size_t older : {300, 301, 512, 600, 700}) {
    const LogReport report = report_of(rewritten, {.older_checkpoints = {log.checkpoint_of(older)}});
    EXPECT_EQ(report.holds(), older == 300) << older << text_of(report);
  }
  test::MemoryLog cut(kOrigin, test::entries_of(650));
  EXPECT_TRUE(report_of(cut, {.older_checkpoints = {log.checkpoint_of(600)}}).holds());
  EXPECT_FALSE(report_of(cut, {.older_checkpoints = {log.checkpoint_of(700)}}).holds());
  EXPECT_FALSE(report_of(cut, {.older_checkpoints = {"no note"}}).holds());
}

TEST(Verifier, AFullFileMayStandForAPartialOne) {
  test::MemoryLog log(kOrigin, test::entries_of(700));
  const test::MemoryLog larger(kOrigin, test::entries_of(800));
  for (const char* kind : {"tile/0/002", "tile/entries/002"}) {
    log.files.erase(std::string(kind) + ".p/188");
    log.files[kind] = larger.files.at(kind);
  }
  EXPECT_TRUE(report_of(log).holds());
  // But no other number of entries.
  log.files["tile/entries/002"].resize(log.files["tile/entries/002"].size() - 11);
  EXPECT_FALSE(report_of(log).holds());
}

TEST(Verifier, PrunedEntriesAreNotAskedFor) {
  test::MemoryLog log(kOrigin, test::entries_of(1'000));
  log.files.erase("tile/entries/000");
  log.files.erase("tile/entries/001");
  EXPECT_EQ(report_of(log).findings_count, 2U);
  const LogReport report = report_of(log, {.minimum_index = 600});
  EXPECT_TRUE(report.holds()) << text_of(report);
  EXPECT_EQ(report.entries_checked, 1'000U - 512);
  EXPECT_TRUE(report_of(log, {.check_entries = false}).holds());
  // Hash tiles are checked all the same.
  log.files["tile/0/001"][40] = 'x';
  EXPECT_FALSE(report_of(log, {.minimum_index = 600}).holds());
  EXPECT_EQ(report_of(log, {.minimum_index = 600}).findings[0].file, "tile/0/001");
}

TEST(Verifier, ALogWithoutFilesEndsSoon) {
  test::MemoryLog log(kOrigin, {});
  const Ed25519NoteSigner signer(kOrigin, test::seed_of(1));
  log.files["checkpoint"] = *sign_checkpoint({kOrigin, kTreeSizeMax, leaf_hash("x"), ""}, signer);
  const LogReport report = report_of(log, {.findings_max = 5});
  EXPECT_FALSE(report.holds());
  EXPECT_EQ(report.findings.size(), 5U);
  EXPECT_LT(report.findings_count, 20'000U);
}

TEST(Verifier, AFolderIsReadAsTheSpecificationHasIt) {
  test::MemoryLog log(kOrigin, test::entries_of(700));
  const auto folder = std::filesystem::temp_directory_path() / ("tlog_folder_" + std::to_string(::getpid()));
  for (const auto& [path, bytes] : log.files) {
    std::filesystem::create_directories((folder / path).parent_path());
    ASSERT_TRUE(base::write_file((folder / path).string(), bytes));
  }
  FolderLog on_disk(folder.string());
  auto report = verify_log(on_disk, log.key(), {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->holds()) << text_of(*report);
  EXPECT_EQ(report->entries_checked, 700U);
  std::filesystem::remove(folder / "tile/0/001");
  report = verify_log(on_disk, log.key(), {});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->findings_count, 1U);
  EXPECT_EQ(report->findings[0].file, "tile/0/001");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stillwatch::tlog
