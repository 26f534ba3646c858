// Disjoint sets with union by index: the smallest element names its set, whatever the order of unions.
//
// Threads: one user. Cost: nearly constant a step (path halving; Tarjan, van Leeuwen 1984).
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace stillwatch::graph {

class UnionFind {
 public:
  explicit UnionFind(std::size_t count) : parents_(count) { std::iota(parents_.begin(), parents_.end(), 0U); }

  std::uint32_t find(std::uint32_t element) {
    while (parents_[element] != element) {
      parents_[element] = parents_[parents_[element]];
      element = parents_[element];
    }
    return element;
  }
  void unite(std::uint32_t a, std::uint32_t b) {
    a = find(a);
    b = find(b);
    if (a == b) return;
    if (b < a) std::swap(a, b);
    parents_[b] = a;
  }

 private:
  std::vector<std::uint32_t> parents_;
};

}  // namespace stillwatch::graph
