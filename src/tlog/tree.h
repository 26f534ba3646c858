// The right edge of a tree: what must be kept to append to it and to know its root.
//
// Invariant: hashes() are the roots of the perfect subtrees that the entries divide into, the largest first: as many as
// `size` has bits set. Only hashes that were appended go in, so that the root is the one of RFC 6962's definition.
// Threads: a plain value. Cost: 2 KiB; an append is one node hash on average, a root at most 63.
// Spec: RFC 6962 section 2.1; the edge is the "compact range" from 0 of transparency-dev.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/assert.h"
#include "tlog/hash.h"

namespace stillwatch::tlog {

/// Sizes and indices stay below this everywhere, as other implementations hold them in a signed 64-bit number.
inline constexpr std::uint64_t kTreeSizeMax = (std::uint64_t{1} << 63) - 1;

class RightEdge {
 public:
  RightEdge() = default;
  /// Nothing unless `hashes` are as many as a tree of `size` has.
  static std::optional<RightEdge> of(std::uint64_t size, std::span<const Hash> hashes);

  std::uint64_t size() const { return size_; }
  std::span<const Hash> hashes() const { return {hashes_.data(), count_}; }
  Hash root() const;

  void append(const Hash& leaf) { append_subtree(0, leaf); }
  void append(std::span<const Hash> leaves);
  /// The root of 2^level further entries. size() must be a multiple of 2^level. `completed(level, hash)` is called for
  /// each perfect subtree that this completes, the smallest first, beginning with the one appended.
  /// Two trees are merged by appending the subtrees of SubtreeList(size(), new size) in order.
  template <class Completed>
  void append_subtree(unsigned level, Hash hash, Completed&& completed);
  void append_subtree(unsigned level, const Hash& hash) {
    append_subtree(level, hash, [](unsigned, const Hash&) {});
  }
  friend bool operator==(const RightEdge&, const RightEdge&);

 private:
  std::uint64_t size_ = 0;
  std::size_t count_ = 0;
  std::array<Hash, 64> hashes_{};
};

/// MTH of these leaf hashes (or of subtree roots of one level, when all but the last are complete).
Hash root_of(std::span<const Hash> leaves);

/// One perfect subtree: the entries [index << level, (index + 1) << level).
struct Subtree {
  unsigned level = 0;
  std::uint64_t index = 0;
  std::uint64_t begin() const { return index << level; }
  std::uint64_t end() const { return (index + 1) << level; }
  bool operator==(const Subtree&) const = default;
};

/// The perfect subtrees that [begin, end) divides into, from left to right: at most 126.
/// For begin = 0 they are the right edge of a tree of size `end`.
class SubtreeList {
 public:
  SubtreeList(std::uint64_t begin, std::uint64_t end);
  std::span<const Subtree> subtrees() const { return {subtrees_.data(), count_}; }

 private:
  std::size_t count_ = 0;
  std::array<Subtree, 126> subtrees_{};
};

template <class Completed>
void RightEdge::append_subtree(unsigned level, Hash hash, Completed&& completed) {
  STILLWATCH_ASSERT(level < 63 && size_ % (std::uint64_t{1} << level) == 0);
  STILLWATCH_ASSERT(size_ <= kTreeSizeMax - (std::uint64_t{1} << level));
  completed(level, hash);
  unsigned at = level;
  for (std::uint64_t rest = size_ >> level; rest & 1U; rest >>= 1) {
    hash = node_hash(hashes_[--count_], hash);
    completed(++at, hash);
  }
  hashes_[count_++] = hash;
  size_ += std::uint64_t{1} << level;
}

}  // namespace stillwatch::tlog
