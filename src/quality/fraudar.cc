// The FRAUDAR-like baseline: peeling (peeling.h, with its paper) of accounts x tokens. Each UTC day, an account has the
// tokens of its requests: the exact prompt, its first eight words, its frame (prompt_traits.h), the client tuple, the
// network. The three densest blocks are taken out one after the other.
//
// Statistic: density of the densest block that the account is in. What differs: the graph of a day instead of all time;
// tokens that one account alone has are left out, or each busy account with its own prompts would be a block; the
// threshold on density comes from the calibration, where the paper ranks.
#include <algorithm>
#include <array>

#include "quality/baselines.h"
#include "quality/day_roll.h"
#include "quality/peeling.h"
#include "quality/shared_pairs.h"

namespace stillwatch::quality {
namespace {

constexpr int kBlocks = 3;
constexpr std::size_t kCompactAt = 1'000'000;  // edges with repeats, before repeats are taken out

class Fraudar : public Baseline {
 public:
  explicit Fraudar(const BaselineOptions& options) : calibration_(options) {}

  void add(const LightEvent& event) override {
    day_.open(event.time_us, [this](std::int64_t now_us) { close_day(now_us); });
    calibration_.see(event.time_us);
    const std::array tokens = {event.prompt, event.prefix, event.skeleton, event.client, event.network};
    for (std::size_t kind = 0; kind < tokens.size(); ++kind) {
      if (tokens[kind] == 0) continue;
      if (edges_.size() >= compact_at_) compact();
      if (edges_.size() >= kTuplesMax)
        ++edges_left_out_;
      else
        edges_.push_back({base::mix64(tokens[kind] + kind), event.account});
    }
  }

  Detector finish() override {
    close_day(day_.newest_us());
    Detector out = calibration_.detector("fraudar-like", "density of a block");
    campaigns_.name(out, "block");
    out.leave_out("tokens of one account", single_);
    out.leave_out("tokens of a day beyond those held", edges_left_out_);
    out.note_peak("tokens of a day", edges_peak_);
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibration_}; }
  bool reads_thresholds() const override { return true; }

 private:
  void compact() {
    std::sort(edges_.begin(), edges_.end());
    edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
    compact_at_ = std::min(kTuplesMax, std::max(kCompactAt, 2 * edges_.size()));
  }

  void close_day(std::int64_t now_us) {
    compact();
    edges_peak_ = std::max(edges_peak_, edges_.size());
    std::vector<std::uint32_t> accounts;
    std::vector<BipartiteEdge> edges;
    std::vector<double> weights;
    for (std::size_t begin = 0, end; begin < edges_.size(); begin = end) {
      for (end = begin; end < edges_.size() && edges_[end].key == edges_[begin].key;) ++end;
      if (end - begin == 1) {
        ++single_;
        continue;
      }
      for (std::size_t i = begin; i < end; ++i) {
        edges.push_back({edges_[i].account, static_cast<std::uint32_t>(weights.size())});
        accounts.push_back(edges_[i].account);
      }
      weights.push_back(column_weight(end - begin));
    }
    for (const KeyedAccount& edge : edges_) seen_.push_back(edge.account);
    edges_.clear();
    compact_at_ = kCompactAt;
    std::sort(accounts.begin(), accounts.end());
    accounts.erase(std::unique(accounts.begin(), accounts.end()), accounts.end());
    for (BipartiteEdge& edge : edges)
      edge.row =
          static_cast<std::uint32_t>(std::lower_bound(accounts.begin(), accounts.end(), edge.row) - accounts.begin());
    for (int i = 0; i < kBlocks && !edges.empty(); ++i) {
      const Block block = densest_block(static_cast<std::uint32_t>(accounts.size()), weights, edges);
      for (const std::uint32_t row : block.rows) {
        calibration_.judge(accounts[row], block.density, now_us, 0);
        if (calibration_.frozen() && block.density > calibration_.threshold())
          campaigns_.unite(accounts[row], accounts[block.rows.front()]);
      }
      std::erase_if(edges, [&](const BipartiteEdge& edge) {
        return std::binary_search(block.rows.begin(), block.rows.end(), edge.row);
      });
    }
    // Whoever is in no block counts as calibrated too, at density 0.
    std::sort(seen_.begin(), seen_.end());
    seen_.erase(std::unique(seen_.begin(), seen_.end()), seen_.end());
    for (const std::uint32_t account : seen_) calibration_.judge(account, 0, now_us);
    seen_.clear();
  }

  Calibration calibration_;
  DayRoll day_;
  std::vector<KeyedAccount> edges_;
  std::size_t compact_at_ = kCompactAt;
  std::vector<std::uint32_t> seen_;
  DailyCampaigns campaigns_;
  std::size_t edges_peak_ = 0;
  std::uint64_t single_ = 0, edges_left_out_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_fraudar(const BaselineOptions& options) { return std::make_unique<Fraudar>(options); }

}  // namespace stillwatch::quality
