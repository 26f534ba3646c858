// Runs a world: every request of every account in the order of time, and the truth about them.
//
// Invariant: world, seed and prompts alone decide every byte; threads do not. Outputs are complete or absent.
// Threads: call from one; it starts its own. Cost: about 4 us a record and core; memory by accounts, not records.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "sim/world.h"

namespace stillwatch::sim {

struct SimulateProgress {
  double share = 0;  // of the world's time
  std::uint64_t records = 0;
};

struct SimulateOptions {
  World world;
  std::uint64_t seed = 1;
  std::string out;                     // folder
  std::optional<std::string> prompts;  // folder of corpora; nothing: built-in text
  std::optional<int> stream_to;        // descriptor for plain NDJSON instead of queries.ndjson.zst
  std::size_t threads = 1;
  std::function<void(const SimulateProgress&)> progress;
};

struct SimulateSummary {
  std::uint64_t records = 0, hostile_records = 0, bytes = 0;
  std::uint64_t accounts = 0, hostile_accounts = 0;
};

/// As many as the machine runs at once, at least one.
std::size_t machine_threads();

base::Result<SimulateSummary> simulate(const SimulateOptions& options);

}  // namespace stillwatch::sim
