// The SynchroTrap-like baseline, after Cao, Yang, Yu, Palow: "Uncovering large groups of active malicious accounts in
// online social networks" (ACM CCS 2014). Two accounts are alike when they do the same thing to the same object in the
// same hour, again and again: each request is a tuple (account, object, hour); over a day, alike is the Jaccard
// similarity of two accounts' tuple sets; accounts are joined by single linkage above jaccard_min, and large clusters
// are suspicious. Objects here are networks, exact prompts and client tuples, each clustered apart with a third of the
// account error. The paper's platform-wide incremental job becomes one pass with an inverted index whose popular
// tuples are left out.
#include <algorithm>
#include <array>

#include "base/event_time.h"
#include "base/random.h"
#include "graph/union_find.h"
#include "quality/baselines.h"
#include "quality/day_roll.h"
#include "quality/shared_pairs.h"

namespace stillwatch::quality {
namespace {

constexpr std::uint32_t kSharedTuplesMin = 3;  // one meeting is no habit

// One kind of object: the tuples of the day, clustered when the day is over.
class Synchrony {
 public:
  Synchrony(const BaselineOptions& options, std::string_view kind)
      : calibration_(options, 1.0 / 3), jaccard_min_(options.jaccard_min), kind_(kind) {}

  void add(std::uint64_t object, std::uint32_t account, std::int64_t time_us) {
    day_.open(time_us, [this](std::int64_t now_us) { close_day(now_us); });
    calibration_.see(time_us);
    if (object == 0) return;
    if (tuples_.size() >= kTuplesMax) {
      ++tuples_left_out_;
      return;
    }
    tuples_.push_back(
        {base::mix64(object ^ base::mix64(static_cast<std::uint64_t>(time_us / base::kHourUs))), account});
  }

  Calibration& calibration() { return calibration_; }
  Detector finish() {
    close_day(day_.newest_us());
    Detector out = calibration_.detector("synchrotrap-like", kind_);
    campaigns_.name(out, kind_);
    out.leave_out("popular tuples", popular_);
    out.leave_out("pairs of a day beyond those held", pairs_dropped_);
    out.leave_out("tuples of a day beyond those held", tuples_left_out_);
    out.note_peak("pairs of a day", pairs_peak_);
    out.note_peak("requests of a day", tuples_peak_);
    return out;
  }

 private:
  // Clusters the finished day. Its verdicts come at the first event of the next one, so nothing looks ahead.
  void close_day(std::int64_t now_us) {
    tuples_peak_ = std::max(tuples_peak_, tuples_.size());
    const SharedPairs shared = shared_pairs(tuples_);
    tuples_.clear();
    popular_ += shared.popular_keys;
    pairs_peak_ = std::max(pairs_peak_, shared.pairs.size());
    pairs_dropped_ += shared.pairs_dropped;
    if (shared.sizes.empty()) return;
    const std::uint32_t accounts = shared.sizes.back().first + 1;
    std::vector<std::uint32_t> tuples_of(accounts, 0), members(accounts, 0);
    for (const auto& [account, count] : shared.sizes) tuples_of[account] = count;
    graph::UnionFind clusters(accounts);
    for (const auto& [a, b, common] : shared.pairs) {
      const double either = tuples_of[a] + tuples_of[b] - common;
      if (common >= kSharedTuplesMin && common >= jaccard_min_ * either) clusters.unite(a, b);
    }
    for (const auto& entry : shared.sizes) ++members[clusters.find(entry.first)];
    for (const auto& entry : shared.sizes) {
      const std::uint32_t account = entry.first, root = clusters.find(account);
      calibration_.judge(account, members[root], now_us, 0);
      if (calibration_.frozen() && members[root] > calibration_.threshold()) campaigns_.unite(account, root);
    }
  }

  Calibration calibration_;
  double jaccard_min_;
  std::string_view kind_;
  DayRoll day_;
  std::vector<KeyedAccount> tuples_;
  DailyCampaigns campaigns_;
  std::size_t tuples_peak_ = 0, pairs_peak_ = 0;
  std::uint64_t popular_ = 0, pairs_dropped_ = 0, tuples_left_out_ = 0;
};

class SynchroTrap : public Baseline {
 public:
  explicit SynchroTrap(const BaselineOptions& options)
      : kinds_{Synchrony(options, "network"), Synchrony(options, "prompt"), Synchrony(options, "client")} {}

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
  bool reads_thresholds() const override { return true; }
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
