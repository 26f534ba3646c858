// What a provider could do without us: simple detectors and published ones, run over the same log and calibrated on
// the same first days to the same account error, so that the evaluation can put them beside ours. Each is described,
// with its paper and what differs, at the head of its file; docs/reference/evaluation.md has the table.
//
// Oracle: the same detector with the threshold that only the truth could give: the lowest that at most
// `account_error` of the honest accounts exceed in the whole log. It is the best such a detector could do at
// that error, and what ours must beat.
//
// Calibration: the statistic of each account is its highest value in the first days; the threshold is the
// lowest value that at most `account_error` of these accounts exceed (none, when there are fewer than
// 1 / account_error). Whoever exceeds it afterwards is `verify` from that time on and for good.
// Invariant: a step's time is never earlier than the newest record it rests on, in a log sorted by time. The same log
// gives the same steps.
// Threads: one user. Cost: linear in the log, a line is parsed once for all; what would grow is bounded by named
// constants, and what a bound leaves out is counted in Detector::left_out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quality/calibration.h"
#include "quality/text_vector.h"
#include "quality/truth.h"

namespace stillwatch::quality {

struct BaselineOptions {
  double calibrate_days = 7;
  double account_error = 1e-4;
  double jaccard_min = 0.5;
  std::size_t vectors_max = 2'000'000;  // that PRADA and SEAT each hold of all accounts; 256 MB
  bool oracle = false;                  // show each baseline a second time, with the threshold of the oracle
  std::vector<std::string> only;        // names of baseline_names(); empty: all
};

/// One request as a baseline sees it. 0 means unknown; accounts are those of the truth.
struct LightEvent {
  std::int64_t time_us = 0;
  std::uint32_t account = 0;
  std::uint64_t network = 0, client = 0, prompt = 0, payment = 0;
  std::uint64_t prefix = 0, skeleton = 0;  // first words of the prompt; its short words in order
  std::uint32_t text_bytes = 0, turns = 0, output_tokens = 0;
  float weak_score = 0;                // how much one request looks like harvest, alone
  const TextVector* vector = nullptr;  // of the prompt; none: no text, or the vectors' mean is not known yet
};

/// A stream of events in, the steps of a detector out.
class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual void add(const LightEvent& event) = 0;
  /// After the last event.
  virtual Detector finish() = 0;
  /// Its tests, in a fixed order: each has a threshold of its own.
  virtual std::vector<Calibration*> tests() = 0;
  /// Whether what it does with an event depends on its thresholds: then another threshold needs the log again. The
  /// others may be finished once more after Calibration::judge_again().
  virtual bool reads_thresholds() const { return false; }
};

using MakeBaseline = std::unique_ptr<Baseline>(const BaselineOptions& options);
MakeBaseline make_rate_limit, make_velocity, make_synchrotrap, make_prada, make_seat, make_mmd, make_coverage,
    make_isolation_forest, make_evilcohort, make_fraudar, make_stream_clusters;

/// The names that BaselineOptions::only may hold, in the order of the detectors.
std::vector<std::string_view> baseline_names();

/// The chosen baselines over a query log, and with the oracle each a second time: those that read thresholds see the
/// log again, parsed again only when it has more than two million requests. `accounts_file` is for payments; "" for
/// none. Accounts outside the truth are left out.
base::Result<std::vector<Detector>> run_baselines(const Truth& truth, const std::string& log,
                                                  const std::string& accounts_file, const BaselineOptions& options);

}  // namespace stillwatch::quality
