// Trees for tests: leaves by number, the definition of the root as RFC 6962 writes it, and a source in memory.
//
// Invariant: nothing here uses the code under test but the hashes of a leaf and of a node.
// Threads: for tests, one. Cost: the recursive root is linear in its leaves.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tlog/hash.h"
#include "tlog/proof.h"
#include "tlog/tree.h"

namespace stillwatch::tlog::test {

inline std::vector<Hash> leaves_of(std::size_t count) {
  std::vector<Hash> leaves;
  for (std::size_t i = 0; i < count; ++i) leaves.push_back(leaf_hash("entry-" + std::to_string(i)));
  return leaves;
}

inline Hash recursive_root(std::span<const Hash> leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() == 1) return leaves[0];
  std::size_t split = 1;
  while (split * 2 < leaves.size()) split *= 2;
  return node_hash(recursive_root(leaves.first(split)), recursive_root(leaves.subspan(split)));
}

class MemorySource final : public HashSource {
 public:
  explicit MemorySource(std::span<const Hash> leaves) : leaves_(leaves) {}
  base::Result<Hash> subtree_root(const Subtree& subtree) override {
    if (subtree.end() > leaves_.size()) return base::fail(base::Fault::ours, "read beyond the tree");
    return recursive_root(leaves_.subspan(subtree.begin(), subtree.end() - subtree.begin()));
  }

 private:
  std::span<const Hash> leaves_;
};

}  // namespace stillwatch::tlog::test
