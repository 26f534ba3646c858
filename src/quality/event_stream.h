// Made-up requests for tests of baselines: no text, only what a baseline reads. For tests of this module only.
//
// Invariant: everything follows from the seed. Threads: one user.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <set>

#include "base/event_time.h"
#include "base/random.h"
#include "quality/baselines.h"
#include "quality/small_world.h"

namespace stillwatch::quality {

inline std::set<std::uint32_t> actioned(const Detector& detector) {
  std::set<std::uint32_t> out;
  for (const Step& step : detector.steps) out.insert(step.account);
  return out;
}

inline LightEvent at(double hours, std::uint32_t account) {
  LightEvent event;
  event.time_us = kWorldStartUs + static_cast<std::int64_t>(hours * static_cast<double>(base::kHourUs));
  event.account = account;
  return event;
}

/// A vector at about `away` of the way from `centre` to a random direction.
inline TextVector near(const TextVector& centre, double away, base::Random& random) {
  const TextVector other = TextVector::random(random);
  std::array<float, kVectorSize> raw{};
  for (std::size_t i = 0; i < kVectorSize; ++i)
    raw[i] = static_cast<float>((1 - away) * centre.at[i] + away * other.at[i]);
  return TextVector::unit(raw).value_or(centre);
}

/// A truth of `accounts`, of which `hostile` are.
inline Truth truth_of(std::uint32_t accounts, const std::set<std::uint32_t>& hostile) {
  Truth truth;
  truth.accounts.resize(accounts);
  for (const std::uint32_t account : hostile) truth.accounts[account].hostile = true;
  truth.hostile = hostile.size();
  truth.benign = accounts - hostile.size();
  return truth;
}

/// `accounts` send `per_day` requests a day for `days` days, evenly over the day, each as `fill` makes it.
inline Detector run_stream(Baseline& baseline, int days, std::uint32_t accounts, int per_day,
                           const std::function<void(LightEvent&, int day, TextVector& vector)>& fill) {
  for (int day = 0; day < days; ++day) {
    for (int i = 0; i < per_day; ++i) {
      for (std::uint32_t account = 0; account < accounts; ++account) {
        LightEvent event = at(24.0 * (day + (i + 0.001 * account) / per_day), account);
        TextVector vector;
        fill(event, day, vector);
        if (event.vector != nullptr) event.vector = &vector;
        baseline.add(event);
      }
    }
  }
  return baseline.finish();
}

}  // namespace stillwatch::quality
