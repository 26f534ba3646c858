// Tiles: the tree cut into files of at most 256 hashes, and their paths.
//
// Invariant: one tile has one path and one path one tile; hash i of tile n at level l is the root of the entries
// [(n*256+i) * 256^l, (n*256+i+1) * 256^l). Only complete subtrees are in tiles.
// Threads: pure functions. Cost: a path is tens of nanoseconds; a subtree root from tiles at most 255 node hashes.
// Spec: C2SP tlog-tiles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tlog/hash.h"
#include "tlog/proof.h"

namespace stillwatch::tlog {

inline constexpr unsigned kTileHeight = 8;
inline constexpr unsigned kTileWidth = 1U << kTileHeight;
/// Levels that a tree below 2^63 entries can have: 0 to 7.
inline constexpr unsigned kTileLevels = 8;

struct TileId {
  enum class Kind : std::uint8_t { hashes, entries };
  Kind kind = Kind::hashes;
  unsigned level = 0;  // 0 for entries
  std::uint64_t index = 0;
  unsigned width = kTileWidth;  // 1 to 256; below 256 it is a partial tile

  bool is_full() const { return width == kTileWidth; }
  TileId full() const { return {kind, level, index, kTileWidth}; }
  bool operator==(const TileId&) const = default;
};

/// "tile/0/x001/x234/067", "tile/1/000.p/17", "tile/entries/000.p/3".
std::string tile_path(const TileId& tile);
/// Nothing unless the path is exactly what tile_path writes for a tile of a tree below 2^63 entries.
std::optional<TileId> parse_tile_path(std::string_view path);

/// Hashes at `level` in a tree of `size` entries: size / 256^level.
std::uint64_t hashes_at_level(unsigned level, std::uint64_t size);
/// How wide this tile is in a tree of `size` entries; 0 when it does not exist.
unsigned tile_width(unsigned level, std::uint64_t index, std::uint64_t size);
/// The tile that must be served for the tree: the full one, or the partial one of exactly that width. Nothing when it
/// does not exist in the tree.
std::optional<TileId> tile_at(TileId::Kind kind, unsigned level, std::uint64_t index, std::uint64_t size);

/// Tiles (and, with kind entries, bundles) that a tree of new_size has and one of old_size had not, level by level from
/// 0, each from left to right. old_size 0 gives all.
template <class Visit>
void visit_new_tiles(std::uint64_t old_size, std::uint64_t new_size, Visit&& visit) {
  for (unsigned level = 0; level < kTileLevels; ++level) {
    const std::uint64_t hashes_old = hashes_at_level(level, old_size), hashes_new = hashes_at_level(level, new_size);
    for (std::uint64_t at = hashes_old / kTileWidth * kTileWidth; hashes_new > hashes_old && at < hashes_new;) {
      const auto width = static_cast<unsigned>(hashes_new - at < kTileWidth ? hashes_new - at : kTileWidth);
      visit(TileId{TileId::Kind::hashes, level, at / kTileWidth, width});
      if (level == 0) visit(TileId{TileId::Kind::entries, 0, at / kTileWidth, width});
      at += kTileWidth;
    }
  }
}

/// Where tiles come from: files, the network, memory.
class TileSource {
 public:
  virtual ~TileSource() = default;
  /// At least tile.width * 32 bytes into `out` (replaced). A source may serve a full tile for a partial one, which may
  /// have been deleted: only the first `width` hashes are used.
  virtual base::Status read_tile(const TileId& tile, std::string& out) = 0;
};

/// Subtree roots of a tree of `size` entries from its tiles. Keeps the last tile of each level. Not for several
/// threads.
class TileHashSource final : public HashSource {
 public:
  TileHashSource(TileSource& tiles, std::uint64_t size) : tiles_(tiles), size_(size) {}
  base::Result<Hash> subtree_root(const Subtree& subtree) override;

 private:
  struct Kept {
    std::uint64_t index = 0;
    std::string bytes;  // empty: none
  };
  TileSource& tiles_;
  std::uint64_t size_;
  Kept kept_[kTileLevels];
};

}  // namespace stillwatch::tlog
