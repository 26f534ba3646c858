// The threshold of a baseline: highest value of each account in the first days, then frozen.
//
// Invariant: no value from after the calibration period moves the threshold. Threads: one user. Cost: 5 bytes an
// account.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quality/baselines.h"

namespace stillwatch::quality {

class Calibration {
 public:
  explicit Calibration(const BaselineOptions& options);
  /// Before anything else of an event: starts the clock, and freezes the threshold when the period is over.
  void see(std::int64_t time_us);
  /// A value of an account: raises its highest while calibrating, acts once above the threshold afterwards.
  void judge(std::uint32_t account, std::uint32_t value, std::int64_t time_us, std::uint32_t campaign = kNone);
  /// Replaces what the calibration period will say; before the first event.
  void set_threshold(std::uint32_t threshold) { given_threshold_ = threshold; }
  /// The oracle's threshold, from the highest values of honest accounts; for a calibration that never ended.
  std::uint32_t honest_threshold(const Truth& truth) const;
  bool frozen() const { return frozen_; }
  std::uint32_t threshold() const { return threshold_; }
  Detector detector(std::string name);

 private:
  std::int64_t calibrate_us_;
  double account_error_;
  std::optional<std::uint32_t> given_threshold_;
  std::optional<std::int64_t> start_us_;
  bool frozen_ = false;
  std::uint32_t threshold_ = UINT32_MAX;
  std::vector<std::uint32_t> highest_;
  std::vector<bool> acted_;
  std::vector<Step> steps_;
};

/// Adds the steps of one detector to another, in time order.
void merge(Detector& into, const Detector& from);

}  // namespace stillwatch::quality
