#include "quality/calibration.h"

#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "quality/baselines.h"

namespace stillwatch::quality {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void sort_by_time(std::vector<Step>& steps) {
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.time_us < b.time_us; });
}

Step step_of(std::uint32_t account, std::int64_t time_us, std::uint32_t campaign) {
  return {time_us, account, campaign, event::Level::verify, event::Class::distiller};
}

}  // namespace

double threshold_for(std::vector<double> values, double account_error, std::size_t accounts) {
  if (values.empty()) return kInfinity;  // nothing to calibrate on: never act
  const auto allowed = static_cast<std::size_t>(std::floor(account_error * static_cast<double>(accounts)));
  if (allowed >= values.size()) return -kInfinity;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(allowed);
  std::nth_element(values.begin(), at, values.end(), std::greater<>());
  return *at;
}

Calibration::Calibration(const BaselineOptions& options, double share)
    : calibrate_us_(static_cast<std::int64_t>(options.calibrate_days * static_cast<double>(base::kDayUs))),
      account_error_(options.account_error * share),
      recording_(options.oracle) {}

void Calibration::see(std::int64_t time_us) {
  if (!start_us_) start_us_ = time_us;
  if (!ends_at(time_us)) return;
  frozen_ = true;
  std::vector<double> seen;
  for (const double value : highest_) {
    if (value > -kInfinity) seen.push_back(value);
  }
  calibrated_ = seen.size();
  const std::size_t accounts = seen.size();
  threshold_ = given_threshold_ ? *given_threshold_ : threshold_for(std::move(seen), account_error_, accounts);
}

double Calibration::honest_threshold(const Truth& truth) const {
  std::vector<double> honest;
  for (std::size_t account = 0; account < highest_.size(); ++account) {
    if (!truth.accounts[account].hostile && highest_[account] > -kInfinity) honest.push_back(highest_[account]);
  }
  if (honest.empty()) return -kInfinity;  // whoever has a value is hostile
  return threshold_for(std::move(honest), account_error_, truth.benign);
}

void Calibration::judge(std::uint32_t account, double value, std::int64_t time_us, std::uint32_t campaign) {
  if (account >= highest_.size()) {
    highest_.resize(account + 1, -kInfinity);
    acted_.resize(account + 1, false);
  }
  if (!frozen_ || recording_) highest_[account] = std::max(highest_[account], value);
  if (frozen_ && recording_) note_high(account, {value, time_us, judged_++, campaign});
  if (frozen_ && value > threshold_ && !acted_[account]) {
    acted_[account] = true;
    steps_.push_back(step_of(account, time_us, campaign));
  }
}

void Calibration::note_high(std::uint32_t account, const High& high) {
  if (account >= highs_.size()) highs_.resize(account + 1);
  auto& highs = highs_[account];
  if (highs.empty() || high.value > highs.back().value) highs.push_back(high);
}

void Calibration::judge_again(double threshold) {
  threshold_ = threshold;
  std::vector<std::pair<std::uint64_t, Step>> steps;
  for (std::uint32_t account = 0; account < highs_.size(); ++account) {
    for (const High& high : highs_[account]) {
      if (!(high.value > threshold)) continue;
      steps.push_back({high.order, step_of(account, high.time_us, high.campaign)});
      break;
    }
  }
  std::sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  steps_.clear();
  for (const auto& [order, step] : steps) steps_.push_back(step);
}

Detector Calibration::detector(std::string name, std::string_view test) const {
  Detector out;
  out.name = std::move(name);
  out.steps = steps_;
  sort_by_time(out.steps);
  out.tests.push_back({std::string(test), threshold_, calibrated_});
  return out;
}

void merge(Detector& into, const Detector& from) {
  for (Step step : from.steps) {
    if (step.campaign != kNone) step.campaign = into.campaigns.number(from.campaigns.name(step.campaign));
    into.steps.push_back(step);
  }
  into.other_subjects += from.other_subjects;
  into.tests.insert(into.tests.end(), from.tests.begin(), from.tests.end());
  for (const auto& [what, count] : from.left_out) into.leave_out(what, count);
  for (const auto& [what, count] : from.peaks) into.note_peak(what, count);
  sort_by_time(into.steps);
}

}  // namespace stillwatch::quality
