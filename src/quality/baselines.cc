#include "quality/baselines.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

#include "base/event_time.h"
#include "quality/calibration.h"
#include "quality/rows.h"

namespace stillwatch::quality {
namespace {

std::int64_t day_of(std::int64_t time_us) { return time_us / base::kDayUs; }

class RateLimit : public Baseline {
 public:
  explicit RateLimit(const BaselineOptions& options) : calibration_(options) {}

  void add(const LightEvent& event) override {
    calibration_.see(event.time_us);
    if (event.account >= days_.size()) days_.resize(event.account + 1);
    Day& day = days_[event.account];
    if (day.day != day_of(event.time_us)) day = {day_of(event.time_us), 0};
    calibration_.judge(event.account, ++day.requests, event.time_us);
  }
  Detector finish() override { return calibration_.detector("rate limit"); }

 private:
  struct Day {
    std::int64_t day = -1;
    std::uint32_t requests = 0;
  };
  Calibration calibration_;
  std::vector<Day> days_;
};

// Accounts seen under each key; an account's value is the size of the largest set that it is in.
class SharedKey {
 public:
  SharedKey(const BaselineOptions& options, bool daily) : calibration_(options), daily_(daily) {}

  void add(std::uint64_t key, std::uint32_t account, std::int64_t time_us) {
    calibration_.see(time_us);
    if (daily_ && day_of(time_us) != day_) {
      day_ = day_of(time_us);
      sets_.clear();
    }
    if (key == 0) return;
    Set& set = sets_[key];
    const auto at = std::lower_bound(set.accounts.begin(), set.accounts.end(), account);
    if (at != set.accounts.end() && *at == account) return;
    set.accounts.insert(at, account);
    const auto size = static_cast<std::uint32_t>(set.accounts.size());
    if (calibration_.frozen() && size <= calibration_.threshold()) return;
    if (set.acted) return calibration_.judge(account, size, time_us);
    for (const std::uint32_t member : set.accounts) calibration_.judge(member, size, time_us);
    set.acted = calibration_.frozen();
  }
  Calibration& calibration() { return calibration_; }

 private:
  struct Set {
    std::vector<std::uint32_t> accounts;  // in order
    bool acted = false;                   // all its accounts were acted on; from now on only who joins
  };
  Calibration calibration_;
  bool daily_;
  std::int64_t day_ = -1;
  std::unordered_map<std::uint64_t, Set> sets_;
};

BaselineOptions with_error(BaselineOptions options, double share) {
  options.account_error *= share;
  return options;
}

class Velocity : public Baseline {
 public:
  explicit Velocity(const BaselineOptions& options) : networks_(with_error(options, 0.5), true), payments_(with_error(options, 0.5), false) {}

  void add(const LightEvent& event) override {
    networks_.add(event.network, event.account, event.time_us);
    payments_.add(event.payment, event.account, event.time_us);
  }
  Detector finish() override {
    Detector out = networks_.calibration().detector("network and payment");
    merge(out, payments_.calibration().detector(""));
    return out;
  }

 private:
  SharedKey networks_, payments_;
};

}  // namespace

std::uint32_t threshold_for(std::vector<std::uint32_t> values, double account_error) {
  if (values.empty()) return UINT32_MAX;  // nothing to calibrate on: never act
  const auto allowed = static_cast<std::size_t>(std::floor(account_error * static_cast<double>(values.size())));
  if (allowed >= values.size()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(allowed);
  std::nth_element(values.begin(), at, values.end(), std::greater<>());
  return *at;
}

Calibration::Calibration(const BaselineOptions& options)
    : calibrate_us_(static_cast<std::int64_t>(options.calibrate_days * static_cast<double>(base::kDayUs))), account_error_(options.account_error) {}

void Calibration::see(std::int64_t time_us) {
  if (!start_us_) start_us_ = time_us;
  if (frozen_ || time_us < *start_us_ + calibrate_us_) return;
  frozen_ = true;
  std::vector<std::uint32_t> seen;
  for (const std::uint32_t value : highest_) {
    if (value > 0) seen.push_back(value);
  }
  threshold_ = threshold_for(std::move(seen), account_error_);
}

void Calibration::judge(std::uint32_t account, std::uint32_t value, std::int64_t time_us, std::uint32_t campaign) {
  if (account >= highest_.size()) {
    highest_.resize(account + 1, 0);
    acted_.resize(account + 1, false);
  }
  if (!frozen_) {
    highest_[account] = std::max(highest_[account], value);
  } else if (value > threshold_ && !acted_[account]) {
    acted_[account] = true;
    steps_.push_back({time_us, account, campaign, event::Level::verify, event::Class::distiller});
  }
}

Detector Calibration::detector(std::string name) {
  Detector out;
  out.name = std::move(name);
  out.steps = steps_;
  std::stable_sort(out.steps.begin(), out.steps.end(), [](const Step& a, const Step& b) { return a.time_us < b.time_us; });
  return out;
}

void merge(Detector& into, const Detector& from) {
  for (Step step : from.steps) {
    if (step.campaign != kNone) step.campaign = into.campaigns.number(from.campaigns.name(step.campaign));
    into.steps.push_back(step);
  }
  into.other_subjects += from.other_subjects;
  std::stable_sort(into.steps.begin(), into.steps.end(), [](const Step& a, const Step& b) { return a.time_us < b.time_us; });
}

std::unique_ptr<Baseline> make_rate_limit(const BaselineOptions& options) { return std::make_unique<RateLimit>(options); }
std::unique_ptr<Baseline> make_velocity(const BaselineOptions& options) { return std::make_unique<Velocity>(options); }

base::Result<std::vector<Detector>> run_baselines(const Truth& truth, const std::string& log, const std::string& accounts_file,
                                                  const BaselineOptions& options) {
  RowParser parser;
  std::vector<std::uint64_t> payments(truth.accounts.size(), 0);
  if (!accounts_file.empty()) {
    Names names;
    AccountRow row;
    STILLWATCH_CHECK(for_each_line(accounts_file, [&](std::string_view line) {
      const auto account = parser.read(line, row) ? truth.accounts_by_name.find(row.account) : std::nullopt;
      if (account && !row.payment.empty()) payments[*account] = names.number(row.payment) + 1;
    }));
  }
  std::vector<std::unique_ptr<Baseline>> baselines;
  baselines.push_back(make_rate_limit(options));
  baselines.push_back(make_velocity(options));
  baselines.push_back(make_synchrotrap(options));
  LogRow row;
  std::uint64_t events = 0, others = 0;
  std::int64_t first_us = INT64_MAX, last_us = INT64_MIN;
  STILLWATCH_CHECK(for_each_line(log, [&](std::string_view line) {
    const auto account = parser.read(line, row) ? truth.accounts_by_name.find(row.account) : std::nullopt;
    if (!account) {
      ++others;
      return;
    }
    ++events;
    first_us = std::min(first_us, row.time_us);
    last_us = std::max(last_us, row.time_us);
    const LightEvent event{row.time_us, *account, row.network, row.client, row.prompt, payments[*account]};
    for (const auto& baseline : baselines) baseline->add(event);
  }));
  if (events == 0) {
    return base::fail(base::Fault::caller, fmt::format("{} holds no request of an account of the truth ({} other lines): is it the log of that world?", log, others));
  }
  if (static_cast<double>(last_us - first_us) < options.calibrate_days * static_cast<double>(base::kDayUs)) {
    return base::fail(base::Fault::caller, fmt::format("{} spans {:.1f} days, no more than the {:g} days of calibration; set --calibrate-days lower", log,
                                                       static_cast<double>(last_us - first_us) / static_cast<double>(base::kDayUs), options.calibrate_days));
  }
  std::vector<Detector> out;
  for (const auto& baseline : baselines) {
    out.push_back(baseline->finish());
    out.back().first_us = first_us;
    out.back().last_us = last_us;
  }
  return out;
}

}  // namespace stillwatch::quality
