// What a provider could do without us: three simple detectors, run over the same log and calibrated on the
// same first days to the same account error, so that the evaluation can put them beside ours.
//
//  rate limit      requests of one account in one UTC day.
//  velocity        accounts seen in one network (IPv4 /24, IPv6 /48) in one day, and accounts seen so far that
//                  share one payment; each test gets half of the account error.
//  synchrotrap     after Cao, Yang, Yu, Palow: "Uncovering large groups of active malicious accounts in online
//                  social networks" (ACM CCS 2014). Two accounts are alike when they do the same thing to the
//                  same object in the same hour, again and again: each request is a tuple (account, object,
//                  hour); over a day, alike is the Jaccard similarity of two accounts' tuple sets; accounts
//                  are joined by single linkage above kJaccardMin, and large clusters are suspicious. Objects
//                  here are networks, exact prompts and client tuples, each clustered apart with a third of
//                  the account error. The paper's platform-wide incremental job becomes one pass with an
//                  inverted index whose popular tuples are left out.
//
// Oracle: the same detector with the threshold that only the truth could give: the lowest that at most
// `account_error` of the honest accounts exceed in the whole log. It is the best such a detector could do at
// that error, and what ours must beat.
//
// Calibration: the statistic of each account is its highest value in the first days; the threshold is the
// lowest value that at most `account_error` of these accounts exceed (none, when there are fewer than
// 1 / account_error). Whoever exceeds it afterwards is `verify` from that time on and for good.
// Invariant: a step's time is never earlier than the newest record it rests on, in a log sorted by time.
// Threads: one user. Cost: linear, but for synchrotrap's pairs, bounded by kPostingsMax and kPairsMax.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "quality/truth.h"

namespace stillwatch::quality {

struct BaselineOptions {
  double calibrate_days = 7;
  double account_error = 1e-4;
  double jaccard_min = 0.5;
  bool oracle = false;  // show each baseline a second time, with the threshold of the oracle
};

inline constexpr std::size_t kPostingsMax =
    100;  // accounts of one tuple; beyond it the tuple is popular and left out, counted
inline constexpr std::size_t kPairsMax =
    10'000'000;  // pairs of one day (about 400 MB); further pairs are dropped, counted
inline constexpr std::uint32_t kSharedTuplesMin = 3;  // one meeting is no habit

/// One request as a baseline sees it. 0 means unknown; accounts are those of the truth.
struct LightEvent {
  std::int64_t time_us = 0;
  std::uint32_t account = 0;
  std::uint64_t network = 0, client = 0, prompt = 0, payment = 0;
};

class Calibration;

/// A stream of events in, the steps of a detector out.
class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual void add(const LightEvent& event) = 0;
  /// After the last event. The detector's counters hold what the bounds left out, as other_subjects.
  virtual Detector finish() = 0;
  /// Its tests, in a fixed order: each has a threshold of its own.
  virtual std::vector<Calibration*> tests() = 0;
};

std::unique_ptr<Baseline> make_rate_limit(const BaselineOptions& options);
std::unique_ptr<Baseline> make_velocity(const BaselineOptions& options);
std::unique_ptr<Baseline> make_synchrotrap(const BaselineOptions& options);

/// The lowest threshold that at most a share `account_error` of the values exceed.
std::uint32_t threshold_for(std::vector<std::uint32_t> values, double account_error);

/// All three (with the oracle: six) over a query log and, for payments, an accounts file ("" for none). Accounts
/// outside the truth are left out.
base::Result<std::vector<Detector>> run_baselines(const Truth& truth, const std::string& log,
                                                  const std::string& accounts_file, const BaselineOptions& options);

}  // namespace stillwatch::quality
