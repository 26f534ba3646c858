#include "graph/edge_pruning.h"

#include <algorithm>

#include "base/flat_map.h"

namespace stillwatch::graph {
namespace {

/// The edges of one kind that are still in, with their tokens' dense numbers, and how many each token has.
template <class Edge>
class Remaining {
 public:
  explicit Remaining(std::span<const Edge> edges) : edges_(edges.begin(), edges.end()) {
    base::FlatMap<base::Token, std::uint32_t> numbers;
    numbers_.reserve(edges.size());
    numbers.reserve(edges.size() / 4);
    for (const Edge& edge : edges) {
      const auto number = numbers.try_emplace(edge.token, static_cast<std::uint32_t>(counts_.size())).first->second;
      if (number == counts_.size()) counts_.push_back(0);
      ++counts_[number];
      numbers_.push_back(number);
    }
  }

  /// Edges of tokens with enough edges, by account. Sharers are fewer than edges, never more.
  void tally(std::uint32_t sharers_min, std::vector<std::uint32_t>& by_account) const {
    std::fill(by_account.begin(), by_account.end(), 0);
    for (std::size_t i = 0; i < edges_.size(); ++i) {
      by_account[edges_[i].account] += counts_[numbers_[i]] >= sharers_min ? 1 : 0;
    }
  }
  /// Leaves out edges of lone tokens and of accounts that cannot stay; returns how many.
  std::size_t drop(std::uint32_t sharers_min, const std::vector<bool>& may_stay) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < edges_.size(); ++i) {
      const std::uint32_t number = numbers_[i];
      if (counts_[number] < sharers_min || !may_stay[edges_[i].account]) {
        --counts_[number];
        continue;
      }
      edges_[kept] = edges_[i];
      numbers_[kept++] = number;
    }
    const std::size_t dropped = edges_.size() - kept;
    edges_.resize(kept);
    numbers_.resize(kept);
    return dropped;
  }
  std::vector<Edge>& edges() { return edges_; }

 private:
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> numbers_, counts_;
};

}  // namespace

PrunedEdges prune_edges(std::size_t accounts, std::span<const ContentEdge> content, std::span<const TraitEdge> traits,
                        std::span<const HandoffEdge> handoffs, const LinkRules& rules) {
  constexpr std::size_t kWorthwhile = 16;  // a round that drops less than this part is the last: the rest is peeled
  std::vector<bool> handed(accounts, false), may_stay(accounts, true);
  for (const HandoffEdge& edge : handoffs) handed[edge.a] = handed[edge.b] = true;
  Remaining<ContentEdge> texts(content);
  Remaining<TraitEdge> shared(traits);
  std::vector<std::uint32_t> texts_of(accounts), traits_of(accounts);
  std::vector<std::uint32_t> texts_min(accounts, std::max(1U, rules.requests_min));
  for (const TraitEdge& edge : traits) {
    if (edge.unseen) texts_min[edge.account] = 1;
  }
  for (;;) {
    texts.tally(rules.sharers_min, texts_of);
    shared.tally(rules.sharers_min, traits_of);
    for (std::size_t i = 0; i < accounts; ++i) {
      may_stay[i] = handed[i] || (texts_of[i] >= texts_min[i] && traits_of[i] > 0);
    }
    const std::size_t before = texts.edges().size() + shared.edges().size();
    const std::size_t dropped = texts.drop(rules.sharers_min, may_stay) + shared.drop(rules.sharers_min, may_stay);
    if (dropped * kWorthwhile <= before) break;
  }
  return {std::move(texts.edges()), std::move(shared.edges())};
}

}  // namespace stillwatch::graph
