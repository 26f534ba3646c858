// Edges of one kind by account and by token: what linked_groups() and closed_parts() walk over.
//
// Tokens get dense numbers in the order of their values. Invariant: the same set of edges gives the same tables,
// whatever the order of edges; repeats count once. Threads: const use from any number; count() by one. Cost: O(E log E)
// to build for E edges, O(E) a count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "base/assert.h"
#include "base/token.h"

namespace stillwatch::graph {

/// The distinct tokens of edges, ascending: a token's place is its dense number.
template <class Edge>
std::vector<base::Token> distinct_tokens(std::span<const Edge> edges) {
  std::vector<base::Token> tokens;
  tokens.reserve(edges.size());
  for (const Edge& edge : edges) tokens.push_back(edge.token);
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

inline std::uint32_t dense_number(const std::vector<base::Token>& tokens, base::Token token) {
  return static_cast<std::uint32_t>(std::lower_bound(tokens.begin(), tokens.end(), token) - tokens.begin());
}

/// The edges of one kind grouped by account, tokens renamed to dense numbers.
struct Incidence {
  struct Item {
    std::uint32_t token;
    std::uint32_t request;
    bool operator==(const Item&) const = default;
  };
  std::vector<std::uint32_t> begin;  // of account i: items[begin[i]..begin[i + 1])
  std::vector<Item> items;
  std::size_t tokens = 0;

  std::span<const Item> of(std::uint32_t account) const {
    return {items.data() + begin[account], items.data() + begin[account + 1]};
  }
};

template <class Edge, class Request>
Incidence make_incidence(std::size_t accounts, std::span<const Edge> edges, Request request_of) {
  const std::vector<base::Token> tokens = distinct_tokens(edges);
  std::vector<std::pair<std::uint32_t, Incidence::Item>> sorted;
  sorted.reserve(edges.size());
  for (const Edge& edge : edges) {
    STILLWATCH_ASSERT(edge.account < accounts);
    sorted.push_back({edge.account, {dense_number(tokens, edge.token), request_of(edge)}});
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second.token, a.second.request) < std::tie(b.first, b.second.token, b.second.request);
  });
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  Incidence incidence;
  incidence.tokens = tokens.size();
  incidence.begin.assign(accounts + 1, 0);
  for (const auto& [account, item] : sorted) {
    ++incidence.begin[account + 1];
    incidence.items.push_back(item);
  }
  for (std::size_t i = 0; i < accounts; ++i) incidence.begin[i + 1] += incidence.begin[i];
  return incidence;
}

/// The same edges by token, ordered by actor, so that distinct actors are counted in one pass over those that stay.
class Sharers {
 public:
  Sharers(const Incidence& incidence, std::span<const base::Token> actors);
  void count(std::span<const base::Token> actors, const std::vector<bool>& stays);
  std::uint32_t operator[](std::uint32_t token) const { return counts_[token]; }

 private:
  std::vector<std::uint32_t> begin_, accounts_, counts_;
};

}  // namespace stillwatch::graph
