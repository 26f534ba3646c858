// The engine: feeds ordered requests to the detector on several workers, closes epochs, applies policy, keeps
// recoverable state.
//
// Invariants: event time only; an epoch is closed by the first record after it and its verdicts carry that record's
// time, so that a log cut at any time gives exactly the verdicts up to that time; the number of workers changes no
// byte. Ports: OpenId (identities), VerdictSink (where verdicts go). Threads: one caller. Cost: the detector's, shared
// over workers, plus the close of an epoch on the caller.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_map.h"
#include "base/result.h"
#include "engine/calibration_drift.h"
#include "engine/case_book.h"
#include "engine/verdict_rate_alarm.h"
#include "engine/worker_pool.h"

namespace stillwatch::engine {

struct Settings {
  detect::Settings detect;
  policy::Settings policy;
};

/// Receives each epoch's verdicts in contract order.
using VerdictSink = std::function<base::Status(std::span<const event::Verdict>)>;

class Engine {
 public:
  Engine(const Settings& settings, unsigned workers, OpenId open, VerdictSink sink);

  /// All account records, ordered by (time, line); they take effect when event time reaches them. Before any step().
  void set_accounts(std::vector<event::AccountUpdate> updates);
  /// Further account records, ordered by time, none before the last request: accounts that sign up while it runs.
  void add_accounts(std::vector<event::AccountUpdate> updates);
  /// Uses what another engine learned from its whole log.
  void adopt_calibration(const Engine& calibrated);
  /// Ends calibration now: for a log that is only there to calibrate.
  void finish_calibration();

  /// The next requests in event-time order. Shed records are skipped and counted.
  base::Status step(std::vector<event::Query>& batch);

  struct Counters {
    std::uint64_t queries = 0, shed = 0, epochs = 0;
    std::int64_t first_us = 0, last_us = 0, calibrated_us = 0;
  };
  const Counters& counters() const { return counters_; }
  const detect::Detector& detector() const { return detector_; }
  /// What calibration learned, as bytes that are the same wherever they were learned from the same log; empty before it
  /// has ended.
  std::string calibration_bytes() const;
  const CaseBook& case_book() const { return case_book_; }
  const VerdictRateAlarm& alarm() const { return alarm_; }
  /// As of the last closing after calibration.
  const CalibrationDrift& drift() const { return drift_; }
  const std::vector<std::uint32_t>& queries_per_hour() const { return queries_per_hour_; }

  /// The whole state; restore() into an engine with equal settings continues as if there had been no stop.
  std::string snapshot() const;
  base::Status restore(std::string_view bytes);

 private:
  base::Status observe(std::span<const event::Query> queries);
  base::Status close(std::int64_t now_us);
  bool is_declared(Token account, std::int64_t time_us) const;
  void take_update(const event::AccountUpdate& update);
  AccountKind kind_of(const detect::AccountState& account) const;
  AccountKind kind_of(Token account) const;

  Settings settings_;
  WorkerPool pool_;
  OpenId open_;
  VerdictSink sink_;
  detect::Detector detector_;
  CaseBook case_book_;
  VerdictRateAlarm alarm_;
  CalibrationDrift drift_;  // not in snapshots: every closing makes it anew
  std::vector<event::AccountUpdate> updates_;
  std::size_t next_update_ = 0;
  std::map<Token, std::vector<event::DeclaredUse>> declared_;
  base::FlatMap<Token, Token> tiers_;  // by account, where known
  std::vector<detect::Observation> observations_;
  std::int64_t epoch_ = 0;
  bool opened_ = false;
  Counters counters_;
  std::vector<std::uint32_t> queries_per_hour_;
};

}  // namespace stillwatch::engine
