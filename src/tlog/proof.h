// Inclusion and consistency proofs: made from subtree roots, and verified.
//
// Invariant: a proof that verifies shows that the entry is in the tree of that root at that index, or that the first
// `old_size` entries of both trees are the same. Nothing is read beyond the sizes given.
// Threads: pure; a source has its own rule. Cost: at most 2 log2(size) node hashes; making one asks for as many
// subtrees. Spec: RFC 9162 sections 2.1.3 and 2.1.4.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "tlog/hash.h"
#include "tlog/tree.h"

namespace stillwatch::tlog {

/// Hashes from the leaf upwards. At most 63 for inclusion, 64 for consistency.
using Proof = std::vector<Hash>;
inline constexpr std::size_t kProofHashesMax = 64;

/// Where proofs get their hashes: tiles, a file, memory.
class HashSource {
 public:
  virtual ~HashSource() = default;
  /// The root of a perfect subtree that lies within the tree.
  virtual base::Result<Hash> subtree_root(const Subtree& subtree) = 0;
};

/// The root of the first `size` entries.
base::Result<Hash> tree_root(HashSource& source, std::uint64_t size);
/// index < size, else an error of the caller.
base::Result<Proof> inclusion_proof(HashSource& source, std::uint64_t index, std::uint64_t size);
/// old_size <= new_size, else an error of the caller. Empty when they are equal or old_size is 0.
base::Result<Proof> consistency_proof(HashSource& source, std::uint64_t old_size, std::uint64_t new_size);

/// Fault::check, with the reason, when the proof does not hold.
base::Status verify_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf, std::span<const Hash> proof,
                              const Hash& root);
/// old_size 0: the proof must be empty, and old_root must be the root of nothing. Equal sizes: empty, and equal roots.
base::Status verify_consistency(std::uint64_t old_size, std::uint64_t new_size, const Hash& old_root,
                                const Hash& new_root, std::span<const Hash> proof);

}  // namespace stillwatch::tlog
