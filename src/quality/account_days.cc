// Isolation forest on account features: isolation_forest.h, with its paper, over one point an account and UTC day.
//
// Features: requests, hours of the day used, mean and spread of the gaps, mean and spread of the prompt lengths, turns,
// output tokens (sizes and gaps as logarithms), distinct prompts as a share of requests, distinct networks, distinct
// clients. The forest is made once, from the account-days of the calibration period.
// Statistic: the anomaly score of the account's day. What differs from common use: none of the points is labelled or
// left out, and the threshold comes from the calibration instead of an assumed share of outliers. Distinct things are
// counted in bitmaps, exact while they are few.
#include <bit>
#include <cmath>

#include "base/event_time.h"
#include "quality/baselines.h"
#include "quality/day_roll.h"
#include "quality/isolation_forest.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kHeldMax = 500'000;  // account-days of the calibration period; 26 MB
constexpr std::uint64_t kSeed = 0x150F;

// Distinct values by linear counting in 128 bits (Whang et al. 1990).
class Distinct {
 public:
  void add(std::uint64_t value) {
    const std::uint64_t bit = base::mix64(value) >> 57;
    bits_[bit >> 6] |= 1ULL << (bit & 63U);
  }
  double count() const {
    const double zero = std::fmax(0.5, 128 - std::popcount(bits_[0]) - std::popcount(bits_[1]));
    return 128 * std::log(128 / zero);
  }

 private:
  std::uint64_t bits_[2] = {0, 0};
};

// Mean and spread of a stream.
struct Moments {
  double sum = 0, squares = 0;
  std::uint32_t count = 0;
  void add(double value) {
    sum += value;
    squares += value * value;
    ++count;
  }
  double mean() const { return count == 0 ? 0 : sum / count; }
  double spread() const { return count == 0 ? 0 : std::sqrt(std::fmax(0.0, squares / count - mean() * mean())); }
};

struct AccountDay {
  std::uint32_t requests = 0, hours = 0;
  std::int64_t last_us = 0;
  Moments gaps, lengths, turns, outputs;
  Distinct prompts, networks, clients;

  void add(const LightEvent& event) {
    if (requests++ > 0) gaps.add(std::log1p(std::fmax(0.0, static_cast<double>(event.time_us - last_us) / 1e6)));
    last_us = event.time_us;
    hours |= 1U << (event.time_us / base::kHourUs % 24);
    lengths.add(std::log1p(event.text_bytes));
    turns.add(std::log1p(event.turns));
    outputs.add(std::log1p(event.output_tokens));
    if (event.prompt != 0) prompts.add(event.prompt);
    if (event.network != 0) networks.add(event.network);
    if (event.client != 0) clients.add(event.client);
  }
  FeaturePoint point() const {
    const auto f = [](double value) { return static_cast<float>(value); };
    return {f(std::log1p(requests)), f(std::popcount(hours)), f(gaps.mean()),
            f(gaps.spread()),        f(lengths.mean()),       f(lengths.spread()),
            f(turns.mean()),         f(outputs.mean()),       f(std::fmin(1.0, prompts.count() / requests)),
            f(networks.count()),     f(clients.count())};
  }
};

class AccountDays : public Baseline {
 public:
  explicit AccountDays(const BaselineOptions& options) : calibration_(options) {}

  void add(const LightEvent& event) override {
    day_.open(event.time_us, [this](std::int64_t now_us) { close_day(now_us); });
    if (calibration_.ends_at(event.time_us)) learn(event.time_us);
    calibration_.see(event.time_us);
    if (event.account >= numbers_.size()) numbers_.resize(event.account + 1, kNone);
    std::uint32_t& number = numbers_[event.account];
    if (number == kNone) {
      number = static_cast<std::uint32_t>(days_.size());
      accounts_.push_back(event.account);
      days_.emplace_back();
    }
    days_[number].add(event);
  }

  Detector finish() override {
    close_day(day_.newest_us());
    Detector out = calibration_.detector("isolation forest", "anomaly score");
    out.leave_out("calibration account-days beyond those held", not_held_);
    out.note_peak("calibration account-days held", held_peak_);
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibration_}; }

 private:
  void close_day(std::int64_t now_us) {
    for (std::size_t i = 0; i < days_.size(); ++i) {
      const FeaturePoint point = days_[i].point();
      numbers_[accounts_[i]] = kNone;
      if (calibration_.frozen()) {
        calibration_.judge(accounts_[i], forest_.score(point), now_us);
      } else if (held_.size() < kHeldMax) {
        held_.push_back(point);
        held_accounts_.push_back(accounts_[i]);
      } else {
        ++not_held_;
      }
    }
    days_.clear();
    accounts_.clear();
  }

  void learn(std::int64_t now_us) {
    held_peak_ = held_.size();
    forest_ = IsolationForest(held_, kSeed);
    for (std::size_t i = 0; i < held_.size(); ++i)
      calibration_.judge(held_accounts_[i], forest_.score(held_[i]), now_us);
    held_ = {};
    held_accounts_ = {};
  }

  Calibration calibration_;
  IsolationForest forest_;
  DayRoll day_;
  std::vector<std::uint32_t> numbers_;   // of an account in the day's vectors; kNone: not seen today
  std::vector<std::uint32_t> accounts_;  // of the day, in order of first sight
  std::vector<AccountDay> days_;
  std::vector<FeaturePoint> held_;
  std::vector<std::uint32_t> held_accounts_;
  std::size_t held_peak_ = 0;
  std::uint64_t not_held_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_isolation_forest(const BaselineOptions& options) {
  return std::make_unique<AccountDays>(options);
}

}  // namespace stillwatch::quality
