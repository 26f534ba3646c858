// Communities of a weighted graph by greedy modularity, in levels.
//
// V. D. Blondel, J.-L. Guillaume, R. Lambiotte, E. Lefebvre, "Fast unfolding of communities in large networks", J.
// Stat. Mech. (2008) P10008: each node moves to the neighbouring community of most gain until none moves; communities
// become the nodes of the next level, until nothing moves at all. Invariant: nodes are visited in the order of their
// numbers and ties go to the lower community, so that equal graphs give equal communities. In the end no union of two
// communities would raise the modularity by more than 1e-9. Threads: pure functions. Cost: about E steps a sweep, at
// most kSweepsMax sweeps a level.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stillwatch::quality {

/// a != b; several edges between two nodes add up.
struct WeightedEdge {
  std::uint32_t a = 0, b = 0;
  double weight = 1;
};

/// The community of each node, named by its lowest node.
std::vector<std::uint32_t> louvain(std::uint32_t nodes, std::span<const WeightedEdge> edges);

/// Newman's modularity of a division; 0 without edges.
double modularity(std::span<const std::uint32_t> communities, std::span<const WeightedEdge> edges);

}  // namespace stillwatch::quality
