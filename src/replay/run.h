// A replay: log files through intake into the engine, verdict files out.
//
// Invariant: same logs, settings and secret give the same bytes in OUT for any number of threads and across any number
// of stops and resumes. OUT's files appear together when all are complete; a run that fails or is stopped leaves OUT as
// it was.
// Threads: run() on the caller; parsing and detection on `threads` workers. Cost: see `stillwatch bench replay`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "audit/kept_state.h"
#include "base/result.h"
#include "engine/engine.h"
#include "replay/ledger_output.h"
#include "replay/outcome.h"
#include "replay/output_set.h"

namespace stillwatch::replay {

struct Progress {
  std::uint64_t records = 0;
  std::uint64_t bytes_read = 0, bytes_total = 0;  // of the log files; total 0 when not known
};

struct Options {
  std::vector<std::string> logs;
  std::string accounts, out, format = "native", calibrate, state, secret;
  unsigned threads = 1;
  engine::Settings engine;
  std::int64_t lateness_us = 0;
  std::uint64_t line_bytes_max = 0;
  double snapshot_seconds = 30;
  std::string policy_hash;
  LedgerOptions ledger;
  /// Goes on from this state, whose names these are, instead of from nothing; a check error when accounts, settings,
  /// secret or version do not fit it. Null: from nothing.
  const audit::KeptState* base = nullptr;
  std::string base_names;
  /// Takes out of a batch what the engine must not be given; `digests` are those of the lines, `open` gives ids. May be
  /// empty.
  std::function<base::Status(std::vector<event::Query>&, const std::vector<crypto::Sha256Digest>& digests,
                             const event::OpenId& open)>
      choose;
  /// Each verdict and its line, as it is written. May be empty.
  std::function<base::Status(const event::Verdict&, std::string_view line, const event::OpenId& open)> on_verdict;
  std::function<void(const Progress&)> on_progress;   // now and then
  const std::atomic<bool>* stop_requested = nullptr;  // set by a signal handler
  /// Adds the report's files to the outputs; `verdicts` is where the verdict lines stand by then. May be empty.
  std::function<base::Status(const Outcome&, const std::string& verdicts, OutputSet&)> add_report;
};

/// Writes verdicts.ndjson, campaigns.ndjson, members.ndjson, alarms.ndjson, rejects.ndjson and the report into
/// options.out. When stopped: an environment error that says how to go on, with a snapshot in options.state if that is
/// set.
base::Result<Outcome> run(const Options& options);

}  // namespace stillwatch::replay
