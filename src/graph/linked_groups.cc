#include "graph/linked_groups.h"

#include <algorithm>
#include <map>
#include <tuple>
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
    // Dense numbers follow the order of tokens.
    std::vector<Token> tokens;
    for (const TraitEdge& edge : traits) tokens.push_back(edge.token);
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (const TraitEdge& edge : traits) {
      const auto at = std::lower_bound(tokens.begin(), tokens.end(), edge.token) - tokens.begin();
      if (edge.parts) parts_[static_cast<std::size_t>(at)] = true;
      if (edge.unseen) unseen_[static_cast<std::size_t>(at)] = true;
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
    std::vector<std::vector<std::uint32_t>> all;
    for (auto& component : by_root) {
      if (actor_count(component) < rules_.actors_min) continue;
      split(component, all);
    }
    std::erase_if(all, [&](const auto& members) { return actor_count(members) < rules_.actors_min; });
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
      return a.size() != b.size() ? a.size() > b.size() : a < b;
    });
    return all;
  }

 private:
  /// A part that has a trait of its own and whose content stays inside it is a group of its own: a class or a product
  /// that one stray token ties to a campaign must not be taken for it.
  void split(std::vector<std::uint32_t> component, std::vector<std::vector<std::uint32_t>>& out) const {
    std::map<std::uint32_t, std::vector<std::uint32_t>> by_trait;
    for (const std::uint32_t account : component) {
      for (const auto& trait : traits_.of(account)) {
        if (!parts_[trait.token]) continue;
        auto& members = by_trait[trait.token];
        if (members.empty() || members.back() != account) members.push_back(account);
      }
    }
    std::vector<std::vector<std::uint32_t>> blocks = neighbourhoods(component);
    for (auto& item : by_trait) blocks.push_back(std::move(item.second));
    if (!before_.empty()) {
      std::map<std::uint32_t, std::vector<std::uint32_t>> by_group;
      for (const std::uint32_t account : component) {
        if (before_[account] != 0) by_group[before_[account]].push_back(account);
      }
      for (auto& item : by_group) blocks.push_back(std::move(item.second));
    }
    std::vector<std::uint32_t> gone;
    for (auto& block : blocks) {
      std::erase_if(block, [&](std::uint32_t account) {
        return std::binary_search(gone.begin(), gone.end(), account);
      });
      const std::size_t left = component.size() - gone.size();
      if (block.size() < 2 || block.size() * 2 > left || !is_closed(block)) continue;
      out.push_back(block);
      gone.insert(gone.end(), block.begin(), block.end());
      std::sort(gone.begin(), gone.end());
    }
    std::erase_if(component, [&](std::uint32_t account) {
      return std::binary_search(gone.begin(), gone.end(), account);
    });
    out.push_back(std::move(component));
  }

  /// Accounts of one content, by label propagation between accounts and tokens (Raghavan, Albert, Kumara 2007; Barber
  /// 2007 for two kinds of nodes). All labels of a round are taken from the round before, ties go to the smallest, so
  /// that the order of accounts changes nothing.
  std::vector<std::vector<std::uint32_t>> neighbourhoods(const std::vector<std::uint32_t>& component) const {
    constexpr int kRounds = 8;
    std::unordered_map<std::uint32_t, std::uint32_t> label;
    std::map<std::uint32_t, std::vector<std::uint32_t>> senders;
    for (const std::uint32_t account : component) {
      label[account] = account;
      for (const auto& item : content_.of(account)) {
        if (content_sharers_[item.token] >= rules_.sharers_min) senders[item.token].push_back(account);
      }
    }
    const auto commonest = [](std::vector<std::uint32_t>& votes, std::uint32_t otherwise) {
      std::sort(votes.begin(), votes.end());
      std::size_t most = 0;
      for (std::size_t first = 0, last = 0; first < votes.size(); first = last) {
        while (last < votes.size() && votes[last] == votes[first]) ++last;
        if (last - first > most) most = last - first, otherwise = votes[first];
      }
      return otherwise;
    };
    std::vector<std::uint32_t> votes;
    for (int round = 0; round < kRounds; ++round) {
      std::unordered_map<std::uint32_t, std::uint32_t> of_token;
      for (const auto& [token, accounts] : senders) {
        votes.clear();
        for (const std::uint32_t account : accounts) votes.push_back(label[account]);
        of_token[token] = commonest(votes, 0);
      }
      for (const std::uint32_t account : component) {
        votes.clear();
        for (const auto& item : content_.of(account)) {
          if (const auto at = of_token.find(item.token); at != of_token.end()) votes.push_back(at->second);
        }
        label[account] = commonest(votes, label[account]);
      }
    }
    std::map<std::uint32_t, std::vector<std::uint32_t>> by_label;
    for (const std::uint32_t account : component) by_label[label[account]].push_back(account);
    std::vector<std::vector<std::uint32_t>> blocks;
    for (auto& item : by_label) blocks.push_back(std::move(item.second));
    return blocks;
  }

  /// Most of what its accounts share or hand to each other stays among themselves.
  bool is_closed(const std::vector<std::uint32_t>& block) const {
    std::unordered_map<std::uint32_t, std::uint32_t> own;  // token: senders in the block
    for (const std::uint32_t account : block) {
      for (const auto& item : content_.of(account)) ++own[item.token];
    }
    std::size_t shared = 0, outside = 0;
    for (const std::uint32_t account : block) {
      for (const auto& item : content_.of(account)) {
        if (content_sharers_[item.token] < rules_.sharers_min) continue;
        ++shared;
        outside += content_sharers_[item.token] >= own[item.token] + rules_.sharers_min - 1 ? 1 : 0;
      }
    }
    std::size_t crossing = 0, inside = 0;
    for (const HandoffEdge& edge : handoffs_) {
      if (!stays_[edge.a] || !stays_[edge.b]) continue;
      const bool a = std::binary_search(block.begin(), block.end(), edge.a);
      const bool b = std::binary_search(block.begin(), block.end(), edge.b);
      crossing += a != b;
      inside += a && b;
    }
    if (crossing * 4 >= block.size()) return false;
    return inside * 2 >= block.size() || (shared > 0 && outside * 2 < shared);
  }

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
