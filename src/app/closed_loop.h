// A world in which verdicts ban accounts, and the campaign answers: replaces them while it can, and changes its ways.
//
// The simulator's lines go through the same parser and engine as a replay, slice by slice of event time; a verdict is
// in force from the next slice on, ten minutes later at most. Invariant: the same world, seed and options give the same
// figures for any number of threads; the secret is fixed. Threads: one caller. Cost: simulation plus replay.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "sim/simulation.h"

namespace stillwatch::app {

struct ClosedLoopOptions {
  sim::World world;
  std::uint64_t seed = 1;
  std::optional<std::string> prompts;
  unsigned threads = 1;
  engine::Settings engine;
  event::Level respond = event::Level::verify;  // verdicts of this level or above ban
  std::size_t replacements = 0;                 // spare accounts of each campaign
  std::size_t evade_after = 0;                  // bans of hostile accounts between steps of evasion; 0: none
  bool bans = true;                             // false: the same campaign left alone, and no detection
};

struct ClosedLoopResult {
  std::uint64_t records = 0;
  std::uint64_t hostile_answers = 0;  // answered requests of the harvest
  std::uint64_t hostile_accounts = 0, hostile_banned = 0, replacements = 0;
  std::uint64_t honest_accounts = 0, honest_banned = 0;
  std::uint64_t evasions = 0;
  std::optional<std::int64_t> first_ban_us;
};

/// `progress` gets the share of the world's time that is done; may be empty.
base::Result<ClosedLoopResult> run_closed_loop(const ClosedLoopOptions& options,
                                               const std::function<void(double)>& progress);

/// What half of the harvest costs with bans.
struct HalfYield {
  bool reached = false;
  std::size_t budget = 0;            // the smallest budget of replacements found that keeps half
  std::uint64_t accounts_spent = 0;  // with it
  int runs = 0;
};
/// Bisects the budget of replacements between 0 and options.replacements, in at most runs_max runs; `whole` is the
/// harvest without bans, `at_most` the run with the whole budget.
base::Result<HalfYield> cost_of_half(ClosedLoopOptions options, std::uint64_t whole, const ClosedLoopResult& at_most,
                                     int runs_max, const std::function<void(double)>& progress);

}  // namespace stillwatch::app
