// Stream clustering with top-k sums of weak scores: one request's score proves nothing, many of one kind of prompt do.
//
// Prompts are clustered as they come (leader clustering, J. A. Hartigan, "Clustering algorithms", 1975: a prompt joins
// the nearest leader that is near enough, or leads a cluster of its own). A cluster keeps, for each UTC day, the 50
// accounts with the highest weak scores (prompt_traits.h), and its evidence is the sum of what those scores are above
// the mean of the calibration period. Summing the top and not all keeps a cluster's many ordinary users from diluting
// or lifting it.
// Statistic: the evidence of the cluster, for the account that sends, when it is among the 50, and for all of the 50
// when the day is over. A simplification of published campaign detectors of this kind, after the description of the
// idea only: no learned scores, at most 2,048 clusters (the longest unused gives way, counted), hashed texts
// (text_vector.h).
#include <algorithm>
#include <array>

#include "quality/baselines.h"
#include "quality/day_roll.h"
#include "quality/shared_pairs.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kTop = 50, kClustersMax = 2048;
constexpr double kNear = 0.5;  // cosine to the leader

class StreamClusters : public Baseline {
 public:
  explicit StreamClusters(const BaselineOptions& options) : calibration_(options) {}

  void add(const LightEvent& event) override {
    day_.open(event.time_us, [this](std::int64_t now_us) { close_day(now_us); });
    calibration_.see(event.time_us);
    if (event.vector == nullptr) return;
    if (!calibration_.frozen()) {
      score_sum_ += event.weak_score;
      ++score_count_;
    }
    const std::size_t at = cluster_of(*event.vector);
    Cluster& cluster = clusters_[at];
    used_[at] = ++clock_;
    // In the first days the mean is the one so far; it settles within hours.
    const double above = event.weak_score - score_sum_ / score_count_;
    const double value = above > 0 && cluster.raise(event.account, above) ? cluster.sum : 0;
    calibration_.judge(event.account, value, event.time_us, 0);
    note_campaign(cluster, event.account, value);
  }

  Detector finish() override {
    close_day(day_.newest_us());
    Detector out = calibration_.detector("stream clustering", "top-50 sum");
    campaigns_.name(out, "cluster");
    out.leave_out("clusters beyond those held", replaced_);
    out.note_peak("clusters held", clusters_.size());
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibration_}; }
  bool reads_thresholds() const override { return true; }

 private:
  struct Entry {
    double score;
    std::uint32_t account;
  };
  struct Cluster {
    std::vector<Entry> top;  // highest first
    double sum = 0;
    std::uint32_t campaign_of = kNone;

    // Whether the account is among the top ones now.
    bool raise(std::uint32_t account, double score) {
      auto at = std::find_if(top.begin(), top.end(), [&](const Entry& entry) { return entry.account == account; });
      if (at != top.end()) {
        if (at->score >= score) return true;
        sum += score - at->score;
        at->score = score;
      } else if (top.size() < kTop) {
        sum += score;
        at = top.insert(top.end(), {score, account});
      } else if (top.back().score < score) {
        at = std::prev(top.end());
        sum += score - at->score;
        *at = {score, account};
      } else {
        return false;
      }
      while (at != top.begin() && std::prev(at)->score < at->score) {
        std::swap(*at, *std::prev(at));
        --at;
      }
      return true;
    }
  };

  std::size_t cluster_of(const TextVector& vector) {
    dots(leaders_, vector, dots_.data());
    const auto end = dots_.begin() + static_cast<std::ptrdiff_t>(leaders_.size());
    const auto most = std::max_element(dots_.begin(), end);
    if (most != end && *most > kNear * TextVector::kOne * TextVector::kOne)
      return static_cast<std::size_t>(most - dots_.begin());
    if (clusters_.size() < kClustersMax) {
      leaders_.push_back(vector);
      used_.push_back(0);
      clusters_.push_back({});
      return clusters_.size() - 1;
    }
    const auto longest_unused = std::min_element(used_.begin(), used_.end());
    const auto at = static_cast<std::size_t>(longest_unused - used_.begin());
    leaders_[at] = vector;
    clusters_[at] = {};
    ++replaced_;
    return at;
  }

  // Accounts acted on through one cluster are one campaign.
  void note_campaign(Cluster& cluster, std::uint32_t account, double value) {
    if (!calibration_.frozen() || value <= calibration_.threshold()) return;
    if (cluster.campaign_of == kNone) cluster.campaign_of = account;
    campaigns_.unite(account, cluster.campaign_of);
  }

  void close_day(std::int64_t now_us) {
    for (Cluster& cluster : clusters_) {
      for (const Entry& entry : cluster.top) {
        calibration_.judge(entry.account, cluster.sum, now_us, 0);
        note_campaign(cluster, entry.account, cluster.sum);
      }
      cluster.top.clear();
      cluster.sum = 0;
    }
  }

  Calibration calibration_;
  DayRoll day_;
  // Of the same cluster at the same place. Apart, because every prompt is compared with every leader.
  std::vector<TextVector> leaders_;
  std::vector<std::uint64_t> used_;
  std::array<std::int32_t, kClustersMax> dots_;
  std::vector<Cluster> clusters_;
  std::uint64_t clock_ = 0;
  double score_sum_ = 0, score_count_ = 0;
  DailyCampaigns campaigns_;
  std::uint64_t replaced_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_stream_clusters(const BaselineOptions& options) {
  return std::make_unique<StreamClusters>(options);
}

}  // namespace stillwatch::quality
