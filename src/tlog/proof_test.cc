#include "tlog/proof.h"

#include <gtest/gtest.h>

#include "tlog/tree_fixture.h"

namespace stillwatch::tlog {
namespace {

// RFC 6962 section 2.1.1 and 2.1.2, written as there: the other road to the proofs.
Proof defined_path(std::size_t index, std::span<const Hash> leaves) {
  if (leaves.size() == 1) return {};
  std::size_t split = 1;
  while (split * 2 < leaves.size()) split *= 2;
  const bool is_left = index < split;
  Proof path = is_left ? defined_path(index, leaves.first(split)) : defined_path(index - split, leaves.subspan(split));
  path.push_back(test::recursive_root(is_left ? leaves.subspan(split) : leaves.first(split)));
  return path;
}
Proof defined_subproof(std::size_t old_size, std::span<const Hash> leaves, bool is_known) {
  if (old_size == leaves.size()) return is_known ? Proof{} : Proof{test::recursive_root(leaves)};
  std::size_t split = 1;
  while (split * 2 < leaves.size()) split *= 2;
  const bool is_left = old_size <= split;
  Proof proof = is_left ? defined_subproof(old_size, leaves.first(split), is_known)
                        : defined_subproof(old_size - split, leaves.subspan(split), false);
  proof.push_back(test::recursive_root(is_left ? leaves.subspan(split) : leaves.first(split)));
  return proof;
}

// Roots of aligned subtrees, kept: all pairs of sizes ask for the same ones again and again.
class KeptSource final : public HashSource {
 public:
  explicit KeptSource(std::vector<Hash> leaves) {
    levels_.push_back(std::move(leaves));
    while (levels_.back().size() > 1) {
      std::vector<Hash> above;
      for (std::size_t i = 0; i + 1 < levels_.back().size(); i += 2) {
        above.push_back(node_hash(levels_.back()[i], levels_.back()[i + 1]));
      }
      levels_.push_back(std::move(above));
    }
  }
  base::Result<Hash> subtree_root(const Subtree& subtree) override {
    if (subtree.level >= levels_.size() || subtree.index >= levels_[subtree.level].size()) {
      return base::fail(base::Fault::ours, "read beyond the tree");
    }
    largest_end = std::max(largest_end, subtree.end());
    return levels_[subtree.level][subtree.index];
  }
  std::uint64_t largest_end = 0;

 private:
  std::vector<std::vector<Hash>> levels_;
};

constexpr std::size_t kSizes = 300;

TEST(Proof, InclusionAtEverySizeAndIndex) {
  const auto leaves = test::leaves_of(kSizes);
  KeptSource source(leaves);
  for (std::size_t size = 1; size <= kSizes; ++size) {
    const std::span<const Hash> part(leaves.data(), size);
    const Hash root = test::recursive_root(part);
    ASSERT_EQ(*tree_root(source, size), root);
    for (std::size_t index = 0; index < size; ++index) {
      const auto proof = inclusion_proof(source, index, size);
      ASSERT_TRUE(proof);
      ASSERT_TRUE(verify_inclusion(index, size, leaves[index], *proof, root)) << index << " of " << size;
      if (size % 7 == 0 || size < 40) {
        ASSERT_EQ(*proof, defined_path(index, part));
      }
      // A proof is of one entry, one index and one size.
      ASSERT_FALSE(verify_inclusion(index, size, leaves[(index + 1) % kSizes], *proof, root));
      ASSERT_FALSE(verify_inclusion((index + 1) % size, size, leaves[index], *proof, root) && size > 1);
    }
    ASSERT_LE(source.largest_end, size);
  }
}

TEST(Proof, ConsistencyOfAllPairsOfSizes) {
  const auto leaves = test::leaves_of(kSizes);
  KeptSource source(leaves);
  std::vector<Hash> roots;
  for (std::size_t size = 0; size <= kSizes; ++size) roots.push_back(*tree_root(source, size));
  for (std::size_t new_size = 0; new_size <= kSizes; ++new_size) {
    for (std::size_t old_size = 0; old_size <= new_size; ++old_size) {
      const auto proof = consistency_proof(source, old_size, new_size);
      ASSERT_TRUE(proof);
      ASSERT_TRUE(verify_consistency(old_size, new_size, roots[old_size], roots[new_size], *proof))
          << old_size << " to " << new_size;
      if (old_size > 0 && (new_size % 7 == 0 || new_size < 40)) {
        ASSERT_EQ(*proof, defined_subproof(old_size, std::span<const Hash>(leaves).first(new_size), true));
      }
      if (old_size == 0 || old_size == new_size) continue;
      ASSERT_FALSE(verify_consistency(old_size, new_size, roots[old_size - 1], roots[new_size], *proof));
      ASSERT_FALSE(verify_consistency(old_size, new_size, roots[old_size], roots[new_size - 1], *proof));
    }
  }
}

TEST(Proof, EveryChangedBitAndLengthIsRefused) {
  const auto leaves = test::leaves_of(75);
  KeptSource source(leaves);
  for (std::size_t size = 1; size <= leaves.size(); size += 1 + size / 9) {
    const Hash root = *tree_root(source, size);
    for (std::size_t at = 0; at < size; at += 1 + size / 5) {
      // The proof of the entry `at`, and of the tree of `at` entries.
      const Hash old_root = *tree_root(source, at);
      const auto holds = [&](bool is_inclusion, std::span<const Hash> proof) {
        return is_inclusion ? verify_inclusion(at, size, leaves[at], proof, root).has_value()
                            : verify_consistency(at, size, old_root, root, proof).has_value();
      };
      for (const bool is_inclusion : {true, false}) {
        Proof proof = is_inclusion ? *inclusion_proof(source, at, size) : *consistency_proof(source, at, size);
        ASSERT_TRUE(holds(is_inclusion, proof));
        for (std::size_t bit = 0; bit < 256 * proof.size(); ++bit) {
          std::uint8_t& byte = proof[bit / 256][bit % 256 / 8];
          byte = static_cast<std::uint8_t>(byte ^ 1U << bit % 8);
          ASSERT_FALSE(holds(is_inclusion, proof)) << at << " of " << size << " bit " << bit;
          byte = static_cast<std::uint8_t>(byte ^ 1U << bit % 8);
        }
        for (std::size_t length = 0; length < proof.size(); ++length) {
          ASSERT_FALSE(holds(is_inclusion, std::span<const Hash>(proof).first(length)));
        }
        for (const Hash& extra : {root, leaves[at], Hash{}}) {
          proof.push_back(extra);
          ASSERT_FALSE(holds(is_inclusion, proof));
          proof.pop_back();
          proof.insert(proof.begin(), extra);
          ASSERT_FALSE(holds(is_inclusion, proof));
          proof.erase(proof.begin());
        }
      }
    }
  }
}

TEST(Proof, EdgesOfSizes) {
  const auto leaves = test::leaves_of(3);
  KeptSource source(leaves);
  const Hash root = *tree_root(source, 3);
  EXPECT_EQ(*tree_root(source, 0), empty_root());
  EXPECT_FALSE(inclusion_proof(source, 3, 3));
  EXPECT_FALSE(inclusion_proof(source, 0, 0));
  EXPECT_FALSE(consistency_proof(source, 4, 3));
  EXPECT_FALSE(verify_inclusion(0, 0, leaves[0], {}, root));
  EXPECT_FALSE(verify_inclusion(3, 3, leaves[0], {}, root));
  EXPECT_FALSE(verify_inclusion(0, kTreeSizeMax + 1, leaves[0], {}, root));
  EXPECT_TRUE(verify_inclusion(0, 1, leaves[0], {}, leaves[0]));
  EXPECT_TRUE(verify_consistency(0, 3, empty_root(), root, {}));
  EXPECT_TRUE(verify_consistency(0, 0, empty_root(), empty_root(), {}));
  EXPECT_FALSE(verify_consistency(0, 3, root, root, {}));
  EXPECT_FALSE(verify_consistency(0, 0, root, root, {}));
  EXPECT_FALSE(verify_consistency(0, 3, empty_root(), root, {&root, 1}));
  EXPECT_TRUE(verify_consistency(3, 3, root, root, {}));
  EXPECT_FALSE(verify_consistency(3, 3, root, root, {&root, 1}));
  EXPECT_FALSE(verify_consistency(3, 3, root, leaves[0], {}));
  EXPECT_FALSE(verify_consistency(4, 3, root, root, {}));
  EXPECT_FALSE(verify_consistency(2, 3, root, root, {}));
  EXPECT_FALSE(verify_consistency(1, std::uint64_t{1} << 63, root, root, {&root, 1}));
}

TEST(Proof, TheLargestTreeNeedsNoMoreHashesThanAllowed) {
  // Equal leaves: a subtree's root depends on its level only.
  class EqualLeaves final : public HashSource {
   public:
    base::Result<Hash> subtree_root(const Subtree& subtree) override {
      while (levels_.size() <= subtree.level) levels_.push_back(node_hash(levels_.back(), levels_.back()));
      return levels_[subtree.level];
    }

   private:
    std::vector<Hash> levels_{leaf_hash("x")};
  } source;
  const Hash root = *tree_root(source, kTreeSizeMax);
  for (const std::uint64_t index : {std::uint64_t{0}, kTreeSizeMax / 3, kTreeSizeMax - 1}) {
    const auto proof = inclusion_proof(source, index, kTreeSizeMax);
    ASSERT_TRUE(proof);
    EXPECT_LE(proof->size(), kProofHashesMax - 1);
    EXPECT_TRUE(verify_inclusion(index, kTreeSizeMax, leaf_hash("x"), *proof, root));
    if (index == 0) continue;
    const auto growth = consistency_proof(source, index, kTreeSizeMax);
    ASSERT_TRUE(growth);
    EXPECT_LE(growth->size(), kProofHashesMax);
    EXPECT_TRUE(verify_consistency(index, kTreeSizeMax, *tree_root(source, index), root, *growth));
  }
}

TEST(Proof, AFailingSourceIsPassedOn) {
  class Broken final : public HashSource {
   public:
    base::Result<Hash> subtree_root(const Subtree&) override {
      return base::fail(base::Fault::environment, "disk gone");
    }
  } source;
  EXPECT_EQ(tree_root(source, 5).error().message, "disk gone");
  EXPECT_EQ(inclusion_proof(source, 1, 5).error().message, "disk gone");
  EXPECT_EQ(consistency_proof(source, 1, 5).error().message, "disk gone");
}

}  // namespace
}  // namespace stillwatch::tlog
