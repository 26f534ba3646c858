// Any bytes as a path of a tile. Property: a path that is read is written back as the same bytes, and its tile is in a
// tree that can be.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "tlog/tile.h"

using namespace stillwatch::tlog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view path(reinterpret_cast<const char*>(bytes), size);
  const auto tile = parse_tile_path(path);
  if (!tile) return 0;
  STILLWATCH_ASSERT(tile_path(*tile) == path);
  STILLWATCH_ASSERT(tile->width >= 1 && tile->width <= tile_width(tile->level, tile->index, kTreeSizeMax));
  STILLWATCH_ASSERT(path.find("..") == std::string_view::npos && path.find("//") == std::string_view::npos);
  return 0;
}
