// Verifies a whole log from its public files: what an outsider with its key can know.
//
// Invariant: a log without findings has exactly the entries of its checkpoint, in its tiles and in its bundles, and
// every older checkpoint given is of a beginning of it. A finding names the file, and the entry or hash if known.
// Threads: one a call. Cost: each file is read once, a few tiles again for each older checkpoint; a leaf hash and a
// node hash an entry; memory of a few tiles and one bundle. Spec: C2SP tlog-tiles, tlog-checkpoint; RFC 9162.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "tlog/bundle.h"
#include "tlog/checkpoint.h"
#include "tlog/tile.h"

namespace stillwatch::tlog {

/// The files of a log: a folder, a server, memory.
class LogSource : public TileSource {
 public:
  virtual base::Result<std::string> read_checkpoint() = 0;
  /// The bundle into `out` (replaced). A full one may stand for a partial one.
  virtual base::Status read_bundle(const TileId& tile, std::string& out) = 0;
};

struct VerifySettings {
  /// Entries below it may be gone (retention): their bundles are not read. Hash tiles are always checked.
  std::uint64_t minimum_index = 0;
  /// False: tiles and checkpoints only.
  bool check_entries = true;
  /// Notes of older checkpoints of the same log, as an auditor kept them.
  std::vector<std::string> older_checkpoints = {};
  std::size_t findings_max = 100;  // further are counted only
};

/// What is wrong, and where.
struct Finding {
  std::string file;                    // path in the log, such as "tile/entries/000.p/3"
  std::optional<std::uint64_t> index;  // of the entry, or of the hash within the file's level
  std::string what;
};

struct LogReport {
  Checkpoint checkpoint;
  std::uint64_t entries_checked = 0, tiles_checked = 0, older_checked = 0;
  std::uint64_t findings_count = 0;
  std::vector<Finding> findings;
  bool holds() const { return findings_count == 0; }
};

/// An error only when the checkpoint cannot be read or is not signed by the key; everything else is a finding.
base::Result<LogReport> verify_log(LogSource& source, const VerifierKey& log_key, const VerifySettings& settings);

/// A log in a folder of the C2SP layout: `checkpoint`, `tile/...`, `tile/entries/...`.
class FolderLog final : public LogSource {
 public:
  explicit FolderLog(std::string folder) : folder_(std::move(folder)) {}
  base::Result<std::string> read_checkpoint() override;
  base::Status read_tile(const TileId& tile, std::string& out) override;
  base::Status read_bundle(const TileId& tile, std::string& out) override;

 private:
  base::Status read_either(const TileId& tile, std::size_t bytes_max, std::string& out);
  std::string folder_;
};

}  // namespace stillwatch::tlog
