// The accounts of a relay's pool and the order in which they were last used.
//
// Invariant: usable accounts are exactly those inside their lifetime at the time of the last advance().
// Threads: one user. Cost: constant time a use; 28 bytes an account.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "sim/actor.h"

namespace stillwatch::sim {

inline constexpr std::uint32_t kNoAccount = ~0U;

/// One account of the pool, usable from..until.
struct PoolAccount {
  Presence presence;
  std::int64_t from_us = 0, until_us = kNever;
  float weight = 1;         // its share of the work, against the others
  std::uint32_t frame = 0;  // whom it frames: 1 + index into Work::frames
  std::uint32_t topic = 0;  // which part of the work it does when topics are disjoint
};

/// The usable accounts of a pool in order of last use. Joining and leaving follow the accounts' lifetimes.
class AccountOrder {
 public:
  void open(const std::vector<PoolAccount>& accounts);
  /// Lets accounts join and leave up to a time.
  void advance(const std::vector<PoolAccount>& accounts, std::int64_t time_us);
  bool usable(std::uint32_t account) const { return place_[account] != kAbsent; }
  std::size_t size() const { return usable_.size(); }
  std::uint32_t least_recent(std::uint32_t not_this) const;
  std::uint32_t random(base::Random& random) const { return usable_[random.below(usable_.size())]; }
  void used(std::uint32_t account);
  /// Out of their lifetime's turn: a ban, and an account that takes its place.
  void leave(std::uint32_t account);
  void join(std::uint32_t account);

 private:
  static constexpr std::uint32_t kAbsent = ~0U;
  void unlink(std::uint32_t account);
  void push_back(std::uint32_t account);

  std::vector<std::uint32_t> next_, previous_;  // a list through the accounts, its head at index size
  std::vector<std::uint32_t> usable_, place_;
  std::vector<std::uint32_t> joins_, leaves_;  // by time
  std::size_t joined_ = 0, left_ = 0;
};

}  // namespace stillwatch::sim
