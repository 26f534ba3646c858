// Who of an account's end users does a group's work: the few with most of it, and how many others there are.
//
// An account may be a service with thousands of people behind it, one of whom harvests. Then the person is to be acted
// on and not the service. Everything here is claimed by the account itself, which may be the attacker: see
// policy/scope.h for what may follow from it.
// The heaviest are kept by Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k
// elements in data streams", ICDT 2005): an entry's hits are never too low, and too high by at most the least entry;
// each entry keeps its own error, and lower_hits() is certain. The others are counted by linear counting over 64 bits
// (standard error about 2 at 20, full at about 270).
// Invariant: counts are of requests since the account was linked to its group; all are halved together when one is
// full, so that shares stay. Threads: plain value. Cost: ~5 ns a request; 72 bytes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/random.h"
#include "base/token.h"

namespace stillwatch::detect {

class EndUsers {
  template <class Self>
  static auto members_of(Self& self) {
    return std::tie(self.users_, self.seen_, self.hit_requests_, self.errors_, self.other_requests_, self.hits_,
                    self.others_, self.others_named_);
  }

 public:
  static constexpr std::size_t kHeavyMax = 4;

  struct Heavy {
    base::Token user = 0;
    std::uint16_t hits = 0, error = 0;  // requests of the group's work, and how many of these may be another's
    std::uint16_t others = 0;           // its other requests, as far as it was among the heavy
  };

  /// One request since linking. `user` 0: none was passed.
  void add(base::Token user, bool hit) {
    if (hits_ == UINT16_MAX || others_ == UINT16_MAX) halve();
    if (hit) {
      ++hits_;
      if (user != 0) add_hit(user);
      return;
    }
    ++others_;
    if (user == 0) return;
    for (std::size_t i = 0; i < kHeavyMax; ++i) {
      if (users_[i] != user) continue;
      ++other_requests_[i];
      return;
    }
    ++others_named_;
    seen_ |= std::uint64_t{1} << (base::mix64(user ^ 0x3C6EF372FE94F82BULL) >> 58);
  }

  /// Of the group's work: by end users that are certainly it, most first.
  std::array<Heavy, kHeavyMax> heaviest() const {
    std::array<Heavy, kHeavyMax> out;
    for (std::size_t i = 0; i < kHeavyMax; ++i) out[i] = {users_[i], hit_requests_[i], errors_[i], other_requests_[i]};
    std::sort(out.begin(), out.end(), [](const Heavy& a, const Heavy& b) {
      const int a_hits = a.hits - a.error, b_hits = b.hits - b.error;
      return a_hits != b_hits ? a_hits > b_hits : a.user < b.user;
    });
    return out;
  }
  std::uint32_t hits() const { return hits_; }
  std::uint32_t others() const { return others_; }
  /// Requests outside the group's work by end users that are not among the heavy.
  std::uint32_t others_named() const { return others_named_; }
  /// Requests with any end user, of hits() + others(), and how many end users there are, about.
  std::uint32_t named() const {
    std::uint32_t sum = others_named_;
    for (std::size_t i = 0; i < kHeavyMax; ++i) sum += hit_requests_[i] + other_requests_[i];
    return sum;
  }
  double distinct() const {
    return others_distinct() + static_cast<double>(kHeavyMax) -
           static_cast<double>(std::count(users_.begin(), users_.end(), base::Token{0}));
  }
  /// How many different end users sent those, about.
  double others_distinct() const {
    const int empty = 64 - std::popcount(seen_);
    return -64 * std::log(std::max(empty, 1) / 64.0);
  }

  auto members() const { return members_of(*this); }
  auto members() { return members_of(*this); }

 private:
  void add_hit(base::Token user) {
    std::size_t least = 0;
    for (std::size_t i = 0; i < kHeavyMax; ++i) {
      if (users_[i] == user) {
        ++hit_requests_[i];
        return;
      }
      // Ties by token: the result must not depend on the place in the table.
      if (hit_requests_[i] < hit_requests_[least] ||
          (hit_requests_[i] == hit_requests_[least] && users_[i] < users_[least]))
        least = i;
    }
    users_[least] = user;
    errors_[least] = hit_requests_[least]++;
    other_requests_[least] = 0;
  }

  void halve() {
    for (std::size_t i = 0; i < kHeavyMax; ++i) {
      hit_requests_[i] /= 2;
      errors_[i] = static_cast<std::uint16_t>((errors_[i] + 1) / 2);
      other_requests_[i] /= 2;
    }
    hits_ /= 2;
    others_ /= 2;
    others_named_ /= 2;
  }

  std::array<base::Token, kHeavyMax> users_{};
  std::uint64_t seen_ = 0;
  std::array<std::uint16_t, kHeavyMax> hit_requests_{}, errors_{}, other_requests_{};
  std::uint16_t hits_ = 0, others_ = 0, others_named_ = 0;
};
static_assert(sizeof(EndUsers) == 72, "part of the bound of layer L1");

}  // namespace stillwatch::detect
