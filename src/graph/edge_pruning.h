// Leaves out what cannot hold, before groups are looked for: most links of a large world are of strangers.
//
// Invariant: every account and token that linked_groups() would keep is kept with all its edges among them, so the
// groups are the same; the order of edges stays. Threads: pure function. Cost: O(E), a look-up of a hash table an edge.
#pragma once

#include <vector>

#include "graph/linked_groups.h"

namespace stillwatch::graph {

struct PrunedEdges {
  std::vector<ContentEdge> content;
  std::vector<TraitEdge> traits;
};

PrunedEdges prune_edges(std::size_t accounts, std::span<const ContentEdge> content, std::span<const TraitEdge> traits,
                        std::span<const HandoffEdge> handoffs, const LinkRules& rules);

}  // namespace stillwatch::graph
