#include "ledger/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/files.h"
#include "ledger/disk_file.h"
#include "ledger/log_files.h"
#include "ledger/segment_tiles.h"
#include "tlog/bundle.h"
#include "tlog/checkpoint.h"
#include "tlog/proof.h"
#include "tlog/tree.h"

namespace stillwatch::ledger {

using base::Fault;
using tlog::TileId;

struct LogReader::Impl {
  explicit Impl(std::string folder) : tiles(std::move(folder)) {}

  base::Status refresh();
  base::Status bundle(std::uint64_t number, std::string& out, std::vector<std::string_view>& entries) const;
  base::Status check_size(std::uint64_t tree_size) const;
  base::Result<Hash32> root(tlog::HashSource& source, std::uint64_t tree_size) const;
  base::Error damaged(const base::Error& error) const {
    return {Fault::environment,
            fmt::format("a proof from {} does not hold ({}); run `ledger fsck`", tiles.files().folder, error.message)};
  }

  SegmentTiles tiles;
  tlog::VerifierKey key;
  std::string vkey, note;
  tlog::Checkpoint checkpoint;
  std::uint64_t index_min = 0;
};

base::Status LogReader::Impl::refresh() {
  const LogFiles& files = tiles.files();
  STILLWATCH_TRY(bytes, base::read_file(files.checkpoint(), kSmallFileMax));
  if (bytes != note) {
    STILLWATCH_TRY(opened, tlog::open_checkpoint(bytes, key));
    if (opened.size < checkpoint.size) {
      return base::fail(Fault::environment, fmt::format("{} went back from size {} to {}: the log was rolled back",
                                                        files.checkpoint(), checkpoint.size, opened.size));
    }
    checkpoint = std::move(opened);
    note = std::move(bytes);
  }
  STILLWATCH_TRY(pruned, read_if_there(files.pruned(), kSmallFileMax));
  if (!pruned) return {};
  STILLWATCH_TRY(minimum, parse_pruned(*pruned, files.pruned()));
  index_min = minimum;
  return {};
}

base::Status LogReader::Impl::bundle(std::uint64_t number, std::string& out,
                                     std::vector<std::string_view>& entries) const {
  const auto tile = tlog::tile_at(TileId::Kind::entries, 0, number, checkpoint.size);
  if (!tile) return base::fail(Fault::input, fmt::format("the log has {} entries", checkpoint.size));
  if (number * tlog::kTileWidth < index_min)
    return base::fail(Fault::input, fmt::format("entries before {} are deleted; their hashes are not", index_min));
  STILLWATCH_CHECK(tiles.read(*tile, out));
  STILLWATCH_TRY(views, tlog::read_bundle(out, tile->width, true));
  entries = std::move(views);
  return {};
}

base::Status LogReader::Impl::check_size(std::uint64_t tree_size) const {
  if (tree_size <= checkpoint.size) return {};
  return base::fail(Fault::input,
                    fmt::format("the log's checkpoint is of size {}, not yet {}", checkpoint.size, tree_size));
}

/// Of an older size: what the tiles say, and only when the checkpoint's tree continues it.
base::Result<Hash32> LogReader::Impl::root(tlog::HashSource& source, std::uint64_t tree_size) const {
  if (tree_size == checkpoint.size) return checkpoint.root;
  STILLWATCH_TRY(root, tlog::tree_root(source, tree_size));
  STILLWATCH_TRY(proof, tlog::consistency_proof(source, tree_size, checkpoint.size));
  const base::Status holds = tlog::verify_consistency(tree_size, checkpoint.size, root, checkpoint.root, proof);
  if (!holds) return base::fail(damaged(holds.error()));
  return root;
}

LogReader::LogReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogReader::LogReader(LogReader&&) noexcept = default;
LogReader& LogReader::operator=(LogReader&&) noexcept = default;
LogReader::~LogReader() = default;

base::Result<LogReader> LogReader::open(const std::string& folder) {
  auto impl = std::make_unique<Impl>(folder);
  STILLWATCH_TRY(text, base::read_file(impl->tiles.files().key(), kSmallFileMax));
  STILLWATCH_TRY(key, tlog::VerifierKey::parse(std::string_view(text).substr(0, text.find('\n'))));
  impl->vkey = key.text();
  impl->key = std::move(key);
  STILLWATCH_CHECK(impl->refresh());
  return LogReader(std::move(impl));
}

base::Status LogReader::refresh() { return impl_->refresh(); }
const std::string& LogReader::folder() const { return impl_->tiles.files().folder; }
const std::string& LogReader::origin() const { return impl_->key.name; }
const std::string& LogReader::vkey() const { return impl_->vkey; }
const std::string& LogReader::checkpoint() const { return impl_->note; }
std::uint64_t LogReader::size() const { return impl_->checkpoint.size; }
Hash32 LogReader::root() const { return impl_->checkpoint.root; }
std::uint64_t LogReader::index_min() const { return impl_->index_min; }

base::Result<std::string> LogReader::resource(std::string_view path) const {
  if (path == "checkpoint") return impl_->note;
  const auto tile = tlog::parse_tile_path(path);
  if (!tile) return base::fail(Fault::input, "not a path of a tile, a bundle or a checkpoint");
  if (tile->index * tlog::kTileWidth + tile->width > tlog::hashes_at_level(tile->level, size()))
    return base::fail(Fault::input, fmt::format("beyond the checkpoint of size {}", size()));
  if (tile->kind == TileId::Kind::entries && tile->index * tlog::kTileWidth < index_min())
    return base::fail(Fault::input, fmt::format("entries before {} are deleted", index_min()));
  std::string bytes;
  STILLWATCH_CHECK(impl_->tiles.read(*tile, bytes));
  return bytes;
}

base::Result<std::string> LogReader::entry(std::uint64_t index) const {
  std::string bytes;
  std::vector<std::string_view> entries;
  STILLWATCH_CHECK(impl_->bundle(index / tlog::kTileWidth, bytes, entries));
  const std::uint64_t at = index % tlog::kTileWidth;
  if (at >= entries.size()) return base::fail(Fault::input, fmt::format("the log has {} entries", size()));
  return std::string(entries[at]);
}

base::Status LogReader::scan(std::uint64_t from, std::uint64_t to,
                             const std::function<bool(std::uint64_t, std::string_view)>& visit) const {
  std::string bytes;
  std::vector<std::string_view> entries;
  to = std::min(to, size());
  for (std::uint64_t index = from; index < to;) {
    const std::uint64_t first = index / tlog::kTileWidth * tlog::kTileWidth;
    STILLWATCH_CHECK(impl_->bundle(first / tlog::kTileWidth, bytes, entries));
    for (; index < std::min(to, first + entries.size()); ++index) {
      if (!visit(index, entries[index - first])) return {};
    }
  }
  return {};
}

base::Status LogReader::scan_proven(std::uint64_t from, std::uint64_t to,
                                    const std::function<bool(std::uint64_t, std::string_view)>& visit) const {
  to = std::min(to, size());
  if (from >= to) return {};
  SegmentTiles tiles = impl_->tiles;
  tlog::TileHashSource source(tiles, size());
  tlog::RightEdge edge;
  const tlog::SubtreeList before(0, from);
  for (const tlog::Subtree& subtree : before.subtrees()) {
    STILLWATCH_TRY(hash, source.subtree_root(subtree));
    edge.append_subtree(subtree.level, hash);
  }
  bool goes_on = true;
  STILLWATCH_CHECK(scan(from, to, [&](std::uint64_t index, std::string_view entry) {
    edge.append(tlog::leaf_hash(entry));
    goes_on = goes_on && visit(index, entry);
    return true;
  }));
  STILLWATCH_TRY(proof, tlog::consistency_proof(source, to, size()));
  if (tlog::verify_consistency(to, size(), edge.root(), root(), proof)) return {};
  return base::fail(Fault::environment,
                    fmt::format("entries {} to {} in {} are not those that its checkpoint covers; run `ledger fsck`",
                                from, to - 1, folder()));
}

base::Result<std::optional<std::uint64_t>> LogReader::find(const Id16& id) const {
  const std::string wanted = "\"id\":\"" + base64url(id) + "\"";
  std::string bytes;
  std::vector<std::string_view> entries;
  const std::uint64_t bundles = (size() + tlog::kTileWidth - 1) / tlog::kTileWidth;
  for (std::uint64_t number = bundles; number-- > index_min() / tlog::kTileWidth;) {
    if (number * tlog::kTileWidth < index_min()) break;
    STILLWATCH_CHECK(impl_->bundle(number, bytes, entries));
    if (bytes.find(wanted) == std::string::npos) continue;
    for (std::size_t at = entries.size(); at-- > 0;) {
      if (entries[at].find(wanted) == std::string_view::npos) continue;
      // The text may stand in another field; access leaves name the ids of others.
      const auto leaf = read_leaf(entries[at]);
      if (!leaf) continue;
      const auto* query = std::get_if<QueryLeaf>(&*leaf);
      const auto* decision = std::get_if<DecisionLeaf>(&*leaf);
      if ((query != nullptr && query->id == id) || (decision != nullptr && decision->id == id))
        return std::optional(number * tlog::kTileWidth + at);
    }
  }
  return std::optional<std::uint64_t>();
}

base::Result<std::vector<Hash32>> LogReader::inclusion_proof(std::uint64_t index, std::uint64_t tree_size) const {
  if (tree_size == 0) tree_size = size();
  STILLWATCH_CHECK(impl_->check_size(tree_size));
  SegmentTiles tiles = impl_->tiles;
  tlog::TileHashSource source(tiles, size());
  STILLWATCH_TRY(proof, tlog::inclusion_proof(source, index, tree_size));
  STILLWATCH_TRY(leaf, source.subtree_root(tlog::Subtree{0, index}));
  STILLWATCH_TRY(root, impl_->root(source, tree_size));
  const base::Status holds = tlog::verify_inclusion(index, tree_size, leaf, proof, root);
  if (!holds) return base::fail(impl_->damaged(holds.error()));
  return proof;
}

base::Result<ProvenEntry> LogReader::proven_entry(std::uint64_t index, std::uint64_t tree_size) const {
  if (tree_size == 0) tree_size = size();
  STILLWATCH_TRY(proof, inclusion_proof(index, tree_size));
  STILLWATCH_TRY(bytes, entry(index));
  STILLWATCH_TRY(root, root_at(tree_size));
  const base::Status holds = tlog::verify_inclusion(index, tree_size, tlog::leaf_hash(bytes), proof, root);
  if (!holds) return base::fail(impl_->damaged(holds.error()));
  return ProvenEntry{std::move(bytes), std::move(proof)};
}

base::Result<std::vector<Hash32>> LogReader::consistency_proof(std::uint64_t old_size, std::uint64_t tree_size) const {
  if (tree_size == 0) tree_size = size();
  STILLWATCH_CHECK(impl_->check_size(tree_size));
  SegmentTiles tiles = impl_->tiles;
  tlog::TileHashSource source(tiles, size());
  STILLWATCH_TRY(proof, tlog::consistency_proof(source, old_size, tree_size));
  STILLWATCH_TRY(old_root, impl_->root(source, old_size));
  STILLWATCH_TRY(root, impl_->root(source, tree_size));
  const base::Status holds = tlog::verify_consistency(old_size, tree_size, old_root, root, proof);
  if (!holds) return base::fail(impl_->damaged(holds.error()));
  return proof;
}

base::Result<Hash32> LogReader::root_at(std::uint64_t tree_size) const {
  STILLWATCH_CHECK(impl_->check_size(tree_size));
  SegmentTiles tiles = impl_->tiles;
  tlog::TileHashSource source(tiles, size());
  return impl_->root(source, tree_size);
}

}  // namespace stillwatch::ledger
