// The threshold of a baseline's test: highest value of each account in the first days, then frozen.
//
// Invariant: no value from after the calibration period moves the threshold. With the oracle asked for, the highest
// values go on being noted, and only honest_threshold() and judge_again() read them. Threads: one user. Cost: 9 bytes
// an account; with the oracle 32 more for each time that an account's value rises above all before.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quality/truth.h"

namespace stillwatch::quality {

struct BaselineOptions;

class Calibration {
 public:
  /// `share` of the account error, for a baseline of several tests.
  explicit Calibration(const BaselineOptions& options, double share = 1);

  /// Whether an event at this time is the first after the period. A test that holds values back, because it learns
  /// from the whole period what is normal, judges them now, before see().
  bool ends_at(std::int64_t time_us) const { return start_us_ && !frozen_ && time_us >= *start_us_ + calibrate_us_; }
  /// Before anything else of an event: starts the clock, and freezes the threshold when the period is over.
  void see(std::int64_t time_us);
  /// A value of an account: raises its highest while calibrating, acts once above the threshold afterwards.
  void judge(std::uint32_t account, double value, std::int64_t time_us, std::uint32_t campaign = kNone);
  /// Replaces what the calibration period will say; before the first event.
  void set_threshold(double threshold) { given_threshold_ = threshold; }
  /// The oracle's threshold: the lowest that at most the allowed share of all honest accounts exceed.
  double honest_threshold(const Truth& truth) const;

  /// After the last event, with the oracle asked for: the steps as this threshold would have had them. Right where no
  /// value depends on the threshold (Baseline::reads_thresholds).
  void judge_again(double threshold);

  bool frozen() const { return frozen_; }
  double threshold() const { return threshold_; }
  /// Whether a value at or below the threshold cannot matter any more.
  bool idle_below_threshold() const { return frozen_ && !recording_; }
  /// The steps in time order, and this test under its name.
  Detector detector(std::string name, std::string_view test) const;

 private:
  std::int64_t calibrate_us_;
  double account_error_;
  bool recording_;
  std::optional<double> given_threshold_;
  std::optional<std::int64_t> start_us_;
  bool frozen_ = false;
  double threshold_ = std::numeric_limits<double>::infinity();
  std::uint64_t calibrated_ = 0;  // accounts with a value in the period
  std::vector<double> highest_;   // -infinity: no value yet
  std::vector<bool> acted_;
  std::vector<Step> steps_;
  // Of an account after the period, each higher than the one before: the first above a threshold is where it acts.
  struct High {
    double value;
    std::int64_t time_us;
    std::uint64_t order;  // of all values, for steps of one time
    std::uint32_t campaign;
  };
  void note_high(std::uint32_t account, const High& high);
  std::vector<std::vector<High>> highs_;
  std::uint64_t judged_ = 0;
};

/// The lowest threshold that at most a share `account_error` of `accounts` accounts exceed, of which those not in
/// `values` have no value. Infinity without values; -infinity when all of them may exceed it.
double threshold_for(std::vector<double> values, double account_error, std::size_t accounts);

/// Adds the steps, tests and counters of one detector to another, in time order.
void merge(Detector& into, const Detector& from);

}  // namespace stillwatch::quality
