// The SynchroTrap-like baseline; what it is stands in baselines.h.
#include <algorithm>
#include <array>
#include <unordered_map>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/random.h"
#include "graph/union_find.h"
#include "quality/baselines.h"
#include "quality/calibration.h"

namespace stillwatch::quality {
namespace {

// One kind of object: the tuples of the day, clustered when the day is over.
class Synchrony {
 public:
  Synchrony(const BaselineOptions& options, std::string_view kind)
      : calibration_(options), jaccard_min_(options.jaccard_min), kind_(kind) {}

  void add(std::uint64_t object, std::uint32_t account, std::int64_t time_us) {
    const std::int64_t day = time_us / base::kDayUs;
    if (day > day_) {
      close_day(time_us);
      day_ = day;
    }
    newest_us_ = std::max(newest_us_, time_us);
    calibration_.see(time_us);
    if (object == 0) return;
    tuples_.push_back(
        {base::mix64(object ^ base::mix64(static_cast<std::uint64_t>(time_us / base::kHourUs))), account});
  }

  Calibration& calibration() { return calibration_; }
  Detector finish() {
    close_day(newest_us_);
    Detector out = calibration_.detector("synchrotrap-like");
    for (Step& step : out.steps) step.campaign = out.campaigns.number(campaign_of(step.account));
    out.other_subjects = left_out_;
    return out;
  }

 private:
  struct Tuple {
    std::uint64_t key;
    std::uint32_t account;
    bool operator<(const Tuple& other) const { return key != other.key ? key < other.key : account < other.account; }
    bool operator==(const Tuple& other) const = default;
  };

  // Clusters the finished day. Its verdicts come at the first event of the next one, so nothing looks ahead.
  void close_day(std::int64_t now_us) {
    std::sort(tuples_.begin(), tuples_.end());
    tuples_.erase(std::unique(tuples_.begin(), tuples_.end()), tuples_.end());
    std::unordered_map<std::uint64_t, std::uint32_t> shared;  // pair of accounts -> common tuples
    std::unordered_map<std::uint32_t, std::uint32_t> sizes;   // tuples of an account that could be shared
    for (std::size_t begin = 0, end; begin < tuples_.size(); begin = end) {
      for (end = begin; end < tuples_.size() && tuples_[end].key == tuples_[begin].key;) ++end;
      if (end - begin > kPostingsMax) {
        ++left_out_;
        continue;
      }
      for (std::size_t i = begin; i < end; ++i) {
        ++sizes[tuples_[i].account];
        for (std::size_t j = i + 1; j < end; ++j) {
          const std::uint64_t pair = static_cast<std::uint64_t>(tuples_[i].account) << 32 | tuples_[j].account;
          const auto found = shared.find(pair);
          if (found != shared.end())
            ++found->second;
          else if (shared.size() < kPairsMax)
            shared.emplace(pair, 1);
          else
            ++left_out_;
        }
      }
    }
    cluster(shared, sizes, now_us);
    tuples_.clear();
  }

  void cluster(const std::unordered_map<std::uint64_t, std::uint32_t>& shared,
               const std::unordered_map<std::uint32_t, std::uint32_t>& sizes, std::int64_t now_us) {
    std::uint32_t accounts = 0;
    for (const auto& entry : sizes) accounts = std::max(accounts, entry.first + 1);
    graph::UnionFind clusters(accounts);
    for (const auto& [pair, common] : shared) {
      const auto a = static_cast<std::uint32_t>(pair >> 32), b = static_cast<std::uint32_t>(pair);
      const double either = static_cast<double>(sizes.at(a) + sizes.at(b) - common);
      if (common >= kSharedTuplesMin && static_cast<double>(common) >= jaccard_min_ * either) clusters.unite(a, b);
    }
    std::vector<std::uint32_t> members(accounts, 0);
    for (const auto& entry : sizes) ++members[clusters.find(entry.first)];
    if (links_.size() < accounts) {
      for (auto next = static_cast<std::uint32_t>(links_.size()); next < accounts; ++next) links_.push_back(next);
    }
    for (std::uint32_t account = 0; account < accounts; ++account) {
      const std::uint32_t root = clusters.find(account);
      if (members[root] == 0 || !sizes.contains(account)) continue;
      calibration_.judge(account, members[root], now_us, 0);
      if (calibration_.frozen() && members[root] > calibration_.threshold()) unite(account, root);
    }
  }

  // Clusters of several days that share an account are one campaign, named by its lowest account.
  std::uint32_t root_of(std::uint32_t account) {
    while (links_[account] != account) account = links_[account] = links_[links_[account]];
    return account;
  }
  void unite(std::uint32_t a, std::uint32_t b) {
    a = root_of(a);
    b = root_of(b);
    if (a != b) links_[std::max(a, b)] = std::min(a, b);
  }
  std::string campaign_of(std::uint32_t account) { return fmt::format("{}-{}", kind_, root_of(account)); }

  Calibration calibration_;
  double jaccard_min_;
  std::string_view kind_;
  std::int64_t day_ = -1, newest_us_ = 0;
  std::vector<Tuple> tuples_;
  std::vector<std::uint32_t> links_;
  std::uint64_t left_out_ = 0;
};

BaselineOptions third(BaselineOptions options) {
  options.account_error /= 3;
  return options;
}

class SynchroTrap : public Baseline {
 public:
  explicit SynchroTrap(const BaselineOptions& options)
      : kinds_{Synchrony(third(options), "network"), Synchrony(third(options), "prompt"),
               Synchrony(third(options), "client")} {}

  void add(const LightEvent& event) override {
    kinds_[0].add(event.network, event.account, event.time_us);
    kinds_[1].add(event.prompt, event.account, event.time_us);
    kinds_[2].add(event.client, event.account, event.time_us);
  }
  Detector finish() override {
    Detector out = kinds_[0].finish();
    merge(out, kinds_[1].finish());
    merge(out, kinds_[2].finish());
    return out;
  }
  std::vector<Calibration*> tests() override {
    return {&kinds_[0].calibration(), &kinds_[1].calibration(), &kinds_[2].calibration()};
  }

 private:
  std::array<Synchrony, 3> kinds_;
};

}  // namespace

std::unique_ptr<Baseline> make_synchrotrap(const BaselineOptions& options) {
  return std::make_unique<SynchroTrap>(options);
}

}  // namespace stillwatch::quality
