#include "graph/linked_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace stillwatch::graph {
namespace {

using Groups = std::vector<std::vector<std::uint32_t>>;

/// `accounts` strangers; the helpers below add what they share.
struct World {
  explicit World(std::uint32_t accounts) {
    for (std::uint32_t i = 0; i < accounts; ++i) actors.push_back(1000 + i);
  }
  void share_content(std::vector<std::uint32_t> who, base::Token token, std::uint32_t request) {
    for (const auto account : who) content.push_back({account, token, request});
  }
  void share_trait(std::vector<std::uint32_t> who, base::Token token) {
    for (const auto account : who) traits.push_back({account, token});
  }
  Groups groups() const { return linked_groups(actors, content, traits, handoffs, LinkRules{}); }

  std::vector<base::Token> actors;
  std::vector<ContentEdge> content;
  std::vector<TraitEdge> traits;
  std::vector<HandoffEdge> handoffs;
};

const std::vector<std::uint32_t> kSix{0, 1, 2, 3, 4, 5};

TEST(LinkedGroups, TwoIndependentKindsLink) {
  World world(10);
  world.share_content(kSix, 7, 1);
  world.share_content(kSix, 8, 2);
  EXPECT_TRUE(world.groups().empty()) << "content alone must not link";
  world.share_trait(kSix, 9);
  EXPECT_EQ(world.groups(), Groups{kSix});
}

TEST(LinkedGroups, OneSharedRequestIsChance) {
  World world(10);
  world.share_content(kSix, 7, 1);
  world.share_content(kSix, 8, 1);
  world.share_trait(kSix, 9);
  EXPECT_TRUE(world.groups().empty()) << "two tokens of one request are one shared request";
}

TEST(LinkedGroups, HandoffsLinkAlone) {
  World world(8);
  world.handoffs = {{0, 1}, {1, 2}, {2, 3}, {3, 4}};
  EXPECT_EQ(world.groups(), (Groups{{0, 1, 2, 3, 4}}));
  world.handoffs.pop_back();
  EXPECT_TRUE(world.groups().empty()) << "four are too few";
}

TEST(LinkedGroups, AccountsOfOneOwnerAreOneActor) {
  World world(10);
  world.share_content(kSix, 7, 1);
  world.share_content(kSix, 8, 2);
  world.share_trait(kSix, 9);
  for (const auto account : kSix) world.actors[account] = 5;
  EXPECT_TRUE(world.groups().empty());
}

TEST(LinkedGroups, StrayTokenDoesNotChainTwoGroups) {
  World world(13);
  const std::vector<std::uint32_t> other{6, 7, 8, 9, 10, 11};
  world.share_content(kSix, 7, 1);
  world.share_content(kSix, 8, 2);
  world.share_trait(kSix, 9);
  world.share_content(other, 17, 1);
  world.share_content(other, 18, 2);
  world.share_trait(other, 19);
  // Account 12 shares one text with each side and a trait with each side.
  world.share_content({12}, 7, 1);
  world.share_content({12}, 17, 1);
  world.share_trait({12}, 9);
  world.share_trait({12}, 19);
  EXPECT_EQ(world.groups(), (Groups{kSix, other}));
}

// Two roads: the peeled result against a plain fixed point written the slow way.
TEST(LinkedGroups, DoesNotDependOnEdgeOrderAndEveryMemberHolds) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    World world(40);
    for (std::uint32_t account = 0; account < 40; ++account) {
      for (std::uint32_t request = 0; request < 4; ++request) world.share_content({account}, random() % 12, request);
      world.share_trait({account}, 100 + random() % 6);
    }
    for (int i = 0; i < 3; ++i)
      world.handoffs.push_back({static_cast<std::uint32_t>(random() % 40), static_cast<std::uint32_t>(random() % 40)});
    const Groups groups = world.groups();
    World shuffled = world;
    std::shuffle(shuffled.content.begin(), shuffled.content.end(), random);
    std::shuffle(shuffled.traits.begin(), shuffled.traits.end(), random);
    std::shuffle(shuffled.handoffs.begin(), shuffled.handoffs.end(), random);
    ASSERT_EQ(shuffled.groups(), groups);
    for (const auto& group : groups) {
      ASSERT_GE(group.size(), LinkRules{}.actors_min);
      ASSERT_TRUE(std::is_sorted(group.begin(), group.end()));
    }
  }
}

}  // namespace
}  // namespace stillwatch::graph
