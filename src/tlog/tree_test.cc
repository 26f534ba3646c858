#include "tlog/tree.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <string>
#include <vector>

#include "base/base64.h"
#include "tlog/tree_fixture.h"

namespace stillwatch::tlog {
namespace {

std::string hex(const Hash& hash) {
  std::string text;
  for (const std::uint8_t byte : hash) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15U];
  }
  return text;
}

TEST(Hash, KnownAnswers) {
  EXPECT_EQ(hash_text(empty_root()), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(hex(leaf_hash("")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  EXPECT_EQ(hex(leaf_hash("L123456")), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
  // The node's vector has parts that are no hashes; the same preimage by hand.
  EXPECT_EQ(hex(crypto::sha256("\x01N123N456")), "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb");
  const Hash left = leaf_hash("a"), right = leaf_hash("b");
  EXPECT_EQ(node_hash(left, right),
            crypto::sha256("\x01" + std::string(hash_bytes(left)) + std::string(hash_bytes(right))));
}

TEST(Hash, LongEntriesHashAsShortOnesDo) {
  for (const std::size_t size : {0, 1, 1022, 1023, 1024, 1025, 4096, 65'535}) {
    const std::string entry(size, 'x');
    EXPECT_EQ(leaf_hash(entry), crypto::sha256(std::string(1, '\0') + entry)) << size;
  }
}

TEST(Hash, TextIsCanonicalAndReadsBack) {
  const Hash hash = leaf_hash("x");
  EXPECT_EQ(parse_hash(hash_text(hash)), hash);
  const std::string text = hash_text(hash);
  EXPECT_FALSE(parse_hash(text.substr(0, 43)));
  EXPECT_FALSE(parse_hash(text + "\n"));
  EXPECT_FALSE(parse_hash(text.substr(0, 40)));
  std::string other = text;
  other[42] = static_cast<char>(other[42] + 1);  // sets bits that no byte takes
  EXPECT_FALSE(parse_hash(other));
  EXPECT_FALSE(parse_hash("47DEQpj8HBSa-/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
}

TEST(RightEdge, KnownRoots) {
  const std::map<std::uint64_t, const char*> roots = {
      {1, "QHZrIDNCkCb1PVRQJnmoOXBrR0H43K86i7pfQbX/4HU="},     {2, "LyelCCwdQq+kiKw1Cp/EOQwIT1T3Hs3/hZ6Y24QptHk="},
      {3, "pkvybgkSj2/i/m+LLYyAHhZrV8BHp82bK4Ceepai8cs="},     {7, "kTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0="},
      {8, "38wTubDKkyxo3j1Z6qqP4mapyAkcAwDoQF6/6w0OWDI="},     {255, "RdqfN0dI4Xo3L3HABCKxLiv5aELx9hxXQP5JTkvs/w8="},
      {256, "+F9OrTQIBxC00egIMBVDqquBqgTeuIWZNQ3Cak8vWN4="},   {257, "kYsc7GTzF8duPPVcBTaEHAOe/wZ3LruIKM58F2Aotaw="},
      {70'000, "pipUvjMpT/1aXExjf9dUYwtxqJLoNW46Zmpcin/9FRg="}};
  RightEdge edge;
  EXPECT_EQ(edge.root(), empty_root());
  std::vector<Hash> leaves;
  for (std::uint64_t i = 0; i < 70'000; ++i) {
    leaves.push_back(leaf_hash("entry-" + std::to_string(i)));
    edge.append(leaves.back());
    if (const auto known = roots.find(i + 1); known != roots.end()) {
      EXPECT_EQ(hash_text(edge.root()), known->second) << i + 1;
      EXPECT_EQ(root_of(leaves), edge.root()) << i + 1;
    }
  }
}

TEST(RightEdge, IsTheRecursiveDefinitionAtEverySize) {
  const auto leaves = test::leaves_of(600);
  RightEdge edge;
  for (std::size_t size = 0; size <= leaves.size(); ++size) {
    const std::span<const Hash> part(leaves.data(), size);
    ASSERT_EQ(edge.size(), size);
    ASSERT_EQ(edge.hashes().size(), static_cast<std::size_t>(std::popcount(size)));
    ASSERT_EQ(edge.root(), test::recursive_root(part)) << size;
    ASSERT_EQ(root_of(part), edge.root()) << size;
    if (size < leaves.size()) edge.append(leaves[size]);
  }
}

TEST(RightEdge, GoesOnFromItsParts) {
  const auto leaves = test::leaves_of(400);
  const std::span<const Hash> all(leaves);
  for (const std::size_t size : {0, 1, 2, 3, 7, 128, 255, 256, 257, 300}) {
    RightEdge edge;
    edge.append(all.first(size));
    auto again = RightEdge::of(size, edge.hashes());
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, edge);
    again->append(all.subspan(size));
    EXPECT_EQ(again->root(), root_of(all));
    EXPECT_FALSE(RightEdge::of(size == 0 ? 1 : size * 2 + 1, edge.hashes()));
  }
  EXPECT_FALSE(RightEdge::of(kTreeSizeMax + 1, std::vector<Hash>(1)));
}

TEST(RightEdge, SubtreesOfAnyCutGiveTheSameTree) {
  const auto leaves = test::leaves_of(300);
  const std::span<const Hash> all(leaves);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    RightEdge edge;
    std::uint64_t covered = 0;
    for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, cut}, {cut, all.size()}}) {
      const SubtreeList list(begin, end);
      for (const Subtree& subtree : list.subtrees()) {
        ASSERT_EQ(subtree.begin(), covered);
        covered = subtree.end();
        edge.append_subtree(subtree.level, root_of(all.subspan(subtree.begin(), subtree.end() - subtree.begin())));
      }
    }
    ASSERT_EQ(covered, all.size());
    ASSERT_EQ(edge.root(), root_of(all)) << cut;
  }
}

TEST(RightEdge, TellsEachCompletedSubtreeOnce) {
  const auto leaves = test::leaves_of(520);
  RightEdge edge;
  std::map<std::pair<unsigned, std::uint64_t>, Hash> completed;
  for (const Hash& leaf : leaves) {
    const std::uint64_t size = edge.size() + 1;
    edge.append_subtree(0, leaf, [&](unsigned level, const Hash& hash) {
      ASSERT_EQ(size % (std::uint64_t{1} << level), 0U);
      EXPECT_TRUE(completed.emplace(std::pair{level, (size >> level) - 1}, hash).second);
    });
  }
  std::size_t expected = 0;
  for (std::uint64_t size = leaves.size(); size > 0; size >>= 1) expected += size;
  EXPECT_EQ(completed.size(), expected);
  const std::span<const Hash> all(leaves);
  for (const auto& [where, hash] : completed) {
    ASSERT_EQ(hash, root_of(all.subspan(where.second << where.first, std::size_t{1} << where.first)));
  }
}

}  // namespace
}  // namespace stillwatch::tlog
