// Splits a component of linked accounts where a part keeps to itself.
//
// A class or a product that one stray token ties to a campaign must not be taken for it. Candidates are those that a
// trait of their own, one content, or an earlier group holds together; one that keeps most of what it shares, and its
// hand-offs, inside itself is a group of its own. Invariant: the parts are a partition of the component, and depend on
// the set of edges only. Threads: one user; a component's accounts may be split once. Cost: linear in the component's
// edges, times kRounds. Source: label propagation, Raghavan, Albert, Kumara (2007); for two kinds of nodes Barber
// (2007).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/incidence.h"
#include "graph/linked_groups.h"

namespace stillwatch::graph {

/// What linked_groups() knows after peeling. `sharers` count those that stay.
struct LinkedAccounts {
  const LinkRules& rules;
  const Incidence& content;
  const Sharers& content_sharers;
  const Incidence& traits;
  const std::vector<bool>& trait_parts;  // by dense number of the trait: whether it can hold a part together
  const std::vector<bool>& stays;        // by account
  std::span<const HandoffEdge> handoffs;
  std::span<const std::uint32_t> before;  // by account, or empty: the group that it was in
};

class ClosedParts {
 public:
  explicit ClosedParts(const LinkedAccounts& linked);
  /// Appends the closed parts of a component (accounts ascending), then what is left of it.
  void split(std::vector<std::uint32_t> component, std::vector<std::vector<std::uint32_t>>& out);

 private:
  using Accounts = std::vector<std::uint32_t>;

  std::vector<Accounts> candidates(const Accounts& component) const;
  std::vector<Accounts> neighbourhoods(const Accounts& component) const;
  bool is_closed(const Accounts& part) const;
  std::span<const std::uint32_t> handed_to(std::uint32_t account) const {
    return {others_.data() + begin_[account], others_.data() + begin_[account + 1]};
  }

  LinkedAccounts linked_;
  std::vector<bool> gone_;                     // by account: in a part already
  std::vector<std::uint32_t> begin_, others_;  // hand-offs by account, among those that stay
};

}  // namespace stillwatch::graph
