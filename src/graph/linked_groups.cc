#include "graph/linked_groups.h"

#include <algorithm>
#include <unordered_map>

#include "base/assert.h"
#include "graph/edge_pruning.h"
#include "graph/union_find.h"

namespace stillwatch::graph {
namespace {

using base::Token;

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
  std::vector<Token> tokens;
  tokens.reserve(edges.size());
  for (const Edge& edge : edges) tokens.push_back(edge.token);
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  std::vector<std::pair<std::uint32_t, Incidence::Item>> sorted;
  sorted.reserve(edges.size());
  for (const Edge& edge : edges) {
    STILLWATCH_ASSERT(edge.account < accounts);
    const auto at = std::lower_bound(tokens.begin(), tokens.end(), edge.token) - tokens.begin();
    sorted.push_back({edge.account, {static_cast<std::uint32_t>(at), request_of(edge)}});
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
  Sharers(const Incidence& incidence, std::span<const Token> actors) {
    std::vector<std::tuple<std::uint32_t, Token, std::uint32_t>> sorted;
    for (std::uint32_t account = 0; account < actors.size(); ++account) {
      for (const auto& item : incidence.of(account)) sorted.push_back({item.token, actors[account], account});
    }
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    begin_.assign(incidence.tokens + 1, 0);
    for (const auto& [token, actor, account] : sorted) {
      ++begin_[token + 1];
      accounts_.push_back(account);
    }
    for (std::size_t i = 0; i < incidence.tokens; ++i) begin_[i + 1] += begin_[i];
    counts_.assign(incidence.tokens, 0);
  }

  void count(std::span<const Token> actors, const std::vector<bool>& stays) {
    for (std::size_t token = 0; token < counts_.size(); ++token) {
      std::uint32_t count = 0;
      Token before = 0;
      for (std::uint32_t i = begin_[token]; i < begin_[token + 1]; ++i) {
        const std::uint32_t account = accounts_[i];
        if (!stays[account] || (count > 0 && actors[account] == before)) continue;
        before = actors[account];
        ++count;
      }
      counts_[token] = count;
    }
  }
  std::uint32_t operator[](std::uint32_t token) const { return counts_[token]; }

 private:
  std::vector<std::uint32_t> begin_, accounts_, counts_;
};

class Core {
 public:
  Core(std::span<const Token> actors, std::span<const ContentEdge> content, std::span<const TraitEdge> traits,
       std::span<const HandoffEdge> handoffs, const LinkRules& rules)
      : actors_(actors),
        handoffs_(handoffs),
        rules_(rules),
        stays_(actors.size(), true),
        content_(make_incidence(actors.size(), content, [](const ContentEdge& edge) { return edge.request; })),
        traits_(make_incidence(actors.size(), traits, [](const TraitEdge&) { return 0U; })),
        content_sharers_(content_, actors),
        trait_sharers_(traits_, actors) {}

  void peel() {
    for (bool changed = true; changed;) {
      count();
      changed = false;
      std::vector<bool> next = stays_;
      for (std::uint32_t account = 0; account < actors_.size(); ++account) {
        if (!stays_[account] || holds(account)) continue;
        next[account] = false;
        changed = true;
      }
      stays_ = std::move(next);
    }
  }

  std::vector<std::vector<std::uint32_t>> groups() {
    UnionFind sets(actors_.size());
    std::unordered_map<std::uint64_t, std::uint32_t> first_of;
    for (std::uint32_t account = 0; account < actors_.size(); ++account) {
      if (!stays_[account]) continue;
      for (const auto& item : content_.of(account)) {
        if (content_sharers_[item.token] < rules_.sharers_min) continue;
        for (const auto& trait : traits_.of(account)) {
          if (trait_sharers_[trait.token] < rules_.sharers_min) continue;
          const auto [at, added] = first_of.try_emplace(std::uint64_t{item.token} << 32 | trait.token, account);
          if (!added) sets.unite(at->second, account);
        }
      }
    }
    for (const HandoffEdge& edge : handoffs_) {
      if (stays_[edge.a] && stays_[edge.b]) sets.unite(edge.a, edge.b);
    }
    std::vector<std::vector<std::uint32_t>> by_root(actors_.size());
    for (std::uint32_t account = 0; account < actors_.size(); ++account) {
      if (stays_[account]) by_root[sets.find(account)].push_back(account);
    }
    std::erase_if(by_root, [&](const auto& members) { return actor_count(members) < rules_.actors_min; });
    return by_root;
  }

 private:
  void count() {
    content_sharers_.count(actors_, stays_);
    trait_sharers_.count(actors_, stays_);
    handed_.assign(actors_.size(), false);
    for (const HandoffEdge& edge : handoffs_) {
      if (stays_[edge.a] && stays_[edge.b] && actors_[edge.a] != actors_[edge.b])
        handed_[edge.a] = handed_[edge.b] = true;
    }
  }
  bool holds(std::uint32_t account) const {
    if (handed_[account]) return true;
    const auto traits = traits_.of(account);
    const bool trait = std::any_of(traits.begin(), traits.end(),
                                   [&](const auto& item) { return trait_sharers_[item.token] >= rules_.sharers_min; });
    if (!trait) return false;
    std::vector<std::uint32_t> requests;
    for (const auto& item : content_.of(account)) {
      if (content_sharers_[item.token] >= rules_.sharers_min) requests.push_back(item.request);
    }
    std::sort(requests.begin(), requests.end());
    return std::unique(requests.begin(), requests.end()) - requests.begin() >=
           static_cast<std::ptrdiff_t>(rules_.requests_min);
  }
  std::size_t actor_count(const std::vector<std::uint32_t>& members) const {
    std::vector<Token> actors;
    for (const std::uint32_t member : members) actors.push_back(actors_[member]);
    std::sort(actors.begin(), actors.end());
    return static_cast<std::size_t>(std::unique(actors.begin(), actors.end()) - actors.begin());
  }

  std::span<const Token> actors_;
  std::span<const HandoffEdge> handoffs_;
  LinkRules rules_;
  std::vector<bool> stays_;
  Incidence content_, traits_;
  Sharers content_sharers_, trait_sharers_;
  std::vector<bool> handed_;
};

}  // namespace

std::vector<std::vector<std::uint32_t>> linked_groups(std::span<const Token> actors,
                                                      std::span<const ContentEdge> content,
                                                      std::span<const TraitEdge> traits,
                                                      std::span<const HandoffEdge> handoffs, const LinkRules& rules) {
  const PrunedEdges edges = prune_edges(actors.size(), content, traits, handoffs, rules);
  Core core(actors, edges.content, edges.traits, handoffs, rules);
  core.peel();
  return core.groups();
}

}  // namespace stillwatch::graph
