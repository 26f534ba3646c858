#include "graph/edge_pruning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace stillwatch::graph {
namespace {

struct World {
  std::size_t accounts = 60;
  std::vector<ContentEdge> content;
  std::vector<TraitEdge> traits;
  std::vector<HandoffEdge> handoffs;
};

World make_world(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  World world;
  for (std::uint32_t account = 0; account < world.accounts; ++account) {
    for (std::uint32_t request = 0; request < 3; ++request) world.content.push_back({account, random() % 50, request});
    if (random() % 4 != 0) world.traits.push_back({account, 100 + random() % 20});
    if (random() % 3 == 0) world.traits.push_back({account, 200 + random() % 2, true, true});
  }
  world.handoffs.push_back({static_cast<std::uint32_t>(random() % 60), static_cast<std::uint32_t>(random() % 60)});
  return world;
}

/// The other road: accounts that stay in the greatest set whose members hold, by definition.
std::set<std::uint32_t> greatest_set(const World& world, const LinkRules& rules) {
  std::set<std::uint32_t> inside;
  for (std::uint32_t i = 0; i < world.accounts; ++i) inside.insert(i);
  for (;;) {
    std::map<base::Token, std::set<std::uint32_t>> texts, traits;
    for (const auto& edge : world.content) {
      if (inside.contains(edge.account)) texts[edge.token].insert(edge.account);
    }
    for (const auto& edge : world.traits) {
      if (inside.contains(edge.account)) traits[edge.token].insert(edge.account);
    }
    std::set<std::uint32_t> next;
    for (const std::uint32_t account : inside) {
      std::set<std::uint32_t> requests;
      bool trait = false, unseen = false, handed = false;
      for (const auto& edge : world.content) {
        if (edge.account == account && texts[edge.token].size() >= rules.sharers_min) requests.insert(edge.request);
      }
      for (const auto& edge : world.traits) {
        if (edge.account != account) continue;
        trait |= traits[edge.token].size() >= rules.sharers_min;
        unseen |= edge.unseen && traits[edge.token].size() >= rules.unseen_sharers_min;
      }
      for (const auto& edge : world.handoffs)
        handed |= (edge.a == account || edge.b == account) && inside.contains(edge.a) && inside.contains(edge.b);
      if (handed || (trait && requests.size() >= (unseen ? 1 : rules.requests_min))) next.insert(account);
    }
    if (next == inside) return inside;
    inside = std::move(next);
  }
}

TEST(EdgePruning, KeepsWhateverCanHold) {
  const LinkRules rules;
  std::size_t dropped = 0, by_unseen = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const World world = make_world(seed);
    const auto inside = greatest_set(world, rules);
    const PrunedEdges kept = prune_edges(world.accounts, world.content, world.traits, world.handoffs, rules);
    dropped += world.content.size() - kept.content.size();
    LinkRules without = rules;
    without.unseen_sharers_min = 1'000;
    by_unseen += inside.size() - greatest_set(world, without).size();
    std::map<base::Token, std::set<std::uint32_t>> sharers;
    for (const auto& edge : world.content) {
      if (inside.contains(edge.account)) sharers[edge.token].insert(edge.account);
    }
    for (const auto& edge : world.content) {
      if (!inside.contains(edge.account) || sharers[edge.token].size() < rules.sharers_min) continue;
      EXPECT_TRUE(std::any_of(kept.content.begin(), kept.content.end(),
                              [&](const ContentEdge& other) {
                                return other.account == edge.account && other.token == edge.token &&
                                       other.request == edge.request;
                              }))
          << "seed " << seed << ", account " << edge.account;
    }
  }
  EXPECT_GT(dropped, 3'000U) << "of 18,000: what strangers share leaves";
  EXPECT_GT(by_unseen, 20U) << "accounts that one request and an unseen trait keep";
}

TEST(EdgePruning, NothingOfNothing) {
  const PrunedEdges kept = prune_edges(3, {}, {}, {}, LinkRules{});
  EXPECT_TRUE(kept.content.empty());
  EXPECT_TRUE(kept.traits.empty());
}

}  // namespace
}  // namespace stillwatch::graph
