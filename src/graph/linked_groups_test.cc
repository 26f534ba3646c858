#include "graph/linked_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
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
  void share_trait(std::vector<std::uint32_t> who, base::Token token, bool can_part = true, bool unseen = false) {
    for (const auto account : who) traits.push_back({account, token, can_part, unseen});
  }
  Groups groups() const { return linked_groups(actors, content, traits, handoffs, LinkRules{}, parts); }

  std::vector<base::Token> actors;
  std::vector<ContentEdge> content;
  std::vector<TraitEdge> traits;
  std::vector<HandoffEdge> handoffs;
  std::vector<std::uint32_t> parts;
};

std::vector<std::uint32_t> range(std::uint32_t first, std::uint32_t end) {
  std::vector<std::uint32_t> all(end - first);
  std::iota(all.begin(), all.end(), first);
  return all;
}

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

/// A campaign of twelve on tokens 1 to 4, and a class of five on 51 to 53, three of which met the campaign's token 1
/// with its software.
World campaign_and_class() {
  World world(17);
  for (std::uint32_t token = 1; token <= 4; ++token) world.share_content(range(0, 12), token, token);
  world.share_trait(range(0, 12), 900);
  for (std::uint32_t token = 51; token <= 53; ++token) world.share_content(range(12, 17), token, token);
  world.share_trait(range(12, 17), 901);
  world.share_content(range(12, 15), 1, 9);
  world.share_trait(range(12, 15), 900);
  return world;
}

TEST(ClosedParts, ClassThatOneTokenTiesToACampaignIsAGroupOfItsOwn) {
  EXPECT_EQ(campaign_and_class().groups(), (Groups{range(0, 12), range(12, 17)}));
}

TEST(ClosedParts, PartThatSharesTheWorkStays) {
  World world = campaign_and_class();
  for (std::uint32_t token = 1; token <= 4; ++token) world.share_content(range(12, 17), token, 20 + token);
  EXPECT_EQ(world.groups(), Groups{range(0, 17)}) << "a trait of its own parts nobody who does the campaign's work";
}

TEST(ClosedParts, HandoffsAcrossKeepTogether) {
  World world = campaign_and_class();
  world.handoffs = {{0, 12}};
  EXPECT_EQ(world.groups(), (Groups{range(0, 12), range(12, 17)})) << "one may be an accident";
  world.handoffs.push_back({1, 13});
  EXPECT_EQ(world.groups(), Groups{range(0, 17)});
}

TEST(ClosedParts, RelayWithHandoffsInsideIsClosedWithoutContent) {
  World world(24);
  for (std::uint32_t token = 1; token <= 4; ++token) world.share_content(range(0, 14), token, token);
  world.share_trait(range(0, 14), 900);
  for (std::uint32_t i = 14; i < 23; ++i) world.handoffs.push_back({i, i + 1});
  // Three of the relay's ten accounts sent two of the campaign's texts with its software: a customer of both.
  world.share_content(range(14, 17), 1, 1);
  world.share_content(range(14, 17), 2, 2);
  world.share_trait(range(14, 17), 900);
  world.share_trait(range(14, 24), 901);
  EXPECT_EQ(world.groups(), (Groups{range(0, 14), range(14, 24)}));
}

// Every token has three senders and every trait five, but only two accounts have any token and trait together.
TEST(ClosedParts, PhraseThatTwoShareTiesNothing) {
  World world(10);
  for (std::uint32_t i = 0; i < 5; ++i) {
    world.share_content({i, (i + 1) % 5, 5 + i, 5 + (i + 2) % 5}, 100 + i, i);
  }
  world.share_trait(range(0, 5), 900);
  world.share_trait(range(5, 10), 901);
  EXPECT_TRUE(world.groups().empty());
  for (std::uint32_t i = 0; i < 5; ++i) world.share_content({(i + 2) % 5}, 100 + i, i);
  EXPECT_EQ(world.groups(), Groups{range(0, 5)}) << "three do";
}

/// Thirty of a campaign, and twenty who were a group before: each shares five texts with two others of the twenty, and
/// two with the campaign, so that no single text holds them together.
World campaign_and_earlier_group(bool with_parts) {
  World world(50);
  for (std::uint32_t token = 1; token <= 4; ++token) world.share_content(range(0, 50), token, token);
  std::erase_if(world.content, [](const ContentEdge& edge) { return edge.account >= 30 && edge.token > 2; });
  world.share_trait(range(0, 50), 900, false);
  const std::uint32_t steps[][2] = {{1, 7}, {3, 11}, {5, 13}, {9, 4}, {17, 6}};
  for (std::uint32_t i = 0; i < 20; ++i) {
    base::Token token = 1000 + 10 * i;
    for (const auto& step : steps) {
      world.share_content({30 + i, 30 + (i + step[0]) % 20, 30 + (i + step[1]) % 20}, token, 100 + i);
      ++token;
    }
  }
  if (with_parts) {
    world.parts.assign(50, 0);
    for (std::uint32_t i = 30; i < 50; ++i) world.parts[i] = 7;
  }
  return world;
}

TEST(ClosedParts, EarlierGroupIsNotTakenIntoAnother) {
  EXPECT_EQ(campaign_and_earlier_group(false).groups(), Groups{range(0, 50)});
  EXPECT_EQ(campaign_and_earlier_group(true).groups(), (Groups{range(0, 30), range(30, 50)}));
}

TEST(ClosedParts, EarlierGroupThatSharesTheWorkIsTaken) {
  World world = campaign_and_earlier_group(true);
  for (std::uint32_t token = 1; token <= 20; ++token) world.share_content(range(20, 50), 2000 + token, 200 + token);
  EXPECT_EQ(world.groups(), Groups{range(0, 50)});
}

TEST(LinkedGroups, UnseenTraitLinksWithOneRequestFromTenSharersOn) {
  for (const std::uint32_t count : {9U, 10U}) {
    World world(12);
    world.share_content(range(0, count), 1, 1);
    world.share_trait(range(0, count), 900, true, true);
    EXPECT_EQ(world.groups(), count == 10 ? Groups{range(0, 10)} : Groups{}) << count;
    for (TraitEdge& edge : world.traits) edge.unseen = false;
    EXPECT_TRUE(world.groups().empty()) << "known software needs two requests";
  }
}

// Communities that stray texts tie together come apart in the same way however accounts are numbered.
TEST(ClosedParts, NumbersOfAccountsChangeNothing) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 30; ++round) {
    World world(60);
    for (std::uint32_t community = 0; community < 3; ++community) {
      const std::uint32_t first = community == 0   ? 0
                                  : community == 1 ? 35
                                                   : 50,
                          end = community == 0   ? 35
                                : community == 1 ? 50
                                                 : 60;
      for (std::uint32_t token = 0; token < 6; ++token)
        world.share_content(range(first, end), 100 * community + token, token);
    }
    world.share_trait(range(0, 60), 900, false);
    for (std::uint32_t stray = 0; stray < 3; ++stray) {
      for (int i = 0; i < 4; ++i) world.share_content({static_cast<std::uint32_t>(random() % 60)}, 900 + stray, 50);
    }
    const Groups groups = world.groups();
    EXPECT_EQ(groups, (Groups{range(0, 35), range(35, 50), range(50, 60)}));
    std::vector<std::uint32_t> number = range(0, 60);
    std::shuffle(number.begin(), number.end(), random);
    World renumbered = world;
    for (std::uint32_t i = 0; i < 60; ++i) renumbered.actors[number[i]] = world.actors[i];
    for (ContentEdge& edge : renumbered.content) edge.account = number[edge.account];
    for (TraitEdge& edge : renumbered.traits) edge.account = number[edge.account];
    Groups expected;
    for (const auto& group : groups) {
      expected.emplace_back();
      for (const std::uint32_t account : group) expected.back().push_back(number[account]);
      std::sort(expected.back().begin(), expected.back().end());
    }
    EXPECT_EQ(renumbered.groups(), expected);
  }
}

}  // namespace
}  // namespace stillwatch::graph
