// The EvilCohort-like baseline, after G. Stringhini, P. Mourlanne, G. Jacob, M. Egele, C. Kruegel, G. Vigna,
// "EvilCohort: detecting communities of malicious accounts on online services", USENIX Security 2015. Accounts that are
// used from a common set of infected machines form communities: the bipartite graph of accounts and addresses is
// projected onto accounts, an edge weighs as many addresses as two accounts share, light edges are dropped, and the
// communities of the rest are found by the Louvain method (louvain.h).
//
// Statistic: accounts in the account's community of the day. What differs: networks (IPv4 /24, IPv6 /48) in the place
// of addresses; the least weight is 2 networks, for requests come from fewer places than bots; networks of more than
// 100 accounts are left out; no rules after the clustering, the threshold on size comes from the calibration.
#include <algorithm>

#include "quality/baselines.h"
#include "quality/day_roll.h"
#include "quality/louvain.h"
#include "quality/shared_pairs.h"

namespace stillwatch::quality {
namespace {

constexpr std::uint32_t kSharedNetworksMin = 2;

class EvilCohort : public Baseline {
 public:
  explicit EvilCohort(const BaselineOptions& options) : calibration_(options) {}

  void add(const LightEvent& event) override {
    day_.open(event.time_us, [this](std::int64_t now_us) { close_day(now_us); });
    calibration_.see(event.time_us);
    if (event.network == 0) return;
    if (tuples_.size() >= kTuplesMax)
      ++tuples_left_out_;
    else
      tuples_.push_back({event.network, event.account});
  }

  Detector finish() override {
    close_day(day_.newest_us());
    Detector out = calibration_.detector("evilcohort-like", "accounts of a community");
    campaigns_.name(out, "community");
    out.leave_out("popular networks", popular_);
    out.leave_out("pairs of a day beyond those held", pairs_dropped_);
    out.leave_out("requests of a day beyond those held", tuples_left_out_);
    out.note_peak("pairs of a day", pairs_peak_);
    out.note_peak("requests of a day", tuples_peak_);
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibration_}; }
  bool reads_thresholds() const override { return true; }

 private:
  void close_day(std::int64_t now_us) {
    tuples_peak_ = std::max(tuples_peak_, tuples_.size());
    const SharedPairs shared = shared_pairs(tuples_);
    tuples_.clear();
    popular_ += shared.popular_keys;
    pairs_peak_ = std::max(pairs_peak_, shared.pairs.size());
    pairs_dropped_ += shared.pairs_dropped;
    // Accounts of the day, numbered anew: most have no edge.
    std::vector<std::uint32_t> accounts;
    for (const auto& entry : shared.sizes) accounts.push_back(entry.first);
    const auto number = [&](std::uint32_t account) {
      return static_cast<std::uint32_t>(std::lower_bound(accounts.begin(), accounts.end(), account) - accounts.begin());
    };
    std::vector<WeightedEdge> edges;
    for (const SharedPair& pair : shared.pairs) {
      if (pair.common >= kSharedNetworksMin)
        edges.push_back({number(pair.a), number(pair.b), static_cast<double>(pair.common)});
    }
    const auto community = louvain(static_cast<std::uint32_t>(accounts.size()), edges);
    std::vector<std::uint32_t> members(accounts.size(), 0);
    for (const std::uint32_t name : community) ++members[name];
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      const std::uint32_t size = members[community[i]];
      calibration_.judge(accounts[i], size, now_us, 0);
      if (calibration_.frozen() && size > calibration_.threshold())
        campaigns_.unite(accounts[i], accounts[community[i]]);
    }
  }

  Calibration calibration_;
  DayRoll day_;
  std::vector<KeyedAccount> tuples_;
  DailyCampaigns campaigns_;
  std::size_t tuples_peak_ = 0, pairs_peak_ = 0;
  std::uint64_t popular_ = 0, pairs_dropped_ = 0, tuples_left_out_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_evilcohort(const BaselineOptions& options) {
  return std::make_unique<EvilCohort>(options);
}

}  // namespace stillwatch::quality
