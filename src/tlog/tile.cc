#include "tlog/tile.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.h"
#include "tlog/lines.h"

namespace stillwatch::tlog {
namespace {

std::uint64_t index_max(unsigned level) { return (kTreeSizeMax >> kTileHeight * level) / kTileWidth; }

// "x001/x234/067": groups of three digits, all but the last behind an x.
std::optional<std::uint64_t> parse_index(std::string_view text, std::uint64_t number_max) {
  std::uint64_t index = 0;
  for (bool is_first = true;; is_first = false) {
    const bool is_last = text.empty() || text.front() != 'x';
    if (!is_last) text.remove_prefix(1);
    if (text.size() < 3) return std::nullopt;
    std::uint64_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      group = group * 10 + static_cast<std::uint64_t>(text[i] - '0');
    }
    // The number has no leading group of zeros, or it had two paths.
    if (is_first && !is_last && group == 0) return std::nullopt;
    index = index * 1000 + group;
    if (index > number_max) return std::nullopt;
    text.remove_prefix(3);
    if (is_last) return text.empty() ? std::optional(index) : std::nullopt;
    if (text.empty() || text.front() != '/') return std::nullopt;
    text.remove_prefix(1);
  }
}

}  // namespace

std::string tile_path(const TileId& tile) {
  std::string path = tile.kind == TileId::Kind::entries ? "tile/entries/" : fmt::format("tile/{}/", tile.level);
  std::array<std::uint64_t, 7> groups;
  std::size_t count = 0;
  for (std::uint64_t rest = tile.index; count == 0 || rest > 0; rest /= 1000) groups[count++] = rest % 1000;
  while (count-- > 1) fmt::format_to(std::back_inserter(path), "x{:03}/", groups[count]);
  fmt::format_to(std::back_inserter(path), "{:03}", groups[0]);
  if (!tile.is_full()) fmt::format_to(std::back_inserter(path), ".p/{}", tile.width);
  return path;
}

std::optional<TileId> parse_tile_path(std::string_view path) {
  constexpr std::size_t kPathBytesMax = 64;  // "tile/entries/", seven groups of 5 bytes, ".p/255"
  constexpr std::string_view kTile = "tile/", kEntries = "entries/", kPartial = ".p/";
  if (path.size() > kPathBytesMax || !path.starts_with(kTile)) return std::nullopt;
  path.remove_prefix(kTile.size());
  TileId tile;
  if (path.starts_with(kEntries)) {
    tile.kind = TileId::Kind::entries;
    path.remove_prefix(kEntries.size());
  } else {
    const std::size_t end = path.find('/');
    const auto level = parse_decimal(path.substr(0, end), kTileLevels - 1);
    if (!level || end == std::string_view::npos) return std::nullopt;
    tile.level = static_cast<unsigned>(*level);
    path.remove_prefix(end + 1);
  }
  if (const std::size_t at = path.find(kPartial); at != std::string_view::npos) {
    const auto width = parse_decimal(path.substr(at + kPartial.size()), kTileWidth - 1);
    if (!width || *width == 0) return std::nullopt;
    tile.width = static_cast<unsigned>(*width);
    path = path.substr(0, at);
  }
  const auto index = parse_index(path, index_max(tile.level));
  if (!index) return std::nullopt;
  tile.index = *index;
  // The last tile of the largest tree is narrower than its number allows.
  if (tile_width(tile.level, tile.index, kTreeSizeMax) < tile.width) return std::nullopt;
  return tile;
}

std::uint64_t hashes_at_level(unsigned level, std::uint64_t size) {
  return level >= kTileLevels ? 0 : size >> kTileHeight * level;
}

unsigned tile_width(unsigned level, std::uint64_t index, std::uint64_t size) {
  const std::uint64_t hashes = hashes_at_level(level, size);
  if (index > hashes / kTileWidth) return 0;
  return static_cast<unsigned>(std::min<std::uint64_t>(kTileWidth, hashes - index * kTileWidth));
}

std::optional<TileId> tile_at(TileId::Kind kind, unsigned level, std::uint64_t index, std::uint64_t size) {
  const unsigned width = tile_width(level, index, size);
  if (width == 0 || (kind == TileId::Kind::entries && level != 0)) return std::nullopt;
  return TileId{kind, level, index, width};
}

base::Result<Hash> TileHashSource::subtree_root(const Subtree& subtree) {
  STILLWATCH_ASSERT(subtree.level < 63 && subtree.index < (size_ >> subtree.level));
  const unsigned level = subtree.level / kTileHeight, above = subtree.level % kTileHeight;
  const std::uint64_t first = subtree.index << above;
  const TileId tile = *tile_at(TileId::Kind::hashes, level, first / kTileWidth, size_);
  Kept& kept = kept_[level];
  if (kept.bytes.empty() || kept.index != tile.index) {
    kept.bytes.clear();
    std::string bytes;
    STILLWATCH_CHECK(tiles_.read_tile(tile, bytes));
    if (bytes.size() < tile.width * kHashBytes) {
      return base::fail(base::Fault::input, fmt::format("{} has {} bytes and should have {}; the log is damaged",
                                                        tile_path(tile), bytes.size(), tile.width * kHashBytes));
    }
    kept.bytes = std::move(bytes);
    kept.index = tile.index;
  }
  Hash hashes[kTileWidth];
  const std::size_t count = std::size_t{1} << above;
  for (std::size_t i = 0; i < count; ++i) hashes[i] = hash_at(kept.bytes, first % kTileWidth + i);
  return root_of({hashes, count});
}

}  // namespace stillwatch::tlog
