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
  std::vector<Calibration*> tests() override { return {&calibration_}; }

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
  explicit Velocity(const BaselineOptions& options)
      : networks_(with_error(options, 0.5), true), payments_(with_error(options, 0.5), false) {}

  void add(const LightEvent& event) override {
    networks_.add(event.network, event.account, event.time_us);
    payments_.add(event.payment, event.account, event.time_us);
  }
  Detector finish() override {
    Detector out = networks_.calibration().detector("network and payment");
    merge(out, payments_.calibration().detector(""));
    return out;
  }
  std::vector<Calibration*> tests() override { return {&networks_.calibration(), &payments_.calibration()}; }

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
    : calibrate_us_(static_cast<std::int64_t>(options.calibrate_days * static_cast<double>(base::kDayUs))),
      account_error_(options.account_error) {}

void Calibration::see(std::int64_t time_us) {
  if (!start_us_) start_us_ = time_us;
  if (frozen_ || time_us < *start_us_ + calibrate_us_) return;
  frozen_ = true;
  std::vector<std::uint32_t> seen;
  for (const std::uint32_t value : highest_) {
    if (value > 0) seen.push_back(value);
  }
  threshold_ = given_threshold_ ? *given_threshold_ : threshold_for(std::move(seen), account_error_);
}

std::uint32_t Calibration::honest_threshold(const Truth& truth) const {
  std::vector<std::uint32_t> honest;
  for (std::size_t account = 0; account < highest_.size(); ++account) {
    if (!truth.accounts[account].hostile && highest_[account] > 0) honest.push_back(highest_[account]);
  }
  return threshold_for(std::move(honest), account_error_);
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
  std::stable_sort(out.steps.begin(), out.steps.end(),
                   [](const Step& a, const Step& b) { return a.time_us < b.time_us; });
  return out;
}

void merge(Detector& into, const Detector& from) {
  for (Step step : from.steps) {
    if (step.campaign != kNone) step.campaign = into.campaigns.number(from.campaigns.name(step.campaign));
    into.steps.push_back(step);
  }
  into.other_subjects += from.other_subjects;
  std::stable_sort(into.steps.begin(), into.steps.end(),
                   [](const Step& a, const Step& b) { return a.time_us < b.time_us; });
}

std::unique_ptr<Baseline> make_rate_limit(const BaselineOptions& options) {
  return std::make_unique<RateLimit>(options);
}
std::unique_ptr<Baseline> make_velocity(const BaselineOptions& options) { return std::make_unique<Velocity>(options); }

namespace {

using Baselines = std::vector<std::unique_ptr<Baseline>>;

Baselines make_all(const BaselineOptions& options) {
  Baselines out;
  out.push_back(make_rate_limit(options));
  out.push_back(make_velocity(options));
  out.push_back(make_synchrotrap(options));
  return out;
}

struct LogSpan {
  std::uint64_t events = 0, others = 0;
  std::int64_t first_us = INT64_MAX, last_us = INT64_MIN;
};

base::Result<LogSpan> feed(const Truth& truth, const std::string& log, const std::vector<std::uint64_t>& payments,
                           const std::vector<Baselines*>& all) {
  LogSpan span;
  RowParser parser;
  LogRow row;
  STILLWATCH_CHECK(for_each_line(log, [&](std::string_view line) {
    const auto account = parser.read(line, row) ? truth.accounts_by_name.find(row.account) : std::nullopt;
    if (!account) {
      ++span.others;
      return;
    }
    ++span.events;
    span.first_us = std::min(span.first_us, row.time_us);
    span.last_us = std::max(span.last_us, row.time_us);
    const LightEvent event{row.time_us, *account, row.network, row.client, row.prompt, payments[*account]};
    for (Baselines* baselines : all) {
      for (const auto& baseline : *baselines) baseline->add(event);
    }
  }));
  return span;
}

base::Result<std::vector<std::uint64_t>> read_payments(const Truth& truth, const std::string& path) {
  std::vector<std::uint64_t> payments(truth.accounts.size(), 0);
  if (path.empty()) return payments;
  RowParser parser;
  Names names;
  AccountRow row;
  STILLWATCH_CHECK(for_each_line(path, [&](std::string_view line) {
    const auto account = parser.read(line, row) ? truth.accounts_by_name.find(row.account) : std::nullopt;
    if (account && !row.payment.empty()) payments[*account] = names.number(row.payment) + 1;
  }));
  return payments;
}

}  // namespace

base::Result<std::vector<Detector>> run_baselines(const Truth& truth, const std::string& log,
                                                  const std::string& accounts_file, const BaselineOptions& options) {
  STILLWATCH_TRY(payments, read_payments(truth, accounts_file));
  BaselineOptions endless = options;
  endless.calibrate_days = 1e6;  // records highest values and never acts
  Baselines calibrated = make_all(options), recorders = options.oracle ? make_all(endless) : Baselines{};
  STILLWATCH_TRY(span, feed(truth, log, payments, {&calibrated, &recorders}));
  if (span.events == 0) {
    return base::fail(
        base::Fault::caller,
        fmt::format("{} holds no request of an account of the truth ({} other lines): is it the log of that world?",
                    log, span.others));
  }
  const double days = static_cast<double>(span.last_us - span.first_us) / static_cast<double>(base::kDayUs);
  if (days <= options.calibrate_days) {
    return base::fail(
        base::Fault::caller,
        fmt::format("{} spans {:.1f} days, no more than the {:g} days of calibration; set --calibrate-days lower", log,
                    days, options.calibrate_days));
  }
  std::vector<Detector> out;
  for (const auto& baseline : calibrated) out.push_back(baseline->finish());
  if (options.oracle) {
    Baselines oracles = make_all(options);
    for (std::size_t i = 0; i < oracles.size(); ++i) {
      (void)recorders[i]->finish();
      const auto known = recorders[i]->tests();
      const auto tests = oracles[i]->tests();
      for (std::size_t test = 0; test < tests.size(); ++test)
        tests[test]->set_threshold(known[test]->honest_threshold(truth));
    }
    STILLWATCH_TRY(again, feed(truth, log, payments, {&oracles}));
    if (again.events != span.events)
      return base::fail(base::Fault::environment,
                        fmt::format("{} changed while it was read; run again when it is at rest", log));
    for (const auto& baseline : oracles) {
      out.push_back(baseline->finish());
      out.back().name += ", oracle";
    }
  }
  for (Detector& detector : out) {
    detector.first_us = span.first_us;
    detector.last_us = span.last_us;
  }
  return out;
}

}  // namespace stillwatch::quality
