// How sure: the harvest score of a group against groups that honest traffic made, through the same clusterer.
//
// The unit of calibration is the benign group and its whole trajectory (the supremum of its score over the calibration
// period), kept apart for groups linked by hand-offs (relays) and by traits (products, classes, laboratories). With n
// groups no rank is below 1/(n+1), so beyond them the tail is extrapolated by an exponential fitted to the upper
// quarter, robustly (the largest groups, which poison would be, do not set its scale), shrunk to a prior when groups
// are few. Invariant: pure function of the trajectories; the verdict says when it rests on the extrapolation. Threads:
// const use from any number. Cost: microseconds a group. Source: peaks over threshold (Pickands 1975) with shape 0;
// p-to-e calibrator of Sellke, Bayarri, Berger (2001) as in Vovk, Wang, "E-values" (2021), eq. 2.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/byte_stream.h"
#include "detect/measures.h"
#include "event/verdict.h"

namespace stillwatch::detect {

enum class LinkKind : std::uint8_t { trait, handoff };
inline constexpr std::size_t kLinkKinds = 2;

struct GroupTrajectory {
  LinkKind kind = LinkKind::trait;
  std::vector<Measures> samples;  // one a day, and the last
};

class Calibration {
 public:
  /// Before any calibration: priors only.
  Calibration();

  static Calibration fit(const std::vector<GroupTrajectory>& groups, std::uint64_t accounts, std::int64_t period_us,
                         double false_campaigns_per_month_max);

  static constexpr double kClip = 4;  // no measure counts for more standard deviations than this

  /// What standardised measures add up to: the machine-like ones and those of the work, each sum bounded (see the .cc).
  double score(LinkKind kind, const Measures& measures) const;
  static double score_of(LinkKind kind, const std::array<double, kMeasures>& parts);
  /// The score's parts, in the order of Measure, each clipped to kClip.
  std::array<double, kMeasures> parts(LinkKind kind, const Measures& measures) const;
  event::Strength strength(LinkKind kind, double score) const;
  /// Three quarters of the benign groups of a kind stayed below this score.
  double tail_start(LinkKind kind) const { return stratum(kind).tail_start; }
  /// log10 e that a campaign needs so that the promise holds.
  double threshold_log10_e() const { return threshold_log10_e_; }
  std::uint32_t group_count() const;
  double promised_false_campaigns_per_month() const { return promise_; }

  void save(base::ByteWriter& out) const { out.put(strata_), out.put(threshold_log10_e_), out.put(promise_); }
  static Calibration load(base::ByteReader& in) {
    Calibration calibration;
    calibration.strata_ = in.get<decltype(calibration.strata_)>();
    calibration.threshold_log10_e_ = in.get<double>();
    calibration.promise_ = in.get<double>();
    return calibration;
  }

 private:
  struct Stratum {
    std::array<double, kMeasures> location{}, scale{};
    double tail_start = 0;  // three quarters of benign groups stay below
    double tail_scale = 1;  // mean excess above it
    std::uint32_t groups = 0;
  };

  void fit_stratum(LinkKind kind, const std::vector<const GroupTrajectory*>& groups);
  const Stratum& stratum(LinkKind kind) const { return strata_[static_cast<std::size_t>(kind)]; }

  std::array<Stratum, kLinkKinds> strata_;
  double threshold_log10_e_ = 0;
  double promise_ = 0;
};

}  // namespace stillwatch::detect
