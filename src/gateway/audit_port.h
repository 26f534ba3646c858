// What the observer tells the audit log: lines that are in the query log, verdicts, what was lost, what the engine
// learned.
//
// Invariant: called in the order in which things are in the query log and come from the engine; a line after it is in
// the log. `again`: while the log's tail is read after a start; then a call may wait for room, otherwise none waits.
// Threads: the observer's (in recovery the caller of Observer::start). Cost: at most 5 µs a line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/kept_state.h"
#include "audit/record_feed.h"
#include "engine/engine.h"

namespace stillwatch::gateway {

class AuditPort {
 public:
  virtual ~AuditPort() = default;

  /// Before anything else: what settle() gave for the snapshot that is gone on from, empty without one; and whether the
  /// query log is new, so that nothing in the audit log is of this engine. False: the audit log does not know the mark
  /// and must be given every line of the query log.
  virtual base::Result<bool> recall(std::string_view mark, bool is_anew) = 0;
  /// The tail has been read: nothing that comes from here on was given before.
  virtual void caught_up() = 0;

  /// Whether lines and losses are wanted: making a record of each line is most of what this costs.
  virtual bool wants_lines() const = 0;
  /// Moved from, and empty afterwards.
  virtual void lines(std::vector<audit::Record>& records, bool again) = 0;
  virtual void loss(audit::Loss loss, bool again) = 0;
  virtual void verdict(audit::Decision decision, bool again) = 0;
  /// The engine as it stands, after each of its steps.
  virtual void note(const engine::Engine& engine, bool again) = 0;

  /// Whether decisions should rest on the engine as it stands now; asked before a snapshot.
  virtual bool wants_state() const = 0;
  /// Keeps this state, with the names behind its tokens: decisions rest on it and on what is given from here on.
  virtual base::Status keep(const audit::KeptState& state, std::string_view names) = 0;
  /// The next note() is of another engine than the last one.
  virtual void remade() = 0;

  /// Waits, for seconds at most, until everything given is on the disk: the mark for a snapshot. Without it none may be
  /// taken, since the lines before it are not read again.
  virtual base::Result<std::string> settle() = 0;
  /// Whether bodies of requests are wanted with their lines.
  virtual bool wants_payloads() const = 0;
};

}  // namespace stillwatch::gateway
