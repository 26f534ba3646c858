#include "tlog/tree.h"

#include <algorithm>
#include <bit>

namespace stillwatch::tlog {
namespace {

// Pairs, then pairs of pairs; an odd last one goes up as it is. That is the definition's split at the largest power of
// two, read from below.
constexpr std::size_t kFoldedAtOnce = 256;
Hash fold(const Hash* hashes, std::size_t count) {
  Hash level[kFoldedAtOnce / 2];
  if (count == 1) return hashes[0];
  for (std::size_t i = 0; i + 1 < count; i += 2) level[i / 2] = node_hash(hashes[i], hashes[i + 1]);
  if (count % 2 != 0) level[count / 2] = hashes[count - 1];
  for (count = (count + 1) / 2; count > 1; count = (count + 1) / 2) {
    for (std::size_t i = 0; i + 1 < count; i += 2) level[i / 2] = node_hash(level[i], level[i + 1]);
    if (count % 2 != 0) level[count / 2] = level[count - 1];
  }
  return level[0];
}

}  // namespace

std::optional<RightEdge> RightEdge::of(std::uint64_t size, std::span<const Hash> hashes) {
  if (size > kTreeSizeMax || hashes.size() != static_cast<std::size_t>(std::popcount(size))) return std::nullopt;
  RightEdge edge;
  edge.size_ = size;
  edge.count_ = hashes.size();
  std::copy(hashes.begin(), hashes.end(), edge.hashes_.begin());
  return edge;
}

Hash RightEdge::root() const {
  if (count_ == 0) return empty_root();
  Hash root = hashes_[count_ - 1];
  for (std::size_t i = count_ - 1; i > 0; --i) root = node_hash(hashes_[i - 1], root);
  return root;
}

void RightEdge::append(std::span<const Hash> leaves) {
  for (const Hash& leaf : leaves) append(leaf);
}

bool operator==(const RightEdge& left, const RightEdge& right) {
  return left.size_ == right.size_ && std::ranges::equal(left.hashes(), right.hashes());
}

Hash root_of(std::span<const Hash> leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() <= kFoldedAtOnce) return fold(leaves.data(), leaves.size());
  RightEdge edge;
  while (leaves.size() >= kFoldedAtOnce) {
    edge.append_subtree(8, fold(leaves.data(), kFoldedAtOnce));
    leaves = leaves.subspan(kFoldedAtOnce);
  }
  edge.append(leaves);
  return edge.root();
}

SubtreeList::SubtreeList(std::uint64_t begin, std::uint64_t end) {
  STILLWATCH_ASSERT(begin <= end && end <= kTreeSizeMax);
  while (begin < end) {
    const int fits = static_cast<int>(std::bit_width(end - begin)) - 1;
    const int aligned = begin == 0 ? fits : std::countr_zero(begin);
    const auto level = static_cast<unsigned>(std::min(fits, aligned));
    subtrees_[count_++] = {level, begin >> level};
    begin += std::uint64_t{1} << level;
  }
}

}  // namespace stillwatch::tlog
