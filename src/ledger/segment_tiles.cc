#include "ledger/segment_tiles.h"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/disk_file.h"
#include "tlog/bundle.h"

namespace stillwatch::ledger {
namespace {

base::Status too_short(const std::string& path, std::uint64_t offset) {
  return base::fail(base::Fault::environment,
                    fmt::format("{} ends before byte {}, within what is committed; run `ledger fsck`", path, offset));
}

}  // namespace

base::Status SegmentTiles::read(const tlog::TileId& tile, std::string& out) const {
  return tile.kind == tlog::TileId::Kind::entries ? read_bundle(tile, out) : read_hashes(tile, out);
}

base::Status SegmentTiles::read_hashes(const tlog::TileId& tile, std::string& out) const {
  constexpr std::uint64_t kTileBytes = tlog::kTileWidth * tlog::kHashBytes;
  const bool is_leaf_level = tile.level == 0;
  const std::string path = is_leaf_level ? files_.hashes(tile.index / kSegmentBundles) : files_.level(tile.level);
  const std::uint64_t offset = (is_leaf_level ? tile.index % kSegmentBundles : tile.index) * kTileBytes;
  const std::size_t size = tile.width * tlog::kHashBytes;
  STILLWATCH_TRY(file, DiskFile::open(path, DiskFile::Use::read));
  STILLWATCH_CHECK(file.read_at(offset, size, out));
  return out.size() == size ? base::Status{} : too_short(path, offset + size);
}

base::Status SegmentTiles::read_bundle(const tlog::TileId& tile, std::string& out) const {
  const std::uint64_t segment = tile.index / kSegmentBundles, bundle = tile.index % kSegmentBundles;
  std::uint64_t begin = 0;
  std::optional<std::uint64_t> end;
  {
    STILLWATCH_TRY(index, DiskFile::open(files_.index(segment), DiskFile::Use::read));
    const std::uint64_t from = bundle == 0 ? 0 : bundle - 1;
    STILLWATCH_CHECK(index.read_at(from * kIndexBytes, (bundle - from + 1) * kIndexBytes, out));
    const std::size_t known = out.size() / kIndexBytes;
    if (bundle > 0 && known < 1) return too_short(index.path(), bundle * kIndexBytes);
    if (bundle > 0) begin = end_at(out, 0);
    if (known == bundle - from + 1) end = end_at(out, bundle - from);
    if (tile.is_full() && !end) return too_short(index.path(), (bundle + 1) * kIndexBytes);
  }
  STILLWATCH_TRY(file, DiskFile::open(files_.entries(segment), DiskFile::Use::read));
  STILLWATCH_TRY(file_size, file.size());
  // Behind the last bundle there may be entries that are not committed yet: only as many as asked for are taken.
  const std::uint64_t until = end ? *end : file_size;
  if (until > file_size) return too_short(file.path(), until);
  if (begin > until) {
    return base::fail(
        base::Fault::environment,
        fmt::format("{} names places that do not follow each other; run `ledger fsck`", files_.index(segment)));
  }
  STILLWATCH_CHECK(file.read_at(begin, std::min<std::uint64_t>(until - begin, tlog::kBundleBytesMax), out));
  tlog::EntryReader reader(out);
  std::string_view entry;
  for (unsigned i = 0; i < tile.width; ++i) {
    if (!reader.next(entry)) return too_short(file.path(), begin + out.size() + 1);
  }
  if (tile.is_full() && !reader.at_end()) {
    return base::fail(base::Fault::environment,
                      fmt::format("{} does not hold {} entries from byte {} to {}; run `ledger fsck`", file.path(),
                                  tile.width, begin, until));
  }
  out.resize(reader.offset());
  return {};
}

}  // namespace stillwatch::ledger
