#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "ledger/disk_file.h"
#include "ledger/log_files.h"
#include "ledger/log_reader.h"
#include "tlog/checkpoint.h"
#include "tlog/tile.h"

namespace stillwatch::ledger {
namespace {

using tlog::TileId;

// Whole or absent for who reads; on the disk after the one sync of all files before the checkpoint.
base::Status write_aside(const std::string& path, std::string_view bytes) {
  std::error_code code;
  std::filesystem::create_directories(folder_of(path), code);
  if (code) return base::fail(call_error("create the folder", folder_of(path), code.value()));
  const std::string aside = path + ".partial";
  {
    STILLWATCH_CHECK(remove_file(aside));
    STILLWATCH_TRY(file, DiskFile::create(aside));
    STILLWATCH_CHECK(file.write_at(0, bytes));
  }
  std::filesystem::rename(aside, path, code);
  return code ? base::fail(call_error("rename to", path, code.value())) : base::Status{};
}

base::Status sync_file_system(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return base::fail(call_error("sync", folder, errno));
  const int code = ::syncfs(file) == 0 ? 0 : errno;
  ::close(file);
  return code == 0 ? base::Status{} : base::fail(call_error("sync", folder, code));
}

// Bundles of the checkpoint before that are pruned since. They go in ascending order, so that what is left is found by
// halving even after an interruption.
base::Status remove_pruned(const std::string& folder, std::uint64_t index_min, std::uint64_t old_size) {
  const auto path = [&folder](std::uint64_t bundle) {
    return fmt::format("{}/{}", folder, tlog::tile_path({TileId::Kind::entries, 0, bundle, tlog::kTileWidth}));
  };
  const std::uint64_t end = std::min(index_min, old_size) / tlog::kTileWidth;
  std::uint64_t low = 0, high = end;  // those before `low` are gone
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (file_exists(path(middle))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  for (std::uint64_t bundle = high; bundle < end; ++bundle) STILLWATCH_CHECK(remove_file(path(bundle)));
  std::error_code gone;
  if (index_min > 0 && index_min >= old_size)
    std::filesystem::remove_all(path(old_size / tlog::kTileWidth) + ".p", gone);
  return {};
}

}  // namespace

base::Result<PublishCounts> publish(const LogReader& reader, const std::string& folder) {
  PublishCounts counts;
  STILLWATCH_CHECK(make_folder(folder));
  STILLWATCH_TRY(old_note, read_if_there(folder + "/checkpoint", kSmallFileMax));
  std::uint64_t old_size = 0;
  if (old_note) {
    STILLWATCH_TRY(key, tlog::VerifierKey::parse(reader.vkey()));
    const auto old = tlog::open_checkpoint(*old_note, key);
    if (!old || old->size > reader.size()) {
      return base::fail(
          base::Fault::caller,
          fmt::format("{} holds another log, or a newer state of this one; choose another folder", folder));
    }
    old_size = old->size;
  }
  base::Status status;
  tlog::visit_new_tiles(old_size, reader.size(), [&](const TileId& tile) {
    const std::uint64_t end = tile.index * tlog::kTileWidth + tile.width;
    if (!status || (tile.kind == TileId::Kind::entries && end <= reader.index_min())) return;
    const std::string path = tlog::tile_path(tile);
    auto bytes = reader.resource(path);
    status = bytes ? write_aside(fmt::format("{}/{}", folder, path), *bytes) : base::fail(std::move(bytes).error());
    if (!status) return;
    ++counts.files_written;
    counts.bytes_written += bytes->size();
    if (!tile.is_full()) return;
    std::error_code gone;  // the full tile stands for its partial ones
    std::filesystem::remove_all(fmt::format("{}/{}.p", folder, path), gone);
  });
  STILLWATCH_CHECK(std::move(status));
  STILLWATCH_CHECK(remove_pruned(folder, reader.index_min(), old_size));
  if (old_note == reader.checkpoint()) return counts;
  STILLWATCH_CHECK(sync_file_system(folder));
  STILLWATCH_CHECK(put_file(folder + "/checkpoint", reader.checkpoint()));
  ++counts.files_written;
  counts.bytes_written += reader.checkpoint().size();
  return counts;
}

}  // namespace stillwatch::ledger
