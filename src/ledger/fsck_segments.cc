#include "ledger/fsck_segments.h"

#include <fmt/format.h>

#include <algorithm>

#include "tlog/bundle.h"

namespace stillwatch::ledger {
namespace {

std::vector<tlog::Hash> hashes_of(std::string_view bytes) {
  std::vector<tlog::Hash> hashes(bytes.size() / tlog::kHashBytes);
  for (std::size_t i = 0; i < hashes.size(); ++i) hashes[i] = tlog::hash_at(bytes, i);
  return hashes;
}

std::size_t first_difference(std::span<const tlog::Hash> left, std::span<const tlog::Hash> right) {
  std::size_t at = 0;
  while (at < left.size() && at < right.size() && left[at] == right[at]) ++at;
  return at;
}

}  // namespace

void SegmentCheck::run(std::uint64_t size, std::uint64_t index_min, const LogState* state,
                       const tlog::Checkpoint* last) {
  size_ = size;
  index_min_ = std::min(index_min, size);
  state_ = state;
  if (last != nullptr && last->size <= size) signed_size_ = last->size;
  if (signed_size_ == 0) root_at_signed_ = tlog::empty_root();
  for (unsigned level = 1; level < tlog::kTileLevels; ++level) {
    const std::uint64_t bytes = tlog::hashes_at_level(level, size) * tlog::kHashBytes;
    if (bytes > 0) levels_[level] = read_whole(files_.level(level), bytes, false).value_or("");
  }
  for (std::uint64_t segment = 0; segment * kSegmentEntries < size; ++segment)
    check_segment(segment, std::min(kSegmentEntries, size - segment * kSegmentEntries));
  check_roots(state, last);
}

// The first `bytes` of a file; what is missing at its end is a finding, and zeros in the answer.
std::optional<std::string> SegmentCheck::read_whole(const std::string& path, std::uint64_t bytes, bool exact) {
  auto file = DiskFile::open(path, DiskFile::Use::read);
  std::string out;
  base::Status status;
  if (!file) {
    findings_.add(path, 0, {}, file_exists(path) ? file.error().message : "is missing");
    return std::nullopt;
  }
  status = file->read_at(0, bytes, out);
  if (!status) {
    findings_.add(path, 0, {}, status.error().message);
    return std::nullopt;
  }
  findings_.bytes_checked += out.size();
  if (out.size() < bytes) findings_.add(path, out.size(), {}, fmt::format("ends here; {} bytes are committed", bytes));
  if (const auto size = file->size(); exact && size && *size > bytes)
    findings_.add(path, bytes, {}, "has bytes behind its last entry");
  return out;
}

void SegmentCheck::check_segment(std::uint64_t segment, std::uint64_t count) {
  const bool is_full = count == kSegmentEntries, is_pruned = segment * kSegmentEntries < index_min_;
  std::string stored = read_whole(files_.hashes(segment), count * tlog::kHashBytes, is_full).value_or("");
  stored.resize(count * tlog::kHashBytes);
  DiskFile entries;
  std::string ends;
  if (!is_pruned) {
    ends = read_whole(files_.index(segment), count / tlog::kTileWidth * kIndexBytes, is_full).value_or("");
    auto file = DiskFile::open(files_.entries(segment), DiskFile::Use::read);
    if (file) {
      entries = std::move(*file);
    } else {
      findings_.add(files_.entries(segment), 0, segment * kSegmentEntries,
                    file_exists(files_.entries(segment)) ? file.error().message : "is missing");
    }
  }
  ends.resize(count / tlog::kTileWidth * kIndexBytes);
  cursor_ = 0;
  for (std::uint64_t at = 0; at < count; at += tlog::kTileWidth) {
    const auto width = static_cast<std::size_t>(std::min<std::uint64_t>(tlog::kTileWidth, count - at));
    check_bundle(segment * kSegmentEntries + at, width, entries,
                 std::string_view(stored).substr(at * tlog::kHashBytes, width * tlog::kHashBytes), ends);
    if (options_.progress) options_.progress(edge_.size(), size_);
  }
  const auto bytes = entries.is_open() ? entries.size() : base::Result<std::uint64_t>(cursor_);
  if (bytes && *bytes > cursor_ && is_full)
    findings_.add(entries.path(), cursor_, {}, "has bytes behind its last entry");
  if (bytes && *bytes > cursor_ && !is_full) tail_bytes_ += *bytes - cursor_;
}

SegmentCheck::Bundle SegmentCheck::read_entries(const DiskFile& file, std::uint64_t begin, std::size_t count) const {
  Bundle bundle;
  bundle.end = begin;
  std::string bytes;
  for (std::size_t block = 1U << 18; bundle.leaves.size() < count; block = tlog::kBundleBytesMax) {
    bundle = {};
    if (!file.is_open() || !file.read_at(begin, block, bytes)) bytes.clear();
    tlog::EntryReader reader(bytes);
    std::string_view entry;
    while (bundle.leaves.size() < count) {
      const std::size_t at = reader.offset();
      if (!reader.next(entry)) break;
      bundle.offsets.push_back(begin + at);
      if (options_.check_leaves && !bundle.no_leaf && !read_leaf(entry)) bundle.no_leaf = bundle.leaves.size();
      bundle.leaves.push_back(tlog::leaf_hash(entry));
    }
    bundle.end = begin + reader.offset();
    if (block == tlog::kBundleBytesMax || bytes.size() < block) break;
  }
  return bundle;
}

// Whether these are the hashes that the level above, or the right edge, was made of.
bool SegmentCheck::is_expected(std::uint64_t first, std::span<const tlog::Hash> leaves) const {
  if (leaves.size() == tlog::kTileWidth) {
    const std::size_t number = first / tlog::kTileWidth;
    return (number + 1) * tlog::kHashBytes <= levels_[1].size() &&
           tlog::root_of(leaves) == tlog::hash_at(levels_[1], number);
  }
  if (state_ == nullptr || first + leaves.size() != size_) return false;
  tlog::RightEdge edge;
  edge.append(leaves);
  const auto all = state_->edge.hashes();
  const auto tail = all.last(edge.hashes().size());
  return std::equal(tail.begin(), tail.end(), edge.hashes().begin());
}

void SegmentCheck::check_bundle(std::uint64_t first, std::size_t count, const DiskFile& entries,
                                std::string_view stored_bytes, std::string_view ends) {
  const std::vector<tlog::Hash> stored = hashes_of(stored_bytes);
  const std::uint64_t segment = first / kSegmentEntries, in_segment = first % kSegmentEntries;
  if (first < index_min_) return accept(stored);
  const Bundle read = read_entries(entries, cursor_, count);
  entries_checked_ += read.leaves.size();
  findings_.bytes_checked += read.end - cursor_;
  const std::size_t same = first_difference(read.leaves, stored);
  const bool is_whole = read.leaves.size() == count;
  const bool entries_hold = is_whole && (same == count || is_expected(first, read.leaves));
  if (same < count) {
    const bool hashes_hold = is_expected(first, stored);
    const std::uint64_t offset = same < read.offsets.size() ? read.offsets[same] : read.end;
    if (entries.is_open() && (!entries_hold || hashes_hold))
      findings_.add(entries.path(), offset, first + same, "the entry is not the one that was committed");
    if (entries_hold || (!hashes_hold && is_whole))
      findings_.add(files_.hashes(segment), (in_segment + same) * tlog::kHashBytes, first + same,
                    "is not the hash of the entry");
  } else if (read.no_leaf) {
    findings_.add(entries.path(), read.offsets[*read.no_leaf], first + *read.no_leaf, "the entry is no leaf");
  }
  // Damaged entries may have lost their lengths: the index says where the next bundle begins.
  const bool has_end = count == tlog::kTileWidth;
  const std::uint64_t end = has_end ? end_at(ends, in_segment / tlog::kTileWidth) : read.end;
  if (entries_hold && has_end && end != read.end)
    findings_.add(files_.index(segment), in_segment / tlog::kTileWidth * kIndexBytes, first,
                  "is not where the bundle ends");
  cursor_ = entries_hold || end < cursor_ ? read.end : end;
  accept(entries_hold ? std::span<const tlog::Hash>(read.leaves) : stored);
}

void SegmentCheck::accept(std::span<const tlog::Hash> leaves) {
  const std::uint64_t before = edge_.size();
  if (signed_size_ && *signed_size_ > before && *signed_size_ <= before + leaves.size()) {
    tlog::RightEdge at_signed = edge_;
    at_signed.append(leaves.first(*signed_size_ - before));
    root_at_signed_ = at_signed.root();
  }
  if (leaves.size() < tlog::kTileWidth) return edge_.append(leaves);
  edge_.append_subtree(tlog::kTileHeight, tlog::root_of(leaves), [this](unsigned level, const tlog::Hash& hash) {
    if (level % tlog::kTileHeight == 0) completed(level / tlog::kTileHeight, hash);
  });
}

void SegmentCheck::completed(unsigned level, const tlog::Hash& hash) {
  const std::uint64_t number = level_counts_[level]++;
  const std::string& stored = levels_[level];
  if ((number + 1) * tlog::kHashBytes > stored.size()) return;  // said when it was read
  if (tlog::hash_at(stored, number) == hash) return;
  findings_.add(files_.level(level), number * tlog::kHashBytes, {}, "is not the root of the tile below");
}

void SegmentCheck::check_roots(const LogState* state, const tlog::Checkpoint* last) {
  // Where a damaged file was found already, these only follow from it.
  if (state != nullptr && !(edge_ == state->edge))
    findings_.add(files_.state(), 0, {}, "the entries and hashes do not give the committed root");
  if (state != nullptr && state->in_segment() > 0 && index_min_ < size_ && cursor_ != state->segment_bytes)
    findings_.add(files_.state(), 0, {}, "does not say where the last entry ends");
  if (last != nullptr && root_at_signed_ && *root_at_signed_ != last->root)
    findings_.add(files_.checkpoint(), 0, {},
                  fmt::format("the first {} entries and hashes do not give the signed root", last->size));
}

}  // namespace stillwatch::ledger
