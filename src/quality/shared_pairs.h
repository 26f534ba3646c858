// Which accounts did the same things: pairs with the number of keys that both have, by an inverted index.
//
// Invariant: the result depends on the set of tuples only; pairs are sorted. Keys of more than kPostingsMax accounts
// are popular and left out; pairs beyond kPairsMax are dropped. Both are counted.
// Threads: pure function. Cost: sorting, and kPostingsMax / 2 steps a tuple at most.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "quality/truth.h"

namespace stillwatch::quality {

inline constexpr std::size_t kPostingsMax = 100;      // accounts of one key; beyond it the key is popular
inline constexpr std::size_t kPairsMax = 10'000'000;  // about 400 MB
inline constexpr std::size_t kTuplesMax = 8'000'000;  // of one day; 128 MB. Its user stops there and counts

struct KeyedAccount {
  std::uint64_t key;
  std::uint32_t account;
  auto operator<=>(const KeyedAccount&) const = default;
};
struct SharedPair {
  std::uint32_t a, b, common;  // a < b
};
struct SharedPairs {
  std::vector<SharedPair> pairs;                               // by a, then b
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sizes;  // account, its keys that are not popular; by account
  std::uint64_t popular_keys = 0, pairs_dropped = 0;
};

SharedPairs shared_pairs(std::vector<KeyedAccount>& tuples);

/// Groups found on different days that share an account are one campaign, named by its lowest account.
class DailyCampaigns {
 public:
  void unite(std::uint32_t a, std::uint32_t b);
  /// Gives every step its campaign, as KIND-NUMBER.
  void name(Detector& detector, std::string_view kind);

 private:
  std::uint32_t root_of(std::uint32_t account);
  std::vector<std::uint32_t> links_;
};

}  // namespace stillwatch::quality
