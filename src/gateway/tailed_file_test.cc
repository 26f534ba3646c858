#include "gateway/tailed_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <vector>

#include "base/random.h"
#include "gateway/observer_fixture.h"
#include "gateway/tail_memory.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;

constexpr std::size_t kLineMax = 1'000;

struct Taken {
  std::vector<std::string> lines;
  std::size_t too_long = 0;
};

TailedFile::Turn read_into(TailedFile& file, Taken& taken, std::size_t bytes_max = 4'096) {
  std::string buffer;
  return file.read(buffer, bytes_max, kLineMax, [&](std::string_view text, bool is_too_long) {
    taken.too_long += is_too_long ? 1 : 0;
    taken.lines.emplace_back(text);
    return true;
  });
}

void append(const Folder& folder, const std::string& bytes) {
  std::ofstream(folder.path + "/log", std::ios::binary | std::ios::app) << bytes;
}

/// A line per number; every 13th is over the limit.
std::string line_of(std::size_t number) {
  std::string line = "line " + std::to_string(number) + " ";
  line.append(number % 13 == 7 ? kLineMax + number % 500 : number * 37 % 300, 'x');
  return line;
}

TEST(TailedFile, GivesEachLineOnceHoweverTheFileGrowsAndReadingIsCut) {
  base::Random random(1);
  for (int run = 0; run < 20; ++run) {
    const Folder folder;
    folder.write("log", "");
    std::string whole;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < 200; ++i) {
      lines.push_back(line_of(i));
      whole += lines.back() + "\n";
    }
    auto file = TailedFile::open(folder.path + "/log");
    ASSERT_TRUE(file);
    Taken taken;
    std::string buffer;
    for (std::size_t written = 0; written < whole.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random.below(5'000), whole.size() - written);
      append(folder, whole.substr(written, size));
      written += size;
      if (random.chance(0.3)) {  // another reader goes on where this one stood
        const std::uint64_t offset = file->offset();
        file = TailedFile::open(folder.path + "/log");
        ASSERT_TRUE(file && file->start_at(offset));
      }
      // Not every line is taken at once.
      const auto sink = [&](std::string_view text, bool is_too_long) {
        if (random.chance(0.2)) return false;
        taken.too_long += is_too_long ? 1 : 0;
        taken.lines.emplace_back(text);
        return true;
      };
      TailedFile::Turn turn{};
      do turn = file->read(buffer, 1 + random.below(3'000), kLineMax, sink);
      while (turn == TailedFile::Turn::more || turn == TailedFile::Turn::stopped);
      ASSERT_EQ(turn, TailedFile::Turn::end);
      FileMark now;
      ASSERT_TRUE(file->look(now));
      EXPECT_FALSE(file->has_news(now));
    }
    ASSERT_EQ(taken.lines.size(), lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_TRUE(lines[i].starts_with(taken.lines[i])) << i;
    EXPECT_EQ(taken.too_long, 15U);  // 7, 20, ... below 200
    EXPECT_EQ(file->offset(), whole.size());
  }
}

TEST(TailedFile, ALastLineWaitsForItsNewline) {
  const Folder folder;
  folder.write("log", "one\ntw");
  auto file = TailedFile::open(folder.path + "/log");
  ASSERT_TRUE(file);
  Taken taken;
  EXPECT_EQ(read_into(*file, taken), TailedFile::Turn::end);
  EXPECT_EQ(taken.lines, std::vector<std::string>({"one"}));
  append(folder, "o\nthree");
  EXPECT_EQ(read_into(*file, taken), TailedFile::Turn::end);
  EXPECT_EQ(taken.lines, std::vector<std::string>({"one", "two"}));
  std::string buffer;
  const auto sink = [&](std::string_view text, bool) {
    taken.lines.emplace_back(text);
    return true;
  };
  EXPECT_EQ(file->read_rest(buffer, kLineMax, sink), TailedFile::Turn::end);
  EXPECT_EQ(file->read_rest(buffer, kLineMax, sink), TailedFile::Turn::end);
  EXPECT_EQ(taken.lines, std::vector<std::string>({"one", "two", "three"}));
}

TEST(TailedFile, KnowsWhenTheFileBecameAnotherOne) {
  const Folder folder;
  folder.write("log", "one\ntwo\n");
  auto file = TailedFile::open(folder.path + "/log");
  ASSERT_TRUE(file);
  Taken taken;
  EXPECT_EQ(read_into(*file, taken), TailedFile::Turn::end);
  folder.write("log", "x\n");  // shorter
  EXPECT_EQ(read_into(*file, taken), TailedFile::Turn::replaced);
  ASSERT_TRUE(file->start_at(0));
  EXPECT_EQ(read_into(*file, taken), TailedFile::Turn::end);
  folder.write("log", "yes it is longer\n");  // as long, but other bytes
  EXPECT_EQ(read_into(*file, taken), TailedFile::Turn::replaced);
  EXPECT_EQ(taken.lines, std::vector<std::string>({"one", "two", "x"}));
}

TEST(TailedFile, ATimeOfAnyYearIsTaken) {
  const Folder folder;
  folder.write("log", "one\n");
  const std::string path = folder.path + "/log";
  FileMark before, after;
  ASSERT_TRUE(mark_of(path, before));
  const timespec year_2400[] = {{13'570'000'000, 1}, {13'570'000'000, 1}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), year_2400, 0), 0);
  ASSERT_TRUE(mark_of(path, after));
  EXPECT_NE(after.changed_ns, before.changed_ns);
  auto file = TailedFile::open(path);
  ASSERT_TRUE(file);
  Taken taken;
  EXPECT_EQ(read_into(*file, taken), TailedFile::Turn::end);
  EXPECT_EQ(taken.lines, std::vector<std::string>{"one"});
}

TEST(TailedFile, PlacesFindTheirFileAgainUnderAnyName) {
  const Folder folder;
  const crypto::KeyedHash key = test::fixed_hash();
  std::string bytes;
  for (std::size_t i = 0; i < 100; ++i) bytes += line_of(i) + "\n";
  folder.write("log", bytes);
  auto file = TailedFile::open(folder.path + "/log");
  ASSERT_TRUE(file);
  std::vector<TailPlace> places;
  std::string buffer;
  std::vector<std::uint64_t> ends;
  EXPECT_EQ(file->read(buffer, bytes.size(), kLineMax,
                       [&](std::string_view, bool) {
                         places.push_back(file->place(7, key));
                         EXPECT_EQ(bytes[places.back().offset - 1], '\n');
                         ends.push_back(places.back().offset);
                         return true;
                       }),
            TailedFile::Turn::end);
  ASSERT_EQ(places.size(), 100U);
  EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end()));
  // A copy that ends anywhere is found by the furthest place within it; another file by none.
  base::Random random(2);
  for (int i = 0; i < 200; ++i) {
    const std::size_t size = random.below(bytes.size() + 1);
    folder.write("copy", bytes.substr(0, size));
    auto copy = TailedFile::open(folder.path + "/copy");
    const auto after = std::upper_bound(ends.begin(), ends.end(), size);
    const auto found = copy->offset_by(places, key);
    ASSERT_EQ(found.has_value(), after != ends.begin());
    if (found) {
      EXPECT_EQ(*found, *std::prev(after));
    }
  }
  folder.write("other", "line 9" + bytes);
  EXPECT_FALSE(TailedFile::open(folder.path + "/other")->offset_by(places, key));
}

TEST(TailPlace, GoesIntoARecordLineAndComesOut) {
  const TailPlace place{0x1a2b3c4d, kTailPrefixBytes, 0x00ff00ff00ff00ffULL, 123'456'789'012ULL};
  EXPECT_EQ(parse_tail_place(to_text(place)), place);
  std::string line = R"({"v":1,"id":"a"})";
  append_place(line, place);
  EXPECT_EQ(place_at_end(line), place);
  // What a client writes stands within a text or within another object.
  EXPECT_FALSE(place_at_end(R"({"id":"a\",\"tail\":\")" + to_text(place) + R"("})"));
  EXPECT_FALSE(place_at_end(R"({"request":{"a":1,"tail":")" + to_text(place) + R"("}})"));
  EXPECT_FALSE(place_at_end(R"({"v":1,"tail":"1a2b3c4d.0.0.0"})"));
  EXPECT_FALSE(parse_tail_place("1a2b3c4d.00ff00ff00ff00ff.12.13"));  // 12 is not what a file of 13 bytes begins with
}

TEST(TailPlaces, KeepTheLastOfEachFileAndForgetTheOldest) {
  TailPlaces places;
  for (std::uint64_t i = 0; i < kTailPlacesMax + 10; ++i) {
    places.add({1, kTailPrefixBytes, i, 5'000});
    places.add({1, kTailPrefixBytes, 3, 6'000 + i});  // moves again and again
  }
  EXPECT_EQ(places.list().size(), kTailPlacesMax);
  EXPECT_EQ(places.list().back(), (TailPlace{1, kTailPrefixBytes, 3, 6'000 + kTailPlacesMax + 9}));
  intake::ByteWriter out;
  places.save(out);
  TailPlaces again;
  intake::ByteReader in(out.bytes());
  ASSERT_TRUE(again.restore(in));
  EXPECT_EQ(again.list(), places.list());
}

TEST(TailMemory, IsReadAsItWasWritten) {
  const Folder folder;
  auto memory = TailMemory::open(folder.path);
  ASSERT_TRUE(memory);
  memory->add(5, {{5, 100, 77, 100}});
  memory->add(6, {});
  ASSERT_TRUE(memory->write(folder.path));
  const auto again = TailMemory::open(folder.path);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->key(), memory->key());
  EXPECT_TRUE(again->knows(5) && again->knows(6) && !again->knows(7));
  EXPECT_EQ(again->skipped(), memory->skipped());
  EXPECT_EQ(std::filesystem::status(folder.path + "/tails").permissions() & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  folder.write("tails", "stillwatch tails 1\nkey 12\n");
  EXPECT_FALSE(TailMemory::open(folder.path));
}

}  // namespace
}  // namespace stillwatch::gateway
