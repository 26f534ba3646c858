#include "tlog/tile.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tlog/bundle.h"
#include "tlog/tree_fixture.h"

namespace stillwatch::tlog {
namespace {

using Kind = TileId::Kind;

TEST(TilePath, Examples) {
  EXPECT_EQ(tile_path({Kind::hashes, 0, 0, 256}), "tile/0/000");
  EXPECT_EQ(tile_path({Kind::hashes, 1, 1'000, 256}), "tile/1/x001/000");
  EXPECT_EQ(tile_path({Kind::hashes, 0, 1'234'067, 256}), "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path({Kind::hashes, 2, 0, 1}), "tile/2/000.p/1");
  EXPECT_EQ(tile_path({Kind::entries, 0, 999, 112}), "tile/entries/999.p/112");
  EXPECT_EQ(tile_path({Kind::entries, 0, kTreeSizeMax / 256, 255}), "tile/entries/x036/x028/x797/x018/x963/967.p/255");
}

TEST(TilePath, ReadsBackWhatItWrites) {
  for (const Kind kind : {Kind::hashes, Kind::entries}) {
    for (unsigned level = 0; level < (kind == Kind::hashes ? kTileLevels : 1); ++level) {
      const std::uint64_t index_max = (kTreeSizeMax >> 8 * level) / 256;
      for (const std::uint64_t index :
           {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{999}, std::uint64_t{1'000},
            std::uint64_t{1'000'000}, std::uint64_t{1'000'999}, index_max / 2, index_max}) {
        if (index > index_max) continue;
        for (const unsigned width : {1U, 17U, 127U, 255U, 256U}) {
          if (width > tile_width(level, index, kTreeSizeMax)) continue;
          const TileId tile{kind, level, index, width};
          ASSERT_EQ(parse_tile_path(tile_path(tile)), tile) << tile_path(tile);
        }
      }
    }
  }
}

TEST(TilePath, OtherTextsAreNoTiles) {
  for (const char* path : {"",
                           "tile",
                           "tile/",
                           "tile/0",
                           "tile/0/",
                           "tile/0/0",
                           "tile/0/00",
                           "tile/0/0000",
                           "tile/0/1000",
                           "tile/0/x000/000",
                           "tile/0/x001",
                           "tile/0/x001/",
                           "tile/0/001/002",
                           "tile/0/x001/x002",
                           "tile/0/x1/000",
                           "tile/00/000",
                           "tile/-1/000",
                           "tile/8/000",
                           "tile/63/000",
                           "tile/0/000.p",
                           "tile/0/000.p/",
                           "tile/0/000.p/0",
                           "tile/0/000.p/256",
                           "tile/0/000.p/01",
                           "tile/0/000.p/1/",
                           "tile/0/000.p/1.p/1",
                           "tile/0/000/",
                           "/tile/0/000",
                           "tile//000",
                           "tile/0/../0/000",
                           "tile/0/000\n",
                           "tile/entries/",
                           "tile/entries/0",
                           "tile/entries/0/000",
                           "tile/data/000",
                           "tile/0/x999/x999/x999/x999/x999/999",
                           "tile/0/x036/x028/x797/x018/x963/968",
                           "tile/7/001",
                           "tile/7/000.p/128",
                           "tile/7/000",
                           "tile/0/000.p/1.",
                           "tile/0/0x0",
                           "tile/0/x000/x001/000"}) {
    EXPECT_FALSE(parse_tile_path(path)) << path;
  }
  // 2^63 - 1 entries: the last tile is one short of full.
  EXPECT_FALSE(parse_tile_path("tile/entries/x036/x028/x797/x018/x963/967"));
  EXPECT_TRUE(parse_tile_path("tile/7/000.p/127"));
}

TEST(Tile, WidthsOfTheExamplesOfTheSpecification) {
  // 70,000 entries: 273 full and one of 112; one full and one of 17; one of 1.
  EXPECT_EQ(hashes_at_level(0, 70'000), 273U * 256 + 112);
  EXPECT_EQ(tile_width(0, 272, 70'000), 256U);
  EXPECT_EQ(tile_width(0, 273, 70'000), 112U);
  EXPECT_EQ(tile_width(0, 274, 70'000), 0U);
  EXPECT_EQ(tile_width(1, 0, 70'000), 256U);
  EXPECT_EQ(tile_width(1, 1, 70'000), 17U);
  EXPECT_EQ(tile_width(2, 0, 70'000), 1U);
  EXPECT_EQ(tile_width(3, 0, 70'000), 0U);
  EXPECT_EQ(tile_width(0, 0, 256), 256U);
  EXPECT_EQ(tile_width(1, 0, 256), 1U);
  EXPECT_FALSE(tile_at(Kind::hashes, 0, 1, 256));
  EXPECT_FALSE(tile_at(Kind::entries, 1, 0, 70'000));
  EXPECT_FALSE(tile_at(Kind::hashes, 8, 0, kTreeSizeMax));
}

TEST(Tile, VisitingGrowthGivesWhatTheLargerTreeHasAndTheSmallerHadNot) {
  const auto all = [](std::uint64_t size) {
    std::set<std::string> paths;
    visit_new_tiles(0, size, [&](const TileId& tile) {
      EXPECT_EQ(tile_at(tile.kind, tile.level, tile.index, size), tile);
      EXPECT_TRUE(paths.insert(tile_path(tile)).second);
    });
    return paths;
  };
  for (const std::uint64_t new_size : {0, 1, 5, 255, 256, 257, 600, 65'535, 65'536, 65'537, 70'000}) {
    const auto now = all(new_size);
    std::uint64_t hashes = 0;
    for (unsigned level = 0; level < kTileLevels; ++level) hashes += hashes_at_level(level, new_size);
    std::uint64_t counted = 0;
    for (const std::string& path : now) {
      const TileId tile = *parse_tile_path(path);
      if (tile.kind == Kind::hashes) counted += tile.width;
    }
    EXPECT_EQ(counted, hashes) << new_size;
    for (const std::uint64_t old_size : {0, 1, 255, 256, 257, 512, 65'536}) {
      if (old_size > new_size) continue;
      const auto before = all(old_size);
      std::set<std::string> expected, visited;
      for (const std::string& path : now)
        if (!before.contains(path)) expected.insert(path);
      visit_new_tiles(old_size, new_size, [&](const TileId& tile) { visited.insert(tile_path(tile)); });
      EXPECT_EQ(visited, expected) << old_size << " to " << new_size;
    }
  }
}

// Tiles of a tree in memory, each served once full.
class MemoryTiles final : public TileSource {
 public:
  explicit MemoryTiles(std::span<const Hash> leaves) : leaves_(leaves) {}
  base::Status read_tile(const TileId& tile, std::string& out) override {
    ++reads;
    out.clear();
    const std::uint64_t under = std::uint64_t{1} << 8 * tile.level;
    for (std::uint64_t i = 0; i < tile.width; ++i) {
      const std::uint64_t begin = (tile.index * 256 + i) * under;
      if (begin + under > leaves_.size()) return base::fail(base::Fault::ours, "no such tile");
      out += hash_bytes(root_of(leaves_.subspan(begin, under)));
    }
    if (short_by > 0) out.resize(out.size() - short_by);
    return {};
  }
  int reads = 0;
  std::size_t short_by = 0;

 private:
  std::span<const Hash> leaves_;
};

TEST(TileHashSource, ProofsFromTilesAreThoseFromLeaves) {
  const auto leaves = test::leaves_of(70'000);
  const std::span<const Hash> all(leaves);
  MemoryTiles tiles(leaves);
  for (const std::uint64_t size : {1, 2, 255, 256, 257, 511, 600, 65'535, 65'536, 65'537, 70'000}) {
    TileHashSource source(tiles, size);
    const Hash root = root_of(all.first(size));
    EXPECT_EQ(*tree_root(source, size), root);
    for (const std::uint64_t index : {std::uint64_t{0}, size / 2, size - 1}) {
      const auto proof = inclusion_proof(source, index, size);
      ASSERT_TRUE(proof) << proof.error().message;
      EXPECT_TRUE(verify_inclusion(index, size, leaves[index], *proof, root));
      const auto growth = consistency_proof(source, index, size);
      ASSERT_TRUE(growth) << growth.error().message;
      EXPECT_TRUE(verify_consistency(index, size, root_of(all.first(index)), root, *growth));
    }
  }
  TileHashSource source(tiles, 70'000);
  tiles.reads = 0;
  ASSERT_TRUE(inclusion_proof(source, 12'345, 70'000));
  EXPECT_LE(tiles.reads, 6);  // a path of tiles, and the right edge
  tiles.short_by = 1;
  TileHashSource damaged(tiles, 70'000);
  const auto refused = inclusion_proof(damaged, 12'345, 70'000);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("tile/"), std::string::npos);
}

TEST(Bundle, EntriesReadBack) {
  std::string bundle;
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < 256; ++i) entries.emplace_back(i == 7 ? kEntryBytesMax : i % 40, static_cast<char>(i));
  for (const std::string& entry : entries) ASSERT_TRUE(append_entry(bundle, entry));
  const auto read = read_bundle(bundle, 256, true);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) EXPECT_EQ((*read)[i], entries[i]);
  EXPECT_EQ(read_bundle(bundle, 3, false)->size(), 3U);
  EXPECT_FALSE(read_bundle(bundle, 255, true));
  EXPECT_FALSE(read_bundle(bundle, 257, false));
  EXPECT_FALSE(read_bundle(bundle, 0, false));
  const std::string before = bundle;
  EXPECT_FALSE(append_entry(bundle, std::string(kEntryBytesMax + 1, 'x')));
  EXPECT_EQ(bundle, before);
}

TEST(Bundle, ACutIsSeenAtEveryByte) {
  std::string bundle;
  std::vector<std::size_t> ends{0};
  for (const char* entry : {"", "a", "entry", "", "another"}) {
    ASSERT_TRUE(append_entry(bundle, entry));
    ends.push_back(bundle.size());
  }
  for (std::size_t length = 0; length <= bundle.size(); ++length) {
    EntryReader reader(std::string_view(bundle).substr(0, length));
    std::size_t whole = 0;
    for (std::string_view entry; reader.next(entry);) ++whole;
    const auto expected = static_cast<std::size_t>(std::ranges::upper_bound(ends, length) - ends.begin()) - 1;
    ASSERT_EQ(whole, expected) << length;
    ASSERT_EQ(reader.offset(), ends[expected]);
    ASSERT_EQ(reader.at_end(), ends[expected] == length);
    ASSERT_EQ(read_bundle(std::string_view(bundle).substr(0, length), 5, true).has_value(), length == bundle.size());
  }
  EXPECT_FALSE(read_bundle(bundle + "x", 5, true));
  EXPECT_TRUE(read_bundle(bundle + "x", 5, false));
}

}  // namespace
}  // namespace stillwatch::tlog
