#include "gateway/packed_bytes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/random.h"
#include "gateway/log_tail_fixture.h"
#include "gateway/tailed_file.h"

namespace stillwatch::gateway {
namespace {

using test::Folder, test::pack;

std::string any_bytes(base::Random& random, std::size_t size) {
  std::string out;
  while (out.size() < size) out += "line " + std::to_string(random.next()) + "\n";
  out.resize(size);
  return out;
}

TEST(PackedBytes, GivesWhatWasPackedWhereverItIsAskedFor) {
  base::Random random(4);
  for (const std::size_t size : {0U, 1U, 4'095U, 4'096U, 300'000U, 2'000'000U}) {
    for (const bool is_gzip : {true, false}) {
      const Folder folder;
      const std::string whole = any_bytes(random, size);
      folder.write("log", whole);
      pack(folder.path + "/log", is_gzip);
      const int file = ::open((folder.path + (is_gzip ? "/log.gz" : "/log.zst")).c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_GE(file, 0);
      PackedBytes packed(file);
      EXPECT_EQ(packed.head(), whole.substr(0, 4'096));
      std::uint64_t at = 0;
      std::string out;
      for (int i = 0; i < 60; ++i) {
        // Forwards mostly; back now and then, also behind what is kept.
        at = random.chance(0.1) ? random.below(size + 10) : at + random.below(size / 20 + 2);
        if (random.chance(0.5)) packed.keep_from(at - std::min<std::uint64_t>(at, random.below(5'000)));
        if (random.chance(0.2)) packed.restart();
        if (random.chance(0.3)) {
          while (!packed.advance(at, 1 + random.below(400'000))) continue;
        }
        out.assign(random.below(200'000), '?');
        std::size_t count = 0;
        ASSERT_TRUE(packed.read_at(out.data(), out.size(), at, count));
        ASSERT_EQ(out.substr(0, count), at < size ? whole.substr(at, out.size()) : "") << at;
        ASSERT_EQ(packed.head(), whole.substr(0, 4'096));
      }
      while (!packed.advance(UINT64_MAX, 100'000)) continue;
      EXPECT_TRUE(packed.at_end());
      EXPECT_EQ(packed.end(), size);
      EXPECT_EQ(packed.damage(), nullptr);
      ::close(file);
    }
  }
}

TEST(PackedBytes, SaysWhereItWasCut) {
  base::Random random(5);
  const Folder folder;
  const std::string whole = any_bytes(random, 500'000);
  folder.write("log", whole);
  pack(folder.path + "/log", true);
  std::filesystem::resize_file(folder.path + "/log.gz", std::filesystem::file_size(folder.path + "/log.gz") / 2);
  const int file = ::open((folder.path + "/log.gz").c_str(), O_RDONLY | O_CLOEXEC);
  PackedBytes packed(file);
  std::string out(whole.size(), '?');
  std::size_t count = 0;
  ASSERT_TRUE(packed.read_at(out.data(), out.size(), 0, count));
  EXPECT_GT(count, 100'000U);
  EXPECT_LT(count, 400'000U);
  EXPECT_EQ(out.substr(0, count), whole.substr(0, count));
  ASSERT_NE(packed.damage(), nullptr);
  EXPECT_TRUE(packed.damage()->truncated);
  ::close(file);
}

// As a plain one (tailed_file_test.cc): also one that grows, by whole gzip streams and by pieces of one.
TEST(PackedBytes, ATailedFileGivesEachLineOfItOnce) {
  constexpr std::size_t kLineMax = 1'000;
  base::Random random(6);
  for (int run = 0; run < 3; ++run) {
    const Folder folder;
    std::vector<std::string> lines;
    std::string bytes;
    for (int part = 0; part < 4; ++part) {
      std::string text;
      for (int i = 0; i < 150; ++i) {
        lines.push_back("line " + std::to_string(lines.size()) + " ");
        lines.back().append(random.chance(0.02) ? kLineMax + random.below(100'000) : random.below(300), 'x');
        text += lines.back() + "\n";
      }
      folder.write("part", text);
      pack(folder.path + "/part", true);
      bytes += folder.read("part.gz");
      std::filesystem::remove(folder.path + "/part.gz");
    }
    folder.write("log.gz", "");
    auto file = TailedFile::open(folder.path + "/log.gz");
    ASSERT_TRUE(file);
    std::vector<std::string> taken;
    std::size_t too_long = 0;
    const auto sink = [&](std::string_view text, bool is_too_long) {
      if (random.chance(0.1)) return false;
      too_long += is_too_long ? 1 : 0;
      taken.emplace_back(text);
      return true;
    };
    std::string buffer;
    for (std::size_t written = 0; written < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random.below(9'000), bytes.size() - written);
      std::ofstream(folder.path + "/log.gz", std::ios::binary | std::ios::app) << bytes.substr(written, size);
      written += size;
      if (random.chance(0.3)) {
        const std::uint64_t offset = file->offset();
        file = TailedFile::open(folder.path + "/log.gz");
        ASSERT_TRUE(file && file->start_at(offset));
      }
      TailedFile::Turn turn{};
      do turn = file->read(buffer, 1 + random.below(3'000), kLineMax, sink);
      while (turn == TailedFile::Turn::more || turn == TailedFile::Turn::stopped);
      ASSERT_EQ(turn, TailedFile::Turn::end);
      FileMark now;
      ASSERT_TRUE(file->look(now));
      ASSERT_FALSE(file->has_news(now));
    }
    EXPECT_FALSE(file->is_cut());
    ASSERT_EQ(taken.size(), lines.size());
    std::size_t long_lines = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const bool is_long = lines[i].size() > kLineMax;
      long_lines += is_long ? 1 : 0;
      ASSERT_EQ(taken[i], is_long ? lines[i].substr(0, 64U << 10) : lines[i]) << i;
    }
    EXPECT_EQ(too_long, long_lines);
  }
}

}  // namespace
}  // namespace stillwatch::gateway
