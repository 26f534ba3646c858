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

#include "base/result.h"
#include "engine/engine.h"
#include "replay/ledger_output.h"
#include "replay/output_set.h"

namespace stillwatch::replay {

struct Progress {
  std::uint64_t records = 0;
  std::uint64_t bytes_read = 0, bytes_total = 0;  // of the log files; total 0 when not known
};

struct OpenedMember {
  std::string account;
  event::Member member;
  event::Level level = event::Level::clear;
};

struct OpenedAlarm {
  event::Alarm alarm;
  std::string value;  // of its key, such as a user agent
};

/// What the run found, with ids opened, for the report.
struct Outcome {
  std::vector<event::Campaign> campaigns;
  std::map<std::uint32_t, std::vector<OpenedMember>> members;  // by campaign, most queries first
  std::map<std::uint32_t, std::vector<std::string>> models;
  std::map<std::string, std::uint64_t> accounts_by_level, end_users_by_level;
  std::vector<OpenedAlarm> alarms;
  engine::Engine::Counters engine;
  std::uint64_t records = 0, rejected = 0, duplicates = 0, late = 0, unknown_fields = 0, bytes = 0, lines = 0;
  std::uint64_t account_lines = 0, account_lines_rejected = 0;
  std::map<std::string, std::uint64_t> rejected_by_reason;
  std::map<std::string, std::uint64_t> counters;
  std::uint64_t accounts = 0, openings = 0;
  std::uint32_t calibration_groups = 0;
  std::string calibration_bytes;  // Engine::calibration_bytes
  double promised_false_campaigns_per_month = 0, threshold_log10_e = 0;
  std::vector<std::uint32_t> queries_per_hour;
  std::vector<std::string> warnings;
  std::vector<base::Error> problems;  // logs that were damaged or cut: their readable lines counted
  /// Share of lines that were refused.
  double reject_share() const { return lines == 0 ? 0 : static_cast<double>(rejected) / static_cast<double>(lines); }
  double account_reject_share() const {
    return account_lines == 0 ? 0 : static_cast<double>(account_lines_rejected) / static_cast<double>(account_lines);
  }
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
