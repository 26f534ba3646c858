// Client software: families with versions that come out over time, as a log shows them.
//
// Invariant: fragments are JSON without the address part of `client`. Threads: read-only. Cost: a table look-up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace stillwatch::sim {

enum class ClientUse : std::uint8_t {
  library,   // developers and services
  chat_app,  // desktop and phone front ends
  browser,   // web front ends that call the API from the page
  agent,     // coding assistants and agent runners
  harness,   // evaluation
  relay,     // relay software, honest or not
};

/// Who uses which software and when they upgrade.
struct ClientChoice {
  std::uint16_t family = 0;
  bool pinned = false;        // stays at the version of pinned_day
  std::int32_t lag_days = 0;  // upgrades so many days after a release
  std::int32_t pinned_day = 0;
};

class Clients {
 public:
  explicit Clients(std::uint64_t seed);
  ClientChoice choose(ClientUse use, base::Random& random) const;
  /// The fixed software of one operator: everybody who asks with the same key gets the same.
  ClientChoice fixed(ClientUse use, std::uint64_t key) const;
  /// `"user_agent":...,"ja4":...,"headers":[...]` on a day of the world (may be negative).
  std::string_view fragment(const ClientChoice& choice, std::int64_t day) const;

 private:
  struct Family {
    ClientUse use;
    double weight;
    std::int32_t cadence_days;
    std::int32_t phase_days;
    std::vector<std::string> versions;  // fragments, oldest first
  };
  std::vector<Family> families_;
};

}  // namespace stillwatch::sim
