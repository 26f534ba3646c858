// Tiles and bundles as slices of a log's segment files.
//
// Internal to this module. Invariant: gives exactly the bytes asked for, or an error that names the file; what a tree
// of some size covers is for the caller to know. Threads: const use from any number. Cost: an open and a read each.
#pragma once

#include <string>

#include "base/result.h"
#include "ledger/log_files.h"
#include "tlog/tile.h"

namespace stillwatch::ledger {

class SegmentTiles final : public tlog::TileSource {
 public:
  explicit SegmentTiles(std::string folder) : files_{std::move(folder)} {}

  /// Hashes or entries.
  base::Status read(const tlog::TileId& tile, std::string& out) const;
  base::Status read_tile(const tlog::TileId& tile, std::string& out) override { return read(tile, out); }
  const LogFiles& files() const { return files_; }

 private:
  base::Status read_hashes(const tlog::TileId& tile, std::string& out) const;
  base::Status read_bundle(const tlog::TileId& tile, std::string& out) const;
  LogFiles files_;
};

}  // namespace stillwatch::ledger
