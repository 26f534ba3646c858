// What a campaign changes when it loses accounts, step by step; each step is added to those before.
//
// Invariant: the order is the cost to the attacker, cheapest first. Threads: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace stillwatch::sim {

enum class Evasion : std::uint8_t { reword, spoof, residential, dilute, unpace, reword_again };
inline constexpr std::array<std::string_view, 6> kEvasionNames = {"reworded templates",
                                                                  "spoofed clients",
                                                                  "residential proxies",
                                                                  "half the attack share",
                                                                  "random selection and human hours",
                                                                  "reworded again, all of these together"};

/// The step after `taken` steps; the last one repeats.
constexpr Evasion evasion_step(std::size_t taken) {
  return static_cast<Evasion>(taken < kEvasionNames.size() ? taken : kEvasionNames.size() - 1);
}

}  // namespace stillwatch::sim
