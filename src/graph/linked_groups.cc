#include "graph/linked_groups.h"

#include <algorithm>
#include <tuple>

#include "base/assert.h"
#include "graph/closed_parts.h"
#include "graph/edge_pruning.h"
#include "graph/incidence.h"
#include "graph/union_find.h"

namespace stillwatch::graph {
namespace {

using base::Token;

class Core {
 public:
  Core(std::span<const Token> actors, std::span<const ContentEdge> content, std::span<const TraitEdge> traits,
       std::span<const HandoffEdge> handoffs, const LinkRules& rules, std::span<const std::uint32_t> before)
      : actors_(actors),
        before_(before),
        handoffs_(handoffs),
        rules_(rules),
        stays_(actors.size(), true),
        content_(make_incidence(actors.size(), content, [](const ContentEdge& edge) { return edge.request; })),
        traits_(make_incidence(actors.size(), traits, [](const TraitEdge&) { return 0U; })),
        content_sharers_(content_, actors),
        trait_sharers_(traits_, actors),
        parts_(traits_.tokens, false),
        unseen_(traits_.tokens, false) {
    const std::vector<Token> tokens = distinct_tokens(traits);
    for (const TraitEdge& edge : traits) {
      const std::uint32_t number = dense_number(tokens, edge.token);
      if (edge.parts) parts_[number] = true;
      if (edge.unseen) unseen_[number] = true;
    }
  }

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
    // By content token and trait together: only where enough actors have both, so that a phrase that two happen to
    // share ties no groups.
    std::vector<std::tuple<std::uint64_t, Token, std::uint32_t>> both;
    for (std::uint32_t account = 0; account < actors_.size(); ++account) {
      if (!stays_[account]) continue;
      for (const auto& item : content_.of(account)) {
        if (content_sharers_[item.token] < rules_.sharers_min) continue;
        for (const auto& trait : traits_.of(account)) {
          if (trait_sharers_[trait.token] < rules_.sharers_min) continue;
          both.push_back({std::uint64_t{item.token} << 32 | trait.token, actors_[account], account});
        }
      }
    }
    std::sort(both.begin(), both.end());
    for (std::size_t first = 0, last = 0; first < both.size(); first = last) {
      std::uint32_t count = 0;
      for (last = first; last < both.size() && std::get<0>(both[last]) == std::get<0>(both[first]); ++last)
        count += last == first || std::get<1>(both[last]) != std::get<1>(both[last - 1]) ? 1 : 0;
      if (count < rules_.sharers_min) continue;
      for (std::size_t i = first + 1; i < last; ++i) sets.unite(std::get<2>(both[first]), std::get<2>(both[i]));
    }
    for (const HandoffEdge& edge : handoffs_) {
      if (stays_[edge.a] && stays_[edge.b]) sets.unite(edge.a, edge.b);
    }
    std::vector<std::vector<std::uint32_t>> by_root(actors_.size());
    for (std::uint32_t account = 0; account < actors_.size(); ++account) {
      if (stays_[account]) by_root[sets.find(account)].push_back(account);
    }
    ClosedParts parts({rules_, content_, content_sharers_, traits_, parts_, stays_, handoffs_, before_});
    std::vector<std::vector<std::uint32_t>> all;
    for (auto& component : by_root) {
      if (actor_count(component) < rules_.actors_min) continue;
      parts.split(std::move(component), all);
    }
    std::erase_if(all, [&](const auto& members) { return actor_count(members) < rules_.actors_min; });
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
    return all;
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
  // An account may be linked by hand-offs alone.
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
    const bool unseen = std::any_of(traits.begin(), traits.end(), [&](const auto& item) {
      return unseen_[item.token] && trait_sharers_[item.token] >= rules_.unseen_sharers_min;
    });
    std::sort(requests.begin(), requests.end());
    return std::unique(requests.begin(), requests.end()) - requests.begin() >=
           static_cast<std::ptrdiff_t>(unseen ? 1 : rules_.requests_min);
  }
  std::size_t actor_count(const std::vector<std::uint32_t>& members) const {
    std::vector<Token> actors;
    for (const std::uint32_t member : members) actors.push_back(actors_[member]);
    std::sort(actors.begin(), actors.end());
    return static_cast<std::size_t>(std::unique(actors.begin(), actors.end()) - actors.begin());
  }

  std::span<const Token> actors_;
  std::span<const std::uint32_t> before_;
  std::span<const HandoffEdge> handoffs_;
  LinkRules rules_;
  std::vector<bool> stays_;
  Incidence content_, traits_;
  Sharers content_sharers_, trait_sharers_;
  std::vector<bool> parts_, unseen_;  // by trait
  std::vector<bool> handed_;
};

}  // namespace

std::vector<std::vector<std::uint32_t>> linked_groups(std::span<const Token> actors,
                                                      std::span<const ContentEdge> content,
                                                      std::span<const TraitEdge> traits,
                                                      std::span<const HandoffEdge> handoffs, const LinkRules& rules,
                                                      std::span<const std::uint32_t> parts) {
  STILLWATCH_ASSERT(parts.empty() || parts.size() == actors.size());
  const PrunedEdges edges = prune_edges(actors.size(), content, traits, handoffs, rules);
  Core core(actors, edges.content, edges.traits, handoffs, rules, parts);
  core.peel();
  return core.groups();
}

}  // namespace stillwatch::graph
