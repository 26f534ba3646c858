// Layer L2, second half: which accounts are linked into groups, by two independent kinds of sharing.
//
// Accounts join when they share a content token and, together with it, a trait (software, network, identity); or by a
// conversation handed from one to the other. Then chains are cut: a member stays only while it still shares content
// over several requests and a trait or a hand-off with enough others that stay themselves (a k-core, Seidman 1983, on
// the account x token graph), so that one stray token never drags a stranger in.
// Invariant: the result depends on the set of edges only, not on their order; groups and members are sorted.
// Threads: pure function. Cost: O(E log E) for E edges.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"

namespace stillwatch::graph {

struct ContentEdge {
  std::uint32_t account = 0;  // dense index
  base::Token token = 0;
  std::uint32_t request = 0;  // ordinal of the request: tokens of one request count once
};
struct TraitEdge {
  std::uint32_t account = 0;
  base::Token token = 0;
  bool parts = true;    // whether those that have it can be a group of their own
  bool unseen = false;  // nobody had it during calibration: one request with shared content is enough
};
struct HandoffEdge {
  std::uint32_t a = 0, b = 0;
};

struct LinkRules {
  std::uint32_t sharers_min = 3;          // actors, the member among them, that share a token or trait for it to hold
  std::uint32_t requests_min = 2;         // requests whose content is shared
  std::uint32_t actors_min = 5;           // of a group
  std::uint32_t unseen_sharers_min = 10;  // of an unseen trait, before one request is enough
};

/// `actors[i]` is who is behind account i: accounts of one actor count once. `parts[i]`, where given, is what account i
/// was a part of before (0: nothing): a part whose sharing stays inside it is not taken into another.
std::vector<std::vector<std::uint32_t>> linked_groups(std::span<const base::Token> actors,
                                                      std::span<const ContentEdge> content,
                                                      std::span<const TraitEdge> traits,
                                                      std::span<const HandoffEdge> handoffs, const LinkRules& rules,
                                                      std::span<const std::uint32_t> parts = {});

}  // namespace stillwatch::graph
