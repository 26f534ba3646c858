#include "tlog/proof.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace stillwatch::tlog {
namespace {

// Largest power of two below n; n is at least 2.
std::uint64_t split_of(std::uint64_t n) { return std::bit_floor(n - 1); }

// The root of [begin, end), a node of the tree's definition: its perfect subtrees get smaller from left to right.
base::Result<Hash> range_root(HashSource& source, std::uint64_t begin, std::uint64_t end) {
  const SubtreeList list(begin, end);
  const auto subtrees = list.subtrees();
  if (subtrees.empty()) return empty_root();
  STILLWATCH_TRY(root, source.subtree_root(subtrees.back()));
  for (std::size_t i = subtrees.size() - 1; i > 0; --i) {
    STILLWATCH_TRY(left, source.subtree_root(subtrees[i - 1]));
    root = node_hash(left, root);
  }
  return root;
}

base::Status does_not_hold(std::string_view what) {
  return base::fail(base::Fault::check, fmt::format("the proof does not hold: {}", what));
}

// The walk from a leaf, or from the last entry of an old tree, up to the root: position and last position by level.
struct Walk {
  std::uint64_t at, last;
  void up() { at >>= 1, last >>= 1; }
  bool is_right() const { return (at & 1U) != 0 || at == last; }
  // After a node that was a right child or had no right sibling: up to the next one that is a right child.
  void skip() {
    while ((at & 1U) == 0 && at != 0) up();
  }
};

}  // namespace

base::Result<Hash> tree_root(HashSource& source, std::uint64_t size) { return range_root(source, 0, size); }

base::Result<Proof> inclusion_proof(HashSource& source, std::uint64_t index, std::uint64_t size) {
  if (size > kTreeSizeMax || index >= size) {
    return base::fail(base::Fault::caller,
                      fmt::format("no entry {} in a log of {} entries; ask for a smaller index", index, size));
  }
  Proof proof;
  for (std::uint64_t begin = 0, end = size; end - begin > 1;) {
    const std::uint64_t middle = begin + split_of(end - begin);
    const bool is_left = index < middle;
    STILLWATCH_TRY(sibling, is_left ? range_root(source, middle, end) : range_root(source, begin, middle));
    proof.push_back(sibling);
    (is_left ? end : begin) = middle;
  }
  std::ranges::reverse(proof);
  return proof;
}

base::Result<Proof> consistency_proof(HashSource& source, std::uint64_t old_size, std::uint64_t new_size) {
  if (new_size > kTreeSizeMax || old_size > new_size) {
    return base::fail(base::Fault::caller, fmt::format("no consistency from {} entries to {}: ask for a smaller first "
                                                       "size",
                                                       old_size, new_size));
  }
  Proof proof;
  if (old_size == 0 || old_size == new_size) return proof;
  std::uint64_t begin = 0, end = new_size;
  while (end != old_size) {
    const std::uint64_t middle = begin + split_of(end - begin);
    const bool is_left = old_size <= middle;
    STILLWATCH_TRY(sibling, is_left ? range_root(source, middle, end) : range_root(source, begin, middle));
    proof.push_back(sibling);
    (is_left ? end : begin) = middle;
  }
  // The verifier has the old root; a smaller subtree that the old tree ends in it has not.
  if (begin != 0) {
    STILLWATCH_TRY(last, range_root(source, begin, end));
    proof.push_back(last);
  }
  std::ranges::reverse(proof);
  return proof;
}

base::Status verify_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf, std::span<const Hash> proof,
                              const Hash& root) {
  if (size > kTreeSizeMax) return does_not_hold("the size is beyond any log's");
  if (index >= size) return does_not_hold("the index is not below the size");
  Walk walk{index, size - 1};
  Hash hash = leaf;
  for (const Hash& step : proof) {
    if (walk.last == 0) return does_not_hold("it has too many hashes");
    if (walk.is_right()) {
      hash = node_hash(step, hash);
      walk.skip();
    } else {
      hash = node_hash(hash, step);
    }
    walk.up();
  }
  if (walk.last != 0) return does_not_hold("it has too few hashes");
  if (hash != root) return does_not_hold("it leads to another root");
  return {};
}

base::Status verify_consistency(std::uint64_t old_size, std::uint64_t new_size, const Hash& old_root,
                                const Hash& new_root, std::span<const Hash> proof) {
  if (new_size > kTreeSizeMax) return does_not_hold("the size is beyond any log's");
  if (old_size > new_size) return does_not_hold("the first size is above the second");
  if (old_size == 0 || old_size == new_size) {
    if (!proof.empty()) return does_not_hold("it has hashes where none are needed");
    if (old_size == 0 && old_root != empty_root()) return does_not_hold("a log without entries has another root");
    if (old_size == new_size && old_root != new_root) return does_not_hold("one size has two roots");
    return {};
  }
  if (proof.empty()) return does_not_hold("it has too few hashes");
  // When the old tree is perfect its root is the first hash, which the prover leaves out.
  const bool is_perfect = std::has_single_bit(old_size);
  Walk walk{old_size - 1, new_size - 1};
  while ((walk.at & 1U) != 0) walk.up();
  Hash from_old = is_perfect ? old_root : proof[0], from_new = from_old;
  for (const Hash& step : proof.subspan(is_perfect ? 0 : 1)) {
    if (walk.last == 0) return does_not_hold("it has too many hashes");
    if (walk.is_right()) {
      from_old = node_hash(step, from_old);
      from_new = node_hash(step, from_new);
      walk.skip();
    } else {
      from_new = node_hash(from_new, step);
    }
    walk.up();
  }
  if (walk.last != 0) return does_not_hold("it has too few hashes");
  if (from_old != old_root) return does_not_hold("it leads to another first root");
  if (from_new != new_root) return does_not_hold("it leads to another second root");
  return {};
}

}  // namespace stillwatch::tlog
