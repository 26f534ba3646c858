#include "quality/peeling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/random.h"

namespace stillwatch::quality {
namespace {

struct Graph {
  std::uint32_t rows = 0;
  std::vector<double> weights;
  std::vector<BipartiteEdge> edges;
};

Graph random_graph(base::Random& random) {
  Graph graph;
  graph.rows = static_cast<std::uint32_t>(1 + random.below(6));
  const auto columns = static_cast<std::uint32_t>(1 + random.below(6));
  std::vector<std::size_t> degrees(columns, 0);
  const double density = random.uniform();
  for (std::uint32_t row = 0; row < graph.rows; ++row) {
    for (std::uint32_t column = 0; column < columns; ++column) {
      if (!random.chance(density)) continue;
      graph.edges.push_back({row, column});
      ++degrees[column];
    }
  }
  for (const std::size_t degree : degrees) graph.weights.push_back(column_weight(degree));
  return graph;
}

// Density of the nodes in a mask: columns in the low bits, then rows.
double density_of(const Graph& graph, std::uint32_t mask) {
  const auto columns = static_cast<std::uint32_t>(graph.weights.size());
  double inside = 0;
  for (const BipartiteEdge& edge : graph.edges) {
    if ((mask >> edge.column & 1U) != 0 && (mask >> (columns + edge.row) & 1U) != 0)
      inside += graph.weights[edge.column];
  }
  return mask == 0 ? 0 : inside / std::popcount(mask);
}

std::uint32_t mask_of(const Graph& graph, const Block& block) {
  std::uint32_t mask = 0;
  for (const std::uint32_t column : block.columns) mask |= 1U << column;
  for (const std::uint32_t row : block.rows) mask |= 1U << (graph.weights.size() + row);
  return mask;
}

// The same greedy rule without a heap: the lightest node leaves, the lower number first.
double best_on_the_greedy_way(const Graph& graph) {
  const auto nodes = static_cast<std::uint32_t>(graph.weights.size() + graph.rows);
  std::uint32_t mask = (1U << nodes) - 1;
  double best = 0;
  while (mask != 0) {
    best = std::max(best, density_of(graph, mask));
    std::uint32_t lightest = 0;
    double least = INFINITY;
    for (std::uint32_t node = 0; node < nodes; ++node) {
      if ((mask >> node & 1U) == 0) continue;
      const double inside = density_of(graph, mask) * std::popcount(mask);
      const std::uint32_t rest = mask & ~(1U << node);
      const double weight = inside - (rest == 0 ? 0 : density_of(graph, rest) * std::popcount(rest));
      if (weight < least - 1e-9) {
        least = weight;
        lightest = node;
      }
    }
    mask &= ~(1U << lightest);
  }
  return best;
}

TEST(Peeling, IsWithinHalfOfTheBestSetAndEqualsTheSlowGreedyWay) {
  base::Random random(1);
  for (int i = 0; i < 300; ++i) {
    const Graph graph = random_graph(random);
    const Block block = densest_block(graph.rows, graph.weights, graph.edges);
    EXPECT_NEAR(density_of(graph, mask_of(graph, block)), block.density, 1e-9);
    EXPECT_NEAR(block.density, best_on_the_greedy_way(graph), 1e-6);
    double best = 0;
    const std::uint32_t all = 1U << (graph.weights.size() + graph.rows);
    for (std::uint32_t mask = 1; mask < all; ++mask) best = std::max(best, density_of(graph, mask));
    EXPECT_LE(block.density, best + 1e-9);
    EXPECT_GE(block.density, best / 2 - 1e-9);
  }
}

// 40 rows with camouflage: the block is found although its rows also use the columns of everybody.
TEST(Peeling, FindsAPlantedBlockBehindCamouflage) {
  base::Random random(2);
  std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::uint32_t row = 0; row < 400; ++row) {
    for (int i = 0; i < 6; ++i) pairs.insert({row, static_cast<std::uint32_t>(random.below(300))});
  }
  for (std::uint32_t row = 10; row < 50; ++row) {
    for (std::uint32_t column = 300; column < 330; ++column) {
      if (random.chance(0.6)) pairs.insert({row, column});
    }
  }
  std::vector<std::size_t> degrees(330, 0);
  std::vector<BipartiteEdge> edges;
  for (const auto& [row, column] : pairs) {
    edges.push_back({row, column});
    ++degrees[column];
  }
  std::vector<double> weights;
  for (const std::size_t degree : degrees) weights.push_back(column_weight(degree));
  const Block block = densest_block(400, weights, edges);
  std::vector<std::uint32_t> expected;
  for (std::uint32_t row = 10; row < 50; ++row) expected.push_back(row);
  EXPECT_EQ(block.rows, expected);
  EXPECT_GE(block.columns.size(), 30U);
}

TEST(Peeling, HasNoBlockWithoutEdges) {
  const std::vector<double> weights = {0.5, 0.5};
  EXPECT_TRUE(densest_block(3, weights, {}).rows.empty());
  EXPECT_TRUE(densest_block(0, {}, {}).rows.empty());
  EXPECT_NEAR(column_weight(1), 1 / std::log(6.0), 1e-15);
}

}  // namespace
}  // namespace stillwatch::quality
