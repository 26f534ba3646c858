#include "graph/closed_parts.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace stillwatch::graph {

ClosedParts::ClosedParts(const LinkedAccounts& linked)
    : linked_(linked), gone_(linked.stays.size(), false), begin_(linked.stays.size() + 1, 0) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> directed;
  for (const HandoffEdge& edge : linked_.handoffs) {
    if (!linked_.stays[edge.a] || !linked_.stays[edge.b] || edge.a == edge.b) continue;
    directed.push_back({edge.a, edge.b});
    directed.push_back({edge.b, edge.a});
  }
  std::sort(directed.begin(), directed.end());
  for (const auto& [from, to] : directed) {
    ++begin_[from + 1];
    others_.push_back(to);
  }
  for (std::size_t i = 0; i + 1 < begin_.size(); ++i) begin_[i + 1] += begin_[i];
}

void ClosedParts::split(Accounts component, std::vector<Accounts>& out) {
  std::size_t left = component.size();
  const auto is_gone = [&](std::uint32_t account) -> bool { return gone_[account]; };
  for (Accounts& part : candidates(component)) {
    std::erase_if(part, is_gone);
    if (part.size() < 2 || part.size() * 2 > left || !is_closed(part)) continue;
    for (const std::uint32_t account : part) gone_[account] = true;
    left -= part.size();
    out.push_back(std::move(part));
  }
  std::erase_if(component, is_gone);
  out.push_back(std::move(component));
}

/// By content, by trait, by earlier group, in this order.
std::vector<ClosedParts::Accounts> ClosedParts::candidates(const Accounts& component) const {
  std::map<std::uint32_t, Accounts> by_trait, by_group;
  for (const std::uint32_t account : component) {
    for (const auto& trait : linked_.traits.of(account)) {
      if (!linked_.trait_parts[trait.token]) continue;
      Accounts& members = by_trait[trait.token];
      if (members.empty() || members.back() != account) members.push_back(account);
    }
    if (!linked_.before.empty() && linked_.before[account] != 0) by_group[linked_.before[account]].push_back(account);
  }
  std::vector<Accounts> parts = neighbourhoods(component);
  for (auto& item : by_trait) parts.push_back(std::move(item.second));
  for (auto& item : by_group) parts.push_back(std::move(item.second));
  return parts;
}

/// Accounts of one content, by label propagation between accounts and tokens. All labels of a round are taken from the
/// round before, ties go to the smallest, so that the order of accounts changes nothing.
std::vector<ClosedParts::Accounts> ClosedParts::neighbourhoods(const Accounts& component) const {
  constexpr int kRounds = 8;
  std::unordered_map<std::uint32_t, std::uint32_t> label;
  std::map<std::uint32_t, Accounts> senders;
  for (const std::uint32_t account : component) {
    label[account] = account;
    for (const auto& item : linked_.content.of(account)) {
      if (linked_.content_sharers[item.token] >= linked_.rules.sharers_min) senders[item.token].push_back(account);
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
      for (const auto& item : linked_.content.of(account)) {
        if (const auto at = of_token.find(item.token); at != of_token.end()) votes.push_back(at->second);
      }
      label[account] = commonest(votes, label[account]);
    }
  }
  std::map<std::uint32_t, Accounts> by_label;
  for (const std::uint32_t account : component) by_label[label[account]].push_back(account);
  std::vector<Accounts> parts;
  for (auto& item : by_label) parts.push_back(std::move(item.second));
  return parts;
}

/// Most of what its accounts share or hand to each other stays among themselves.
bool ClosedParts::is_closed(const Accounts& part) const {
  const std::uint32_t sharers_min = linked_.rules.sharers_min;
  std::unordered_map<std::uint32_t, std::uint32_t> own;  // token: senders in the part
  for (const std::uint32_t account : part) {
    for (const auto& item : linked_.content.of(account)) ++own[item.token];
  }
  std::size_t shared = 0, outside = 0, crossing = 0, inside = 0;
  for (const std::uint32_t account : part) {
    for (const auto& item : linked_.content.of(account)) {
      if (linked_.content_sharers[item.token] < sharers_min) continue;
      ++shared;
      outside += linked_.content_sharers[item.token] >= own[item.token] + sharers_min - 1 ? 1 : 0;
    }
    for (const std::uint32_t other : handed_to(account)) {
      const bool among = std::binary_search(part.begin(), part.end(), other);
      crossing += among ? 0 : 1;
      inside += among && account < other ? 1 : 0;
    }
  }
  if (crossing * 4 >= part.size()) return false;
  return inside * 2 >= part.size() || (shared > 0 && outside * 2 < shared);
}

}  // namespace stillwatch::graph
