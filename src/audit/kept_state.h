// A state of the engine that decisions rest on, with the records that were logged by then and that it had not seen: a
// replay goes on from it instead of from the beginning of the log.
//
// Invariant: tokens only, no raw id; equal states have equal bytes, and write_state() gives back what read_state()
// took. Threads: plain values. Cost: copies of the engine's snapshot, hundreds of megabytes for a million accounts.
// Format: docs/reference/ledger-files.md, "Kept states".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/query.h"

namespace stillwatch::audit {

struct KeptState {
  std::int64_t first_us = 0;  // of the oldest record that it knows of
  std::int64_t time_us = 0;   // event time that it stands at: what comes later is among the inputs
  std::uint64_t secret_id = 0;
  std::uint64_t account_updates = 0;  // account records that the engine had been given, by then or for later
  std::string policy_hash;            // "sha256:..."
  std::string log_file;               // of the query log: what follows is in this file or a later one. Empty: not known
  std::vector<event::Query> waiting;  // logged, and not yet given to the engine; in the order of the log
  std::string engine;                 // Engine::snapshot()
};

std::string write_state(const KeptState& state);
/// Input error for anything that write_state() did not make.
base::Result<KeptState> read_state(std::string_view bytes);

/// The two times, from the beginning of such a file.
inline constexpr std::size_t kStateHeadBytes = 40;
base::Status read_state_head(std::string_view bytes, std::int64_t& first_us, std::int64_t& time_us);

}  // namespace stillwatch::audit
