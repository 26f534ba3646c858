#include "quality/shared_pairs.h"

#include <algorithm>

#include <fmt/format.h>

namespace stillwatch::quality {

SharedPairs shared_pairs(std::vector<KeyedAccount>& tuples) {
  std::sort(tuples.begin(), tuples.end());
  tuples.erase(std::unique(tuples.begin(), tuples.end()), tuples.end());
  SharedPairs out;
  std::unordered_map<std::uint64_t, std::uint32_t> common;
  std::vector<std::uint32_t> holders;
  for (std::size_t begin = 0, end; begin < tuples.size(); begin = end) {
    for (end = begin; end < tuples.size() && tuples[end].key == tuples[begin].key;) ++end;
    if (end - begin > kPostingsMax) {
      ++out.popular_keys;
      continue;
    }
    for (std::size_t i = begin; i < end; ++i) {
      holders.push_back(tuples[i].account);
      for (std::size_t j = i + 1; j < end; ++j) {
        const std::uint64_t pair = std::uint64_t{tuples[i].account} << 32 | tuples[j].account;
        const auto found = common.find(pair);
        if (found != common.end())
          ++found->second;
        else if (common.size() < kPairsMax)
          common.emplace(pair, 1);
        else
          ++out.pairs_dropped;
      }
    }
  }
  for (const auto& [pair, count] : common)
    out.pairs.push_back({static_cast<std::uint32_t>(pair >> 32), static_cast<std::uint32_t>(pair), count});
  std::sort(out.pairs.begin(), out.pairs.end(),
            [](const SharedPair& x, const SharedPair& y) { return x.a != y.a ? x.a < y.a : x.b < y.b; });
  std::sort(holders.begin(), holders.end());
  for (const std::uint32_t account : holders) {
    if (out.sizes.empty() || out.sizes.back().first != account) out.sizes.emplace_back(account, 0);
    ++out.sizes.back().second;
  }
  return out;
}

std::uint32_t DailyCampaigns::root_of(std::uint32_t account) {
  while (links_.size() <= account) links_.push_back(static_cast<std::uint32_t>(links_.size()));
  while (links_[account] != account) account = links_[account] = links_[links_[account]];
  return account;
}

void DailyCampaigns::unite(std::uint32_t a, std::uint32_t b) {
  a = root_of(a);
  b = root_of(b);
  if (a != b) links_[std::max(a, b)] = std::min(a, b);
}

void DailyCampaigns::name(Detector& detector, std::string_view kind) {
  for (Step& step : detector.steps)
    step.campaign = detector.campaigns.number(fmt::format("{}-{}", kind, root_of(step.account)));
}

}  // namespace stillwatch::quality
