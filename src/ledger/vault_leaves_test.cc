#include "ledger/vault_leaves.h"

#include <gtest/gtest.h>

#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

void expect_written(const Leaf& leaf) {
  std::string bytes;
  const auto written = write_leaf(leaf, bytes);
  ASSERT_TRUE(written.has_value()) << written.error().message;
  EXPECT_EQ(read_leaf(bytes).value(), leaf);
}

TEST(VaultLeaves, TheLongestTextsAndListsFit) {
  const std::string text(kWhoWhyBytesMax, '"');
  ASSERT_TRUE(is_leaf_text(text));
  ErasureResult result;
  result.time_us = test::kNow;
  result.who = result.why = text;
  result.records = 7;
  for (const std::size_t keys : {0U, 1U, 128U, 129U, 1'000U}) {
    result.keys.assign(keys, KeyId{1});
    const auto leaves = leaves_of(result);
    EXPECT_EQ(leaves.size(), std::max<std::size_t>(1, (keys + 127) / 128));
    std::size_t listed = 0, records = 0;
    for (const EraseLeaf& leaf : leaves) {
      expect_written(leaf);
      listed += leaf.keys.size();
      records += leaf.records;
    }
    EXPECT_EQ(listed, keys);
    EXPECT_EQ(records, 7U);
  }
  Access access;
  access.time_us = test::kNow;
  access.who = access.why = text;
  expect_written(leaf_of(access));
}

TEST(VaultLeaves, AHoldCoversItsLastDay) {
  HoldChange change;
  change.hold = {"h", "7", "counsel", "why", {}, test::kDay, test::kDay, test::kNow, 0, "", ""};
  const HoldLeaf leaf = leaf_of(change);
  expect_written(leaf);
  EXPECT_TRUE(leaf.is_on);
  EXPECT_EQ(leaf.from_ms, test::kNow / 1'000);
  EXPECT_EQ(*leaf.to_ms, test::kNow / 1'000 + 86'400'000 - 1);
  change.released = true;
  change.hold.released_us = test::kNow + 5'000'000;
  change.hold.released_by = "judge";
  EXPECT_FALSE(leaf_of(change).is_on);
  EXPECT_EQ(leaf_of(change).by, "judge");
  EXPECT_EQ(leaf_of(change).time_ms, test::kNow / 1'000 + 5'000);
}

TEST(VaultLeaves, WhatALeafCannotCarryIsRefusedBeforeItIsNeeded) {
  for (const std::string& bad : {std::string(), std::string(257, 'a'), std::string("a\nb"), std::string("\xFF"),
                                 std::string("a\x7F"), std::string("\xED\xA0\x80")}) {
    EXPECT_FALSE(is_leaf_text(bad));
  }
  EXPECT_TRUE(is_leaf_text("Büro für Datenschutz"));
}

}  // namespace
}  // namespace stillwatch::ledger
