// The two baselines that count: requests of an account, and accounts that share a network or a payment.
//
//  rate limit   requests of one account in one UTC day.
//  velocity     accounts seen in one network (IPv4 /24, IPv6 /48) in one day, and accounts seen so far that share one
//               payment; each test gets half of the account error.
#include "quality/baselines.h"

#include <algorithm>
#include <unordered_map>

#include "base/event_time.h"

namespace stillwatch::quality {
namespace {

// Accounts held in all sets of one kind together; beyond it nobody joins, counted.
constexpr std::size_t kMembersMax = 10'000'000;

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
  Detector finish() override { return calibration_.detector("rate limit", "requests a day"); }
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
  SharedKey(const BaselineOptions& options, bool daily) : calibration_(options, 0.5), daily_(daily) {}

  void add(std::uint64_t key, std::uint32_t account, std::int64_t time_us) {
    calibration_.see(time_us);
    if (daily_ && day_of(time_us) != day_) {
      day_ = day_of(time_us);
      sets_.clear();
      members_ = 0;
    }
    if (key == 0) return;
    if (members_ >= kMembersMax) {
      ++left_out_;
      return;
    }
    Set& set = sets_[key];
    const auto at = std::lower_bound(set.accounts.begin(), set.accounts.end(), account);
    if (at != set.accounts.end() && *at == account) return;
    set.accounts.insert(at, account);
    peak_ = std::max(peak_, ++members_);
    const auto size = static_cast<double>(set.accounts.size());
    if (calibration_.idle_below_threshold() && size <= calibration_.threshold()) return;
    if (set.acted) return calibration_.judge(account, size, time_us);
    for (const std::uint32_t member : set.accounts) calibration_.judge(member, size, time_us);
    set.acted = calibration_.idle_below_threshold();
  }
  Calibration& calibration() { return calibration_; }
  Detector finish(std::string name, std::string_view test) const {
    Detector out = calibration_.detector(std::move(name), test);
    out.leave_out("requests beyond the accounts held", left_out_);
    out.note_peak("accounts held", peak_);
    return out;
  }

 private:
  struct Set {
    std::vector<std::uint32_t> accounts;  // in order
    bool acted = false;                   // all its accounts were acted on; from now on only who joins
  };
  Calibration calibration_;
  bool daily_;
  std::int64_t day_ = -1;
  std::unordered_map<std::uint64_t, Set> sets_;
  std::size_t members_ = 0, peak_ = 0;
  std::uint64_t left_out_ = 0;
};

class Velocity : public Baseline {
 public:
  explicit Velocity(const BaselineOptions& options) : networks_(options, true), payments_(options, false) {}

  void add(const LightEvent& event) override {
    networks_.add(event.network, event.account, event.time_us);
    payments_.add(event.payment, event.account, event.time_us);
  }
  Detector finish() override {
    Detector out = networks_.finish("network and payment", "accounts of a network");
    merge(out, payments_.finish("", "accounts of a payment"));
    return out;
  }
  std::vector<Calibration*> tests() override { return {&networks_.calibration(), &payments_.calibration()}; }

 private:
  SharedKey networks_, payments_;
};

}  // namespace

std::unique_ptr<Baseline> make_rate_limit(const BaselineOptions& options) {
  return std::make_unique<RateLimit>(options);
}
std::unique_ptr<Baseline> make_velocity(const BaselineOptions& options) { return std::make_unique<Velocity>(options); }

}  // namespace stillwatch::quality
