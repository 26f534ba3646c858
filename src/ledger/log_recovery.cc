#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "ledger/entry_scan.h"
#include "ledger/log_store_impl.h"
#include "ledger/segment_tiles.h"
#include "tlog/checkpoint.h"
#include "tlog/proof.h"

// What a start and a reopen() do. Nothing is believed that was not committed; what is committed and can be made again
// from the entries is made again; what cannot is an error that says where.
namespace stillwatch::ledger {
namespace {

using base::Fault;

tl::unexpected<base::Error> damaged(std::string message) {
  return base::fail(Fault::environment, std::move(message) + "; run `ledger fsck`, and restore from a copy");
}

// "hashes-000012" -> {"hashes", 12}. Nothing for other names.
std::optional<std::pair<std::string, std::uint64_t>> numbered_file(const std::string& name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string::npos) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = name.data() + name.size();
  const auto [read, code] = std::from_chars(name.data() + dash + 1, end, number);
  if (code != std::errc{} || read != end) return std::nullopt;
  return std::pair(name.substr(0, dash), number);
}

}  // namespace

base::Status LogStore::Impl::recover() {
  is_broken = true;
  close_segment();
  STILLWATCH_TRY(state_text, base::read_file(files.state(), kSmallFileMax));
  STILLWATCH_TRY(read_state, parse_state(state_text, files.state()));
  state = read_state;
  STILLWATCH_TRY(pruned_text, read_if_there(files.pruned(), kSmallFileMax));
  index_min = 0;
  if (pruned_text) {
    STILLWATCH_TRY(pruned, parse_pruned(*pruned_text, files.pruned()));
    index_min = pruned;
  }
  STILLWATCH_CHECK(read_signed());  // before anything is cut: an old state must not cut what was signed
  STILLWATCH_CHECK(recover_segment());
  STILLWATCH_CHECK(remove_beyond());
  STILLWATCH_CHECK(check_signed_root());
  STILLWATCH_CHECK(publish_checkpoint());
  // A rename that was seen but not synced before counts from here on.
  ++counters.syncs;
  STILLWATCH_CHECK(sync_folder(files.folder));
  is_broken = false;
  return {};
}

base::Status LogStore::Impl::read_signed() {
  const tlog::VerifierKey& key = signer.verifier_key();
  STILLWATCH_TRY(last, read_if_there(signed_path, kSmallFileMax));
  signed_note = last.value_or("");
  signed_size = 0;
  STILLWATCH_TRY(published, read_if_there(files.checkpoint(), kSmallFileMax));
  const auto shown = published ? tlog::open_checkpoint(*published, key) : base::Result<tlog::Checkpoint>{};
  if (last) {
    const auto opened = tlog::open_checkpoint(*last, key);
    if (!opened) return damaged(fmt::format("{} is not signed by the log's key", signed_path));
    signed_size = opened->size;
  } else if (published) {
    return base::fail(
        Fault::environment,
        fmt::format("{} is missing, though the log has a signed checkpoint; mount or restore what holds it",
                    signed_path));
  }
  const std::uint64_t size_max = std::max(signed_size, published && shown ? shown->size : 0);
  if (signed_size < size_max) {
    return base::fail(
        Fault::environment,
        fmt::format("{} is of size {}, older than the published checkpoint of size {}; restore the newest", signed_path,
                    signed_size, size_max));
  }
  if (state.size() >= signed_size) return {};
  return base::fail(
      Fault::environment,
      fmt::format(
          "{} is of size {}, older than the last signed checkpoint of size {}: it was rolled back, and going on "
          "would show two histories; restore the newest copy, or close this log and open a new one",
          files.state(), state.size(), signed_size));
}

base::Status LogStore::Impl::check_signed_root() {
  if (signed_note.empty()) return {};
  STILLWATCH_TRY(signed_checkpoint, tlog::open_checkpoint(signed_note, signer.verifier_key()));
  SegmentTiles tiles(files.folder);
  tlog::TileHashSource source(tiles, signed_size);
  STILLWATCH_TRY(root, tlog::tree_root(source, signed_size));
  if (root == signed_checkpoint.root) return {};
  return damaged(fmt::format("the first {} entries in {} are not those that {} was signed for", signed_size,
                             files.folder, signed_path));
}

// The last segment again from its entries: they must give the committed root. Hashes and index may not have reached the
// disk; they are written again where they differ. What is behind the committed entries is cut off.
base::Status LogStore::Impl::recover_segment() {
  const std::uint64_t segment = state.segment(), count = state.in_segment();
  if (count == 0 || index_min == state.size()) return recover_levels("");
  const auto whole_before = static_cast<std::size_t>(std::popcount(segment));
  auto edge = tlog::RightEdge::of(segment * kSegmentEntries, state.edge.hashes().first(whole_before));
  if (!edge) return base::fail(Fault::ours, "a right edge does not match its size");
  if (!file_exists(files.entries(segment))) return damaged(files.entries(segment) + " is missing");
  STILLWATCH_CHECK(open_segment(segment));
  STILLWATCH_TRY(file_bytes, entries_.size());
  std::string leaf_hashes, level_one, ends;
  std::vector<std::uint64_t> offsets;
  std::uint64_t read = 0;
  STILLWATCH_TRY(end, scan_entries(entries_, state.segment_bytes, [&](std::uint64_t offset, std::string_view entry) {
                   if (read++ >= count) return;
                   offsets.push_back(offset);
                   edge->append_subtree(0, tlog::leaf_hash(entry), [&](unsigned level, const tlog::Hash& hash) {
                     if (level == 0) leaf_hashes += tlog::hash_bytes(hash);
                     if (level == tlog::kTileHeight) level_one += tlog::hash_bytes(hash);
                   });
                   if (read % tlog::kTileWidth == 0) append_end(ends, offset + tlog::kEntryLengthBytes + entry.size());
                 }));
  if (file_bytes < state.segment_bytes) {
    return damaged(
        fmt::format("{} ends at byte {}; {} are committed", entries_.path(), file_bytes, state.segment_bytes));
  }
  if (end != state.segment_bytes || read != count || !(*edge == state.edge)) {
    // The hashes that were written beside the entries tell which entry is not what it was.
    std::string stored;
    STILLWATCH_CHECK(hashes_.read_at(0, leaf_hashes.size(), stored));
    std::size_t same = 0;
    while (same < offsets.size() && (same + 1) * tlog::kHashBytes <= stored.size() &&
           tlog::hash_at(stored, same) == tlog::hash_at(leaf_hashes, same))
      ++same;
    const std::uint64_t at = same < offsets.size() ? offsets[same] : end;
    return damaged(fmt::format("{} is damaged within what is committed, near byte {} (entry {})", entries_.path(), at,
                               segment * kSegmentEntries + same));
  }
  if (file_bytes > state.segment_bytes) {
    counters.tail_bytes_cut += file_bytes - state.segment_bytes;
    STILLWATCH_CHECK(entries_.truncate(state.segment_bytes));
  }
  STILLWATCH_CHECK(rewrite_tail(hashes_, 0, leaf_hashes));
  STILLWATCH_CHECK(rewrite_tail(index_, 0, ends));
  return recover_levels(level_one);
}

// `level_one`: of the last segment, made again. Levels above and segments before are on the disk since they were full.
base::Status LogStore::Impl::recover_levels(std::string_view level_one) {
  for (unsigned level = 1; level < tlog::kTileLevels; ++level) {
    const std::uint64_t bytes = tlog::hashes_at_level(level, state.size()) * tlog::kHashBytes;
    if (bytes == 0 && !file_exists(files.level(level))) continue;
    STILLWATCH_TRY(file, DiskFile::open(files.level(level), DiskFile::Use::write));
    const std::string_view again = level == 1 ? level_one : std::string_view();
    STILLWATCH_TRY(size, file.size());
    if (size < bytes - again.size())
      return damaged(fmt::format("{} ends at byte {}; {} are committed", file.path(), size, bytes));
    STILLWATCH_CHECK(rewrite_tail(file, bytes - again.size(), again));
    if (bytes > 0) levels_[level] = std::move(file);
  }
  return {};
}

// The file from `offset` on is then exactly `bytes`.
base::Status LogStore::Impl::rewrite_tail(DiskFile& file, std::uint64_t offset, std::string_view bytes) {
  std::string stored;
  STILLWATCH_CHECK(file.read_at(offset, bytes.size() + 1, stored));
  if (stored == bytes) return {};
  STILLWATCH_CHECK(file.write_at(offset, bytes));
  return file.truncate(offset + bytes.size());
}

// Segments behind the committed size (of a batch that was not), and those that are pruned.
base::Status LogStore::Impl::remove_beyond() {
  const std::uint64_t segments = (state.size() + kSegmentEntries - 1) / kSegmentEntries;
  const std::uint64_t kept_from = (index_min + kSegmentEntries - 1) / kSegmentEntries;
  std::error_code code;
  std::vector<std::string> remove;
  for (const auto& entry : std::filesystem::directory_iterator(files.folder, code)) {
    const auto file = numbered_file(entry.path().filename().string());
    if (!file || (file->first != "entries" && file->first != "hashes" && file->first != "index")) continue;
    const bool is_beyond = file->second >= segments, is_pruned = file->second < kept_from && file->first != "hashes";
    if (!is_beyond && !is_pruned) continue;
    std::error_code no_size;
    const auto bytes = std::filesystem::file_size(entry.path(), no_size);
    if (is_beyond && file->first == "entries" && !no_size) counters.tail_bytes_cut += bytes;
    remove.push_back(entry.path().string());
  }
  if (code) return base::fail(call_error("list", files.folder, code.value()));
  if (remove.empty()) return {};
  close_segment();
  for (const std::string& path : remove) STILLWATCH_CHECK(remove_file(path));
  ++counters.syncs;
  return sync_folder(files.folder);
}

base::Status LogStore::Impl::publish_checkpoint() {
  if (signed_note.empty()) return {};
  STILLWATCH_TRY(published, read_if_there(files.checkpoint(), kSmallFileMax));
  if (published == signed_note) return {};
  return replace(files.checkpoint(), signed_note, false);
}

}  // namespace stillwatch::ledger
