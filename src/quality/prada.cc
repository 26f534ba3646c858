// PRADA, after M. Juuti, S. Szyller, S. Marchal, N. Asokan, "PRADA: protecting against DNN model stealing attacks",
// IEEE EuroS&P 2019. The distances from an account's queries to the nearest of its earlier ones look normal for natural
// queries and do not for synthesised ones. A growing set holds the queries that were farther from it than a threshold,
// which itself rises to the mean less one deviation of the distances at which it grew. From 100 distances on, those
// farther than three deviations from the mean are taken out, and W of Shapiro and Wilk is computed on the rest.
//
// Statistic: 1 - W. What differs: a language model has no predicted class, so there is one growing set and not one a
// class; distances are of hashed texts (text_vector.h), not of images; the threshold comes from the calibration instead
// of the paper's search; W is computed after each further tenth of the distances, and at least ten, not after each
// query; growing sets and distances are bounded, an account's and all together: then the largest sets are halved.
#include <algorithm>
#include <cmath>

#include "quality/baselines.h"
#include "stats/shapiro_wilk.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kDistancesMin = 100;   // the paper's
constexpr std::size_t kDistancesMax = 1000;  // of an account, newest; W changes little beyond
constexpr std::size_t kGrowingMax = 1000;    // queries of a growing set; 128 KB
constexpr std::size_t kGrowingMin = 100;     // what is left to each set when there are very many
constexpr double kOutlierDeviations = 3;

class Prada : public Baseline {
 public:
  explicit Prada(const BaselineOptions& options) : calibration_(options), vectors_max_(options.vectors_max) {}

  void add(const LightEvent& event) override {
    calibration_.see(event.time_us);
    if (event.vector == nullptr) return;
    if (event.account >= accounts_.size()) accounts_.resize(event.account + 1);
    Account& account = accounts_[event.account];
    if (account.growing.empty()) return grow(account, *event.vector, 0);
    dots_.resize(account.growing.size());
    dots(account.growing, *event.vector, dots_.data());
    const double distance = TextVector::distance(*std::max_element(dots_.begin(), dots_.end()));
    forgotten_ += account.seen >= kDistancesMax;
    account.note(distance);
    if (distance > account.threshold) grow(account, *event.vector, distance);
    if (account.seen >= account.next_test) test(event.account, account, event.time_us);
  }

  Detector finish() override {
    Detector out = calibration_.detector("PRADA", "1 - W");
    out.leave_out("queries beyond the growing sets", left_out_);
    out.leave_out("oldest distances", forgotten_);
    out.note_peak("queries held", vectors_);
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibration_}; }

 private:
  struct Account {
    std::vector<TextVector> growing;
    std::vector<float> distances;  // a ring once full
    double sum = 0, squares = 0, threshold = 0;
    std::size_t seen = 0, grown = 0, next_test = kDistancesMin;

    void note(double distance) {
      if (distances.size() < kDistancesMax)
        distances.push_back(static_cast<float>(distance));
      else
        distances[seen % kDistancesMax] = static_cast<float>(distance);
      ++seen;
    }
    // The first query of a set grows it by a distance of 0.
    void note_growth(double distance) {
      ++grown;
      sum += distance;
      squares += distance * distance;
      const double mean = sum / static_cast<double>(grown);
      const double variance = std::max(0.0, squares / static_cast<double>(grown) - mean * mean);
      threshold = std::max(threshold, mean - std::sqrt(variance));
    }
  };

  void grow(Account& account, const TextVector& vector, double distance) {
    if (vectors_ >= vectors_max_) halve_largest();
    if (account.growing.size() >= growing_max_ || vectors_ >= vectors_max_) {
      ++left_out_;
      return;
    }
    account.growing.push_back(vector);
    account.note_growth(distance);
    ++vectors_;
  }

  // Room for those who come later: all sets keep what they would have with half of the limit.
  void halve_largest() {
    while (vectors_ >= vectors_max_ && growing_max_ > kGrowingMin) {
      growing_max_ = std::max(kGrowingMin, growing_max_ / 2);
      for (Account& account : accounts_) {
        if (account.growing.size() <= growing_max_) continue;
        left_out_ += account.growing.size() - growing_max_;
        vectors_ -= account.growing.size() - growing_max_;
        account.growing.resize(growing_max_);
        account.growing.shrink_to_fit();
      }
    }
  }

  void test(std::uint32_t number, Account& account, std::int64_t time_us) {
    account.next_test = account.seen + std::max<std::size_t>(10, std::min(account.seen, kDistancesMax) / 10);
    double mean = 0, squares = 0;
    for (const float distance : account.distances) mean += distance;
    mean /= static_cast<double>(account.distances.size());
    for (const float distance : account.distances) squares += (distance - mean) * (distance - mean);
    const double reach = kOutlierDeviations * std::sqrt(squares / static_cast<double>(account.distances.size()));
    sorted_.clear();
    for (const float distance : account.distances) {
      if (std::fabs(distance - mean) <= reach) sorted_.push_back(distance);
    }
    std::sort(sorted_.begin(), sorted_.end());
    // All equal (one prompt again and again): there is no shape to test.
    if (const auto result = wilk_.test(sorted_)) calibration_.judge(number, 1 - result->w, time_us);
  }

  Calibration calibration_;
  std::size_t vectors_max_;
  stats::ShapiroWilk wilk_;
  std::vector<Account> accounts_;
  std::vector<double> sorted_;
  std::vector<std::int32_t> dots_;
  std::size_t vectors_ = 0, growing_max_ = kGrowingMax;
  std::uint64_t left_out_ = 0, forgotten_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_prada(const BaselineOptions& options) { return std::make_unique<Prada>(options); }

}  // namespace stillwatch::quality
