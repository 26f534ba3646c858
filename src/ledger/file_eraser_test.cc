#include "ledger/file_eraser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/limits.h"
#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using testing::HasSubstr;

std::string record(std::string_view account, std::string_view time, int number) {
  return "{\"v\":1,\"id\":\"req_" + std::to_string(number) + "\",\"time\":\"" + std::string(time) +
         "\",\"account\":\"" + std::string(account) + "\",\"dialect\":\"text\"}\n";
}

std::string compressed(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string decompressed(const std::string& bytes) {
  std::string out;
  ZSTD_DCtx* stream = ZSTD_createDCtx();
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (in.pos < in.size) {
    std::string block(1U << 16, '\0');
    ZSTD_outBuffer to{block.data(), block.size(), 0};
    if (ZSTD_isError(ZSTD_decompressStream(stream, &to, &in)) != 0U) break;
    out += block.substr(0, to.pos);
  }
  ZSTD_freeDCtx(stream);
  return out;
}

JudgeLine acme() { return make_field_judge({{"account", "subject.id"}, {"acme"}, "time", {}}); }

struct Log {
  std::string all, kept;
  int theirs = 0;
};

Log make_log(int lines) {
  Log out;
  for (int i = 0; i < lines; ++i) {
    const bool is_theirs = i % 5 == 3;
    const std::string line = record(is_theirs ? "acme" : "acme2", "2026-11-22T00:00:00Z", i);
    out.all += line;
    out.kept += is_theirs ? "" : line;
    out.theirs += is_theirs ? 1 : 0;
  }
  return out;
}

TEST(FileEraser, TakesExactlyTheLinesOfACustomerOutOfPlainAndZstdFiles) {
  const test::Folder folder;
  const Log log = make_log(20'000);
  const std::string plain = folder / "queries.ndjson", zstd = folder / "queries.ndjson.zst";
  test::put_file(plain, log.all);
  // Frame by frame, as the gateway writes it; cut anywhere.
  std::string frames;
  for (std::size_t at = 0; at < log.all.size(); at += 50'001) frames += compressed(log.all.substr(at, 50'001));
  test::put_file(zstd, frames);
  ASSERT_EQ(::chmod(zstd.c_str(), 0640), 0);
  for (const std::string& path : {plain, zstd}) {
    const auto erased = erase_lines(path, acme());
    ASSERT_TRUE(erased.has_value()) << erased.error().message;
    EXPECT_EQ(erased->lines_seen, 20'000U);
    EXPECT_EQ(erased->lines_erased, static_cast<std::uint64_t>(log.theirs));
    EXPECT_TRUE(erased->rewritten && erased->overwritten);
    const std::string bytes = test::bytes_of_file(path);
    EXPECT_EQ(path == zstd ? decompressed(bytes) : bytes, log.kept);
    // Again: nothing to do, and the file is not touched.
    const auto again = erase_lines(path, acme());
    EXPECT_EQ(again->lines_erased, 0U);
    EXPECT_FALSE(again->rewritten);
    EXPECT_EQ(test::bytes_of_file(path), bytes);
  }
  struct stat status {};
  ASSERT_EQ(::stat(zstd.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
  EXPECT_EQ(test::files_under(folder.path()).size(), 2U);
}

TEST(FileEraser, JudgesByFieldsNotByText) {
  const auto judge = make_field_judge({{"account", "subject.id"}, {"acme"}, "time", {}});
  EXPECT_EQ(judge(R"({"account":"acme"})"), LineFate::goes);
  EXPECT_EQ(judge(R"({"account":"\u0061cme"})"), LineFate::goes);
  EXPECT_EQ(judge(R"({"subject":{"kind":"account","id":"acme"}})"), LineFate::goes);
  EXPECT_EQ(judge(R"({"account":"acme2","note":"acme"})"), LineFate::stays);
  EXPECT_EQ(judge(R"({"subject":"acme"})"), LineFate::stays);
  EXPECT_EQ(judge(R"({"account":["acme"]})"), LineFate::stays);
  EXPECT_EQ(judge(""), LineFate::stays);
  EXPECT_EQ(judge("   "), LineFate::stays);
  // Broken lines: by their bytes.
  EXPECT_EQ(judge(R"({"account":"acme","request":{"mess)"), LineFate::goes);
  EXPECT_EQ(judge(R"({"account":"other","request":{"mess)"), LineFate::stays);
}

TEST(FileEraser, HeldDaysStay) {
  const test::Folder folder;
  const std::string path = folder / "queries.ndjson";
  const std::string held = record("acme", "2026-11-21T12:00:00Z", 1), free = record("acme", "2026-11-22T12:00:00Z", 2);
  const std::string undated = "{\"account\":\"acme\"}\n";
  test::put_file(path, held + free + undated);
  const auto is_held = [](std::optional<std::int64_t> day) { return !day || *day == test::kDay - 1; };
  const auto erased = erase_lines(path, make_field_judge({{"account"}, {"acme"}, "time", is_held})).value();
  EXPECT_EQ(erased.lines_erased, 1U);
  EXPECT_EQ(erased.lines_held, 2U);
  EXPECT_EQ(test::bytes_of_file(path), held + undated);
}

TEST(FileEraser, ALastLineWithoutNewlineAndEmptyFiles) {
  const test::Folder folder;
  const std::string path = folder / "x";
  test::put_file(path, "{\"account\":\"other\"}\r\n{\"account\":\"acme\"}");
  EXPECT_EQ(erase_lines(path, acme())->lines_erased, 1U);
  EXPECT_EQ(test::bytes_of_file(path), "{\"account\":\"other\"}\r\n");
  test::put_file(path, "{\"account\":\"acme\"}\n");
  EXPECT_TRUE(erase_lines(path, acme())->rewritten);
  EXPECT_EQ(test::bytes_of_file(path), "");
  EXPECT_EQ(erase_lines(path, acme())->lines_seen, 0U);
  EXPECT_FALSE(erase_lines(folder / "absent", acme()).has_value());
  EXPECT_FALSE(erase_lines(folder.path(), acme()).has_value());
}

TEST(FileEraser, DamagedFilesAreLeftAsTheyAre) {
  const test::Folder folder;
  const std::string path = folder / "queries.ndjson.zst";
  const std::string good = compressed(make_log(3'000).all);
  std::string flipped = good;
  flipped[good.size() / 2] ^= 1;
  std::string long_line(base::limits::kLineBytesMax + 10, 'x');
  for (const std::string& bad : {good.substr(0, good.size() - 20), flipped, long_line, long_line + "\n"}) {
    test::put_file(path, bad);
    const auto refused = erase_lines(path, acme());
    if (bad == flipped && refused.has_value())
      continue;  // frames without a checksum: text may change and still be text
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("was not changed"));
    EXPECT_EQ(test::bytes_of_file(path), bad);
    EXPECT_EQ(test::files_under(folder.path()).size(), 1U);
  }
}

TEST(FileEraser, AFailedOrKilledStepLeavesOneWholeFile) {
  const Log log = make_log(200);
  for (const auto kind : {test::DiskFault::Kind::fails, test::DiskFault::Kind::kills}) {
    bool reached_end = false;
    for (int at = 0; !reached_end; ++at) {
      ASSERT_LT(at, 60);
      const test::Folder folder;
      const std::string path = folder / "queries.ndjson";
      test::put_file(path, log.all);
      const auto run = [&] {
        const test::DiskFault fault(kind, at);
        return erase_lines(path, acme()).has_value();
      };
      if (kind == test::DiskFault::Kind::kills) {
        reached_end = !test::ends_in_child(run);
      } else {
        const test::DiskFault fault(kind, at);
        (void)erase_lines(path, acme());
        reached_end = !fault.happened();
      }
      const std::string after = test::bytes_of_file(path);
      EXPECT_TRUE(after == log.all || after == log.kept) << "step " << at;
      ASSERT_TRUE(erase_lines(path, acme()).has_value());
      EXPECT_EQ(test::bytes_of_file(path), log.kept);
      EXPECT_EQ(test::files_under(folder.path()).size(), 1U) << "step " << at;
    }
  }
}

}  // namespace
}  // namespace stillwatch::ledger
