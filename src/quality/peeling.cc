#include "quality/peeling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace stillwatch::quality {
namespace {

// Nodes by weight in a binary heap that knows where each node is, so that a weight can fall.
class Lightest {
 public:
  explicit Lightest(const std::vector<double>& weights) : weights_(weights), places_(weights.size()) {
    heap_.resize(weights.size());
    std::iota(heap_.begin(), heap_.end(), 0U);
    std::iota(places_.begin(), places_.end(), std::size_t{0});
    for (std::size_t i = heap_.size() / 2; i-- > 0;) sink(i);
  }
  std::uint32_t pop() {
    const std::uint32_t node = heap_.front();
    move(heap_.back(), 0);
    heap_.pop_back();
    places_[node] = kGone;
    if (!heap_.empty()) sink(0);
    return node;
  }
  bool holds(std::uint32_t node) const { return places_[node] != kGone; }
  double weight(std::uint32_t node) const { return weights_[node]; }
  void lower(std::uint32_t node, double by) {
    weights_[node] -= by;
    std::size_t at = places_[node];
    while (at > 0 && before(node, heap_[(at - 1) / 2])) {
      move(heap_[(at - 1) / 2], at);
      at = (at - 1) / 2;
    }
    move(node, at);
  }

 private:
  static constexpr std::size_t kGone = SIZE_MAX;

  bool before(std::uint32_t a, std::uint32_t b) const {
    return weights_[a] != weights_[b] ? weights_[a] < weights_[b] : a < b;
  }
  void move(std::uint32_t node, std::size_t place) {
    heap_[place] = node;
    places_[node] = place;
  }
  void sink(std::size_t at) {
    const std::uint32_t node = heap_[at];
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
      if (!before(heap_[child], node)) break;
      move(heap_[child], at);
      at = child;
    }
    move(node, at);
  }

  std::vector<double> weights_;
  std::vector<std::size_t> places_;
  std::vector<std::uint32_t> heap_;
};

}  // namespace

double column_weight(std::size_t rows) { return 1 / std::log(static_cast<double>(rows) + 5); }

Block densest_block(std::uint32_t rows, std::span<const double> weights, std::span<const BipartiteEdge> edges) {
  // Nodes: columns first, then rows.
  const auto columns = static_cast<std::uint32_t>(weights.size());
  const std::uint32_t nodes = columns + rows;
  std::vector<double> weight_of(nodes, 0);
  std::vector<std::size_t> starts(nodes + 1, 0);
  double inside = 0;
  for (const BipartiteEdge& edge : edges) {
    weight_of[edge.column] += weights[edge.column];
    weight_of[columns + edge.row] += weights[edge.column];
    ++starts[edge.column + 1];
    ++starts[columns + edge.row + 1];
    inside += weights[edge.column];
  }
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::uint32_t> neighbours(starts.back());
  std::vector<std::size_t> next(starts.begin(), starts.end() - 1);
  for (const BipartiteEdge& edge : edges) {
    neighbours[next[edge.column]++] = columns + edge.row;
    neighbours[next[columns + edge.row]++] = edge.column;
  }
  Block block;
  Lightest lightest(weight_of);
  std::vector<std::uint32_t> order;  // in which nodes left
  std::size_t left_at_best = 0;
  for (std::uint32_t left = 0; left < nodes; ++left) {
    const double density = inside / (nodes - left);
    if (density > block.density) {
      block.density = density;
      left_at_best = left;
    }
    const std::uint32_t node = lightest.pop();
    order.push_back(node);
    inside -= lightest.weight(node);
    for (std::size_t i = starts[node]; i < starts[node + 1]; ++i) {
      const std::uint32_t other = neighbours[i];
      if (lightest.holds(other)) lightest.lower(other, weights[std::min(node, other)]);
    }
  }
  if (block.density <= 0) return block;
  for (std::size_t i = left_at_best; i < order.size(); ++i) {
    if (order[i] < columns)
      block.columns.push_back(order[i]);
    else
      block.rows.push_back(order[i] - columns);
  }
  std::sort(block.columns.begin(), block.columns.end());
  std::sort(block.rows.begin(), block.rows.end());
  return block;
}

}  // namespace stillwatch::quality
