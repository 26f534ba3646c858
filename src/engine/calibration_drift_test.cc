#include "engine/calibration_drift.h"

#include <gtest/gtest.h>

namespace stillwatch::engine {
namespace {

std::vector<detect::GroupFinding> groups(int count, int above, const detect::Calibration& calibration) {
  std::vector<detect::GroupFinding> findings(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    auto& finding = findings[static_cast<std::size_t>(i)];
    finding.measures.testable = true;
    finding.score = calibration.tail_start(finding.kind) + (i < above ? 0.5 : -0.5);
  }
  return findings;
}

TEST(CalibrationDrift, AQuarterAboveIsAsCalibrated) {
  const auto calibration = detect::Calibration::fit({}, 20'000, 7 * base::kDayUs, 1);
  for (const int count : {1, 4, 40, 400}) {
    EXPECT_FALSE(calibration_drift(groups(count, count / 4, calibration), calibration).is_drifted()) << count;
  }
  EXPECT_FALSE(calibration_drift({}, calibration).is_drifted());
}

TEST(CalibrationDrift, MostAboveIsDrift) {
  const auto calibration = detect::Calibration::fit({}, 20'000, 7 * base::kDayUs, 1);
  EXPECT_FALSE(calibration_drift(groups(5, 5, calibration), calibration).is_drifted()) << "five can be chance";
  const CalibrationDrift drift = calibration_drift(groups(20, 17, calibration), calibration);
  EXPECT_TRUE(drift.is_drifted());
  EXPECT_EQ(drift.groups, 20U);
  EXPECT_EQ(drift.above, 17U);
}

TEST(CalibrationDrift, CampaignsAndUntestableGroupsAreNotHonestTraffic) {
  const auto calibration = detect::Calibration::fit({}, 20'000, 7 * base::kDayUs, 1);
  auto findings = groups(20, 17, calibration);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (i % 2 == 0) findings[i].measures.testable = false;
    findings[i].strength.log10_e = i % 2 == 1 ? calibration.threshold_log10_e() : 0;
  }
  EXPECT_EQ(calibration_drift(findings, calibration).groups, 0U);
}

}  // namespace
}  // namespace stillwatch::engine
