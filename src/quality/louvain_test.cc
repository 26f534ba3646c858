#include "quality/louvain.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace stillwatch::quality {
namespace {

using Edges = std::vector<WeightedEdge>;

void add_clique(Edges& edges, std::uint32_t from, std::uint32_t size) {
  for (std::uint32_t a = from; a < from + size; ++a) {
    for (std::uint32_t b = a + 1; b < from + size; ++b) edges.push_back({a, b, 1});
  }
}

// Best modularity over all partitions, as restricted growth strings.
double best_by_trying_all(std::uint32_t nodes, const Edges& edges) {
  std::vector<std::uint32_t> names(nodes, 0);
  double best = 0;
  const auto extend = [&](auto&& self, std::uint32_t node, std::uint32_t used) -> void {
    if (node == nodes) {
      best = std::max(best, modularity(names, edges));
      return;
    }
    for (std::uint32_t name = 0; name <= used && name < nodes; ++name) {
      names[node] = name;
      self(self, node + 1, std::max(used, name + 1));
    }
  };
  extend(extend, 0, 0);
  return best;
}

Edges random_graph(std::uint32_t nodes, base::Random& random) {
  Edges edges;
  const double density = 0.15 + 0.5 * random.uniform();
  for (std::uint32_t a = 0; a < nodes; ++a) {
    for (std::uint32_t b = a + 1; b < nodes; ++b) {
      if (random.chance(density)) edges.push_back({a, b, 1 + static_cast<double>(random.below(4))});
    }
  }
  return edges;
}

TEST(Louvain, FindsARingOfCliques) {
  Edges edges;
  for (std::uint32_t i = 0; i < 6; ++i) {
    add_clique(edges, 5 * i, 5);
    edges.push_back({5 * i, 5 * ((i + 1) % 6) + 1, 1});
  }
  const auto communities = louvain(30, edges);
  for (std::uint32_t node = 0; node < 30; ++node) EXPECT_EQ(communities[node], node / 5 * 5) << node;
}

// The clique ring's modularity by hand: 60 of 66 edges inside, six equal communities.
TEST(Modularity, IsNewmans) {
  Edges edges;
  for (std::uint32_t i = 0; i < 6; ++i) {
    add_clique(edges, 5 * i, 5);
    edges.push_back({5 * i, 5 * ((i + 1) % 6) + 1, 1});
  }
  std::vector<std::uint32_t> communities(30);
  for (std::uint32_t node = 0; node < 30; ++node) communities[node] = node / 5;
  EXPECT_NEAR(modularity(communities, edges), 60.0 / 66 - 1.0 / 6, 1e-12);
  EXPECT_EQ(modularity(communities, {}), 0);
}

TEST(Louvain, ComesNearTheBestOfAllPartitions) {
  base::Random random(1);
  int best_found = 0, graphs = 0;
  for (int i = 0; i < 150; ++i) {
    const auto nodes = static_cast<std::uint32_t>(4 + random.below(5));
    const Edges edges = random_graph(nodes, random);
    if (edges.empty()) continue;
    ++graphs;
    const double best = best_by_trying_all(nodes, edges);
    const double found = modularity(louvain(nodes, edges), edges);
    EXPECT_LE(found, best + 1e-12);
    EXPECT_GE(found, best - 0.12);
    best_found += found > best - 1e-9;
  }
  EXPECT_GE(best_found, graphs * 6 / 10);
}

TEST(Louvain, LeavesNoUnionThatGainsAndIgnoresTheOrderOfEdges) {
  base::Random random(2);
  for (int i = 0; i < 50; ++i) {
    const auto nodes = static_cast<std::uint32_t>(5 + random.below(40));
    Edges edges = random_graph(nodes, random);
    const auto communities = louvain(nodes, edges);
    const double found = modularity(communities, edges);
    for (std::uint32_t a = 0; a < nodes; ++a) {
      EXPECT_LE(communities[a], a);
      EXPECT_EQ(communities[communities[a]], communities[a]);
      for (std::uint32_t b = 0; b < a; ++b) {
        if (communities[a] != a || communities[b] != b) continue;
        auto united = communities;
        for (std::uint32_t& name : united) name = name == a ? b : name;
        EXPECT_LE(modularity(united, edges), found + 2e-9);
      }
    }
    for (std::size_t j = edges.size(); j > 1; --j) {
      std::swap(edges[j - 1], edges[random.below(j)]);
      if (random.chance(0.5)) std::swap(edges[j - 1].a, edges[j - 1].b);
    }
    EXPECT_EQ(louvain(nodes, edges), communities);
  }
}

TEST(Louvain, LeavesNodesWithoutEdgesAlone) {
  EXPECT_EQ(louvain(3, {}), (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_TRUE(louvain(0, {}).empty());
  const Edges edges = {{1, 2, 1}, {1, 2, 1}};
  EXPECT_EQ(louvain(4, edges), (std::vector<std::uint32_t>{0, 1, 1, 3}));
}

}  // namespace
}  // namespace stillwatch::quality
