// STATE/observer.snapshot: all that the observer needs to go on after the end of the process, beside its query log.
//
// Invariant: written aside, synced and renamed, so there is one whole snapshot or none; a damaged one is refused by its
// checksum. Threads: one user. Cost: one write of the engine's state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/query.h"
#include "gateway/query_log.h"

namespace stillwatch::gateway {

struct ObserverState {
  std::string policy_hash;
  std::uint64_t secret_id = 0;
  LogPosition log;                       // lines behind it are read again
  std::int64_t released_us = INT64_MIN;  // the engine has seen all before
  std::int64_t logged_us = INT64_MIN;    // the latest time in the log
  std::vector<event::Query> waiting;     // logged, not yet given to the engine; in the order of the log
  std::string engine, identities, levels, fed_ids, tail_places;
  std::string audit_mark;  // where the audit log stood; empty without one
  std::uint64_t account_lines = 0;
  std::uint64_t verdict_bytes = 0, alarm_bytes = 0;
  std::uint64_t alarms = 0;
};

base::Status write_state(const std::string& folder, const ObserverState& state);
/// Nothing when there is none. Environment error when it is damaged.
base::Result<std::optional<ObserverState>> read_state(const std::string& folder);

}  // namespace stillwatch::gateway
