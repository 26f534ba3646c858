// The densest block of a bipartite graph by greedy peeling, with columns that many rows have worth less.
//
// B. Hooi, H. A. Song, A. Beutel, N. Shah, K. Shin, C. Faloutsos, "FRAUDAR: bounding graph fraud in the face of
// camouflage", KDD 2016. The density of a set of rows and columns is the weight of the edges inside, each 1/log(d + 5)
// for d rows that have the column in the whole graph, divided by the number of nodes. Nodes of the least weight leave
// one after the other; the densest set on the way is the answer.
// Invariant: its density is at least half of the best of all sets (their theorem 1). Ties leave by number, columns
// first, so that equal graphs give equal blocks.
// Threads: pure functions. Cost: O(E log V) steps for E edges and V nodes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stillwatch::quality {

/// Each edge once.
struct BipartiteEdge {
  std::uint32_t row = 0, column = 0;
};

struct Block {
  std::vector<std::uint32_t> rows, columns;  // in order
  double density = 0;
};

/// 1 / log(rows + 5): logarithmic, so that camouflage with popular columns buys nothing.
double column_weight(std::size_t rows);

/// Numbers of rows and columns are dense, from 0. `weights` of the columns.
Block densest_block(std::uint32_t rows, std::span<const double> weights, std::span<const BipartiteEdge> edges);

}  // namespace stillwatch::quality
