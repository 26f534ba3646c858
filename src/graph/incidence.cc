#include "graph/incidence.h"

namespace stillwatch::graph {

using base::Token;

Sharers::Sharers(const Incidence& incidence, std::span<const Token> actors) {
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

void Sharers::count(std::span<const Token> actors, const std::vector<bool>& stays) {
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

}  // namespace stillwatch::graph
