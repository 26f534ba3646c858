#include "tlog/verifier.h"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/files.h"

namespace stillwatch::tlog {
namespace {

using Kind = TileId::Kind;

// Files that cannot be read, after which the walk ends: a checkpoint of a log whose files are gone would otherwise make
// a walk over all of them.
constexpr std::uint64_t kUnreadableMax = 10'000;

// What the files below a tile say that its hashes are.
struct Below {
  std::array<Hash, kTileWidth> hashes;
  bool is_known = true;  // all of them
};

class Walk {
 public:
  Walk(LogSource& source, const VerifySettings& settings, LogReport& report)
      : source_(source), settings_(settings), report_(report), size_(report.checkpoint.size) {}

  // The right edge: the partial tile of each level, which together have the checkpoint's root.
  void check() {
    struct Edge {
      TileId tile;
      std::array<Hash, kTileWidth> hashes;
      bool is_read = false;
      Below below;
    };
    std::vector<Edge> edges;
    for (unsigned level = kTileLevels; level-- > 0;) {
      const std::uint64_t index = hashes_at_level(level, size_) / kTileWidth;
      const unsigned width = tile_width(level, index, size_);
      if (width == 0) continue;
      Edge& edge = edges.emplace_back();
      edge.tile = {Kind::hashes, level, index, width};
      edge.is_read = read_hashes(edge.tile, edge.hashes.data());
    }
    const auto root_from = [&](bool below) -> std::optional<Hash> {
      RightEdge tree;
      for (const Edge& edge : edges) {
        if (below ? !edge.below.is_known : !edge.is_read) return std::nullopt;
        for (unsigned i = 0; i < edge.tile.width; ++i) {
          tree.append_subtree(kTileHeight * edge.tile.level, below ? edge.below.hashes[i] : edge.hashes[i]);
        }
      }
      return tree.root();
    };
    const bool is_trusted = root_from(false) == report_.checkpoint.root;
    for (Edge& edge : edges) check_below(edge.tile, is_trusted ? edge.hashes.data() : nullptr, edge.below);
    if (is_trusted) return;
    const bool below_is_right = root_from(true) == report_.checkpoint.root;
    for (const Edge& edge : edges) {
      if (edge.is_read) compare(edge.tile, edge.hashes.data(), edge.below);
    }
    if (!below_is_right) add("checkpoint", std::nullopt, "its root is not that of the tiles");
  }

 private:
  void add(std::string file, std::optional<std::uint64_t> index, std::string what) {
    ++report_.findings_count;
    if (report_.findings.size() < settings_.findings_max) {
      report_.findings.push_back({std::move(file), index, std::move(what)});
    }
  }

  void add_unreadable(const TileId& tile, std::string what) {
    add(tile_path(tile), std::nullopt, std::move(what));
    if (++unreadable_ == kUnreadableMax)
      add("tile", std::nullopt, "too many files cannot be read: not looked at further");
  }
  bool is_over() const { return unreadable_ >= kUnreadableMax; }

  bool read_hashes(const TileId& tile, Hash* hashes) {
    std::string& bytes = bytes_[tile.level];
    const auto status = source_.read_tile(tile, bytes);
    if (!status) {
      add_unreadable(tile, status.error().message);
      return false;
    }
    if (bytes.size() != tile.width * kHashBytes && bytes.size() != kTileWidth * kHashBytes) {
      add_unreadable(tile, fmt::format("has {} bytes and should have {}", bytes.size(), tile.width * kHashBytes));
      return false;
    }
    std::memcpy(hashes, bytes.data(), tile.width * kHashBytes);
    ++report_.tiles_checked;
    return true;
  }

  // Where a tile differs from what is below it. A tile that nothing is known below says nothing here.
  void compare(const TileId& tile, const Hash* hashes, const Below& below) {
    if (!below.is_known) return;
    for (unsigned i = 0; i < tile.width; ++i) {
      if (hashes[i] != below.hashes[i]) {
        add(tile_path(tile), tile.index * kTileWidth + i,
            tile.level == 0 ? "is not the hash of its entry" : "is not the hash of the tile below");
      }
    }
  }

  // Everything under a tile. `trusted` are its hashes when they lead to the checkpoint's root.
  void check_below(const TileId& tile, const Hash* trusted, Below& below) {
    if (tile.level == 0) return check_bundle(tile, trusted, below);
    for (unsigned i = 0; i < tile.width && !is_over(); ++i) {
      const TileId child{Kind::hashes, tile.level - 1, tile.index * kTileWidth + i, kTileWidth};
      const auto root = check_full(child, trusted == nullptr ? nullptr : trusted + i);
      below.is_known = below.is_known && root.has_value();
      if (root) below.hashes[i] = *root;
    }
    if (is_over()) below.is_known = false;
  }

  // A full tile and everything under it. Gives its root as far as the files tell.
  std::optional<Hash> check_full(const TileId& tile, const Hash* expected) {
    std::array<Hash, kTileWidth> hashes;
    const bool is_read = read_hashes(tile, hashes.data());
    const Hash root = is_read ? root_of(hashes) : Hash{};
    const bool is_trusted = is_read && expected != nullptr && root == *expected;
    Below below;
    check_below(tile, is_trusted ? hashes.data() : nullptr, below);
    if (is_trusted) return root;
    const std::optional<Hash> root_below = below.is_known ? std::optional(root_of(below.hashes)) : std::nullopt;
    const std::uint64_t before = report_.findings_count;
    if (is_read) compare(tile, hashes.data(), below);
    if (expected != nullptr && root_below != *expected && before == report_.findings_count && (is_read || root_below)) {
      add(tile_path(tile), std::nullopt,
          is_read ? "does not have the root that the tile above it says"
                  : "what is below it does not have the root that the tile above it says");
    }
    return root_below ? root_below : is_read ? std::optional(root) : std::nullopt;
  }

  void check_bundle(const TileId& tile, const Hash* trusted, Below& below) {
    const std::uint64_t first = tile.index * kTileWidth;
    if (!settings_.check_entries || first + tile.width <= settings_.minimum_index) {
      below.is_known = false;
      return;
    }
    const TileId bundle{Kind::entries, 0, tile.index, tile.width};
    const auto status = source_.read_bundle(bundle, bundle_);
    if (!status) {
      below.is_known = false;
      return add_unreadable(bundle, status.error().message);
    }
    EntryReader reader(bundle_);
    std::string_view entry;
    for (unsigned i = 0; i < tile.width; ++i) {
      if (!reader.next(entry)) {
        below.is_known = false;
        return add(tile_path(bundle), first + i, fmt::format("the file ends in or before entry {}", first + i));
      }
      below.hashes[i] = leaf_hash(entry);
      ++report_.entries_checked;
      if (trusted != nullptr && below.hashes[i] != trusted[i]) {
        add(tile_path(bundle), first + i, fmt::format("entry {} is not the one that the log committed to", first + i));
      }
    }
    // A full bundle may stand for a partial one: then there are entries up to 256.
    unsigned further = tile.width;
    for (const std::size_t end = reader.offset(); end < bundle_.size() && reader.next(entry);) ++further;
    if (!reader.at_end() || (further != tile.width && further != kTileWidth)) {
      add(tile_path(bundle), std::nullopt, fmt::format("has bytes after its {} entries", tile.width));
    }
  }

  LogSource& source_;
  const VerifySettings& settings_;
  LogReport& report_;
  const std::uint64_t size_;
  std::uint64_t unreadable_ = 0;
  std::array<std::string, kTileLevels> bytes_;
  std::string bundle_;
};

std::string older_fault(LogSource& source, const VerifierKey& log_key, const Checkpoint& now,
                        const std::string& older_note) {
  const auto older = open_checkpoint(older_note, log_key);
  if (!older) return older.error().message;
  if (older->size > now.size)
    return fmt::format("it has {} entries and the log has only {} now", older->size, now.size);
  TileHashSource hashes(source, now.size);
  const auto proof = consistency_proof(hashes, older->size, now.size);
  if (!proof) return fmt::format("it cannot be compared: {}", proof.error().message);
  const auto status = verify_consistency(older->size, now.size, older->root, now.root, *proof);
  if (status) return {};
  return fmt::format("the log of {} entries is not a continuation of it, or its tiles are damaged: {}", now.size,
                     status.error().message);
}

}  // namespace

base::Result<LogReport> verify_log(LogSource& source, const VerifierKey& log_key, const VerifySettings& settings) {
  LogReport report;
  STILLWATCH_TRY(note, source.read_checkpoint());
  STILLWATCH_TRY(checkpoint, open_checkpoint(note, log_key));
  report.checkpoint = std::move(checkpoint);
  Walk(source, settings, report).check();
  for (std::size_t i = 0; i < settings.older_checkpoints.size(); ++i) {
    ++report.older_checked;
    std::string fault = older_fault(source, log_key, report.checkpoint, settings.older_checkpoints[i]);
    if (fault.empty()) continue;
    ++report.findings_count;
    if (report.findings.size() < settings.findings_max) {
      report.findings.push_back({fmt::format("older checkpoint {}", i), std::nullopt, std::move(fault)});
    }
  }
  return report;
}

base::Result<std::string> FolderLog::read_checkpoint() {
  return base::read_file(folder_ + "/checkpoint", kNoteBytesMax);
}

base::Status FolderLog::read_either(const TileId& tile, std::size_t bytes_max, std::string& out) {
  auto bytes = base::read_file(folder_ + "/" + tile_path(tile), bytes_max);
  if (!bytes && !tile.is_full()) {
    auto full = base::read_file(folder_ + "/" + tile_path(tile.full()), bytes_max);
    if (full) bytes = std::move(full);
  }
  if (!bytes) return base::fail(std::move(bytes).error());
  out = std::move(*bytes);
  return {};
}

base::Status FolderLog::read_tile(const TileId& tile, std::string& out) {
  return read_either(tile, kTileWidth * kHashBytes, out);
}

base::Status FolderLog::read_bundle(const TileId& tile, std::string& out) {
  return read_either(tile, kBundleBytesMax, out);
}

}  // namespace stillwatch::tlog
