// A world that runs slice by slice, in which accounts can be banned and campaigns answer to that.
//
// Invariant: world, seed, prompts and the bans so far decide every byte; threads do not. A ban takes effect on
// requests at or after its time that no slice has shown yet.
// Threads: one caller; it starts its own. Cost: about 4 us a record and core; memory by accounts, not records.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/evasion.h"
#include "sim/population.h"
#include "sim/world.h"

namespace stillwatch::sim {

struct SimulationOptions {
  World world;
  std::uint64_t seed = 1;
  std::optional<std::string> prompts;  // folder of corpora; nothing: built-in text
  std::size_t threads = 1;
  /// Campaigns fit their work to the accounts they have left, and each has so many spare ones to replace banned ones
  /// by. Nothing: bans only silence accounts.
  std::optional<std::size_t> spare_accounts;
};

/// A spare account that goes into use: its account line, and when it signs up.
struct Replacement {
  std::int64_t created_us = 0;
  std::string account_line;
};

class Simulation {
 public:
  static base::Result<std::unique_ptr<Simulation>> open(SimulationOptions options);
  ~Simulation();

  /// One line of the next slice, in the order of time.
  struct Entry {
    std::int64_t time_us = 0;
    std::string_view line;   // with newline
    std::string_view truth;  // of queries_truth.ndjson; empty: not hostile
    bool answered = false;   // status 200
  };
  /// False at the end. Views live until the next call.
  base::Result<bool> next_slice(std::vector<Entry>& entries);
  /// Share of the world's time that is done.
  double share() const;

  /// Lines of accounts.ndjson and truth.ndjson in order of sign-up, without spare accounts that are not in use.
  void for_each_account(
      const std::function<void(const std::string& account_line, const std::string& truth_line)>& take);
  /// After this accounts can neither be listed nor banned: a large world needs the memory.
  void forget_accounts();

  struct Counts {
    std::uint64_t accounts = 0, hostile_accounts = 0;  // in use, banned ones too
    std::uint64_t hostile_banned = 0, honest_banned = 0, replacements = 0;
  };
  const Counts& counts() const;
  /// Silences the account (its name in the log) from a time on. A campaign brings a spare account some hours later, if
  /// it has one. Nothing for unknown names and second bans.
  void ban(std::string_view account, std::int64_t time_us, std::vector<Replacement>& replacements);
  /// All campaigns change their ways from now on.
  void evade(Evasion step);

 private:
  struct State;
  explicit Simulation(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::sim
