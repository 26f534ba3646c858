#include "quality/louvain.h"

#include <algorithm>
#include <numeric>

namespace stillwatch::quality {
namespace {

constexpr int kSweepsMax = 100, kLevelsMax = 50;
constexpr double kGainMin = 1e-9;  // of modularity; below it a move is rounding

// Neighbours of all nodes in one array; an edge inside a community of the level before is a loop of its node.
struct Graph {
  struct Neighbour {
    std::uint32_t node;
    double weight;
  };
  std::vector<std::size_t> starts;
  std::vector<Neighbour> neighbours;
  std::vector<double> degrees;  // a loop counts twice
  double total = 0;             // of all degrees
};

Graph graph_of(std::uint32_t nodes, std::span<const WeightedEdge> edges) {
  Graph graph;
  graph.starts.assign(nodes + 1, 0);
  graph.degrees.assign(nodes, 0);
  for (const WeightedEdge& edge : edges) {
    graph.degrees[edge.a] += edge.weight;
    graph.degrees[edge.b] += edge.weight;
    graph.total += 2 * edge.weight;
    if (edge.a == edge.b) continue;
    ++graph.starts[edge.a + 1];
    ++graph.starts[edge.b + 1];
  }
  std::partial_sum(graph.starts.begin(), graph.starts.end(), graph.starts.begin());
  graph.neighbours.resize(graph.starts.back());
  std::vector<std::size_t> next(graph.starts.begin(), graph.starts.end() - 1);
  for (const WeightedEdge& edge : edges) {
    if (edge.a == edge.b) continue;
    graph.neighbours[next[edge.a]++] = {edge.b, edge.weight};
    graph.neighbours[next[edge.b]++] = {edge.a, edge.weight};
  }
  return graph;
}

// Moves nodes until none gains; whether any moved. Communities are named by nodes.
bool move_nodes(const Graph& graph, std::vector<std::uint32_t>& community) {
  const auto nodes = static_cast<std::uint32_t>(community.size());
  std::vector<double> weight_of(graph.degrees), links(nodes, 0);  // of a community; from the node to a community
  std::vector<std::uint32_t> touched;
  bool any = false, moved = true;
  for (int sweep = 0; moved && sweep < kSweepsMax; ++sweep) {
    moved = false;
    for (std::uint32_t node = 0; node < nodes; ++node) {
      const std::uint32_t own = community[node];
      touched.assign(1, own);
      for (std::size_t i = graph.starts[node]; i < graph.starts[node + 1]; ++i) {
        const std::uint32_t other = community[graph.neighbours[i].node];
        if (links[other] == 0 && other != own) touched.push_back(other);
        links[other] += graph.neighbours[i].weight;
      }
      weight_of[own] -= graph.degrees[node];
      // Half the change of modularity times the total, for joining a community as a node on its own.
      const auto gain = [&](std::uint32_t to) { return links[to] - weight_of[to] * graph.degrees[node] / graph.total; };
      std::uint32_t best = own;
      double most = gain(own) + kGainMin * graph.total / 2;
      std::sort(touched.begin(), touched.end());
      for (const std::uint32_t to : touched) {
        if (to != own && gain(to) > most) {
          most = gain(to);
          best = to;
        }
      }
      for (const std::uint32_t to : touched) links[to] = 0;
      weight_of[best] += graph.degrees[node];
      community[node] = best;
      moved = moved || best != own;
    }
    any = any || moved;
  }
  return any;
}

}  // namespace

std::vector<std::uint32_t> louvain(std::uint32_t nodes, std::span<const WeightedEdge> edges) {
  std::vector<std::uint32_t> out(nodes);
  std::iota(out.begin(), out.end(), 0U);
  std::vector<WeightedEdge> level(edges.begin(), edges.end());
  auto level_nodes = nodes;
  for (int depth = 0; depth < kLevelsMax && !level.empty(); ++depth) {
    const Graph graph = graph_of(level_nodes, level);
    std::vector<std::uint32_t> community(level_nodes);
    std::iota(community.begin(), community.end(), 0U);
    if (!move_nodes(graph, community)) break;
    // Number the communities from 0 in the order of their lowest nodes.
    std::vector<std::uint32_t> number(level_nodes, level_nodes);
    std::uint32_t count = 0;
    for (std::uint32_t& name : community) {
      if (number[name] == level_nodes) number[name] = count++;
      name = number[name];
    }
    for (std::uint32_t& name : out) name = community[name];
    for (WeightedEdge& edge : level) {
      edge.a = community[edge.a];
      edge.b = community[edge.b];
      if (edge.b < edge.a) std::swap(edge.a, edge.b);
    }
    std::sort(level.begin(), level.end(), [](const WeightedEdge& x, const WeightedEdge& y) {
      return x.a != y.a ? x.a < y.a : x.b != y.b ? x.b < y.b : x.weight < y.weight;
    });
    std::size_t kept = 0;
    for (const WeightedEdge& edge : level) {
      if (kept > 0 && level[kept - 1].a == edge.a && level[kept - 1].b == edge.b)
        level[kept - 1].weight += edge.weight;
      else
        level[kept++] = edge;
    }
    level.resize(kept);
    level_nodes = count;
  }
  std::vector<std::uint32_t> lowest(nodes, nodes);
  for (std::uint32_t node = 0; node < nodes; ++node) {
    std::uint32_t& first = lowest[out[node]];
    first = std::min(first, node);
    out[node] = first;
  }
  return out;
}

double modularity(std::span<const std::uint32_t> communities, std::span<const WeightedEdge> edges) {
  std::vector<double> degrees(communities.size(), 0);
  double total = 0, inside = 0;
  for (const WeightedEdge& edge : edges) {
    degrees[communities[edge.a]] += edge.weight;
    degrees[communities[edge.b]] += edge.weight;
    total += 2 * edge.weight;
    if (communities[edge.a] == communities[edge.b]) inside += 2 * edge.weight;
  }
  if (total <= 0) return 0;
  double expected = 0;
  for (const double degree : degrees) expected += degree / total * (degree / total);
  return inside / total - expected;
}

}  // namespace stillwatch::quality
