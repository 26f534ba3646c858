// MMD window, after S. Liu, Q. Guo, Y. Dong, "An embarrassingly simple detector for model extraction attacks in large
// language model API traffic", arXiv 2606.05725, on the two-sample statistic of A. Gretton et al., "A kernel two-sample
// test", JMLR 13 (2012). Does a window of an account's queries come from the distribution of ordinary traffic? The
// squared maximum mean discrepancy between the window and a benign reference, unbiased, under a mean of Gaussian
// kernels of four bandwidths around the median distance, for windows of 100, 500 and 1,500 queries.
//
// Statistic: the discrepancy; each window length is a test with a third of the account error. What differs: kernels by
// random Fourier features (A. Rahimi, B. Recht, NIPS 2007), so that a window is a sum and no query is kept; bandwidths
// of 2, 1, 1/2 and 1/4 medians, for then one sine and cosine serve all four; hashed texts (text_vector.h); windows of
// an account follow each other without overlap, five short ones make a middle one and three of those a long one; the
// reference is a sample of the first half of the calibration period, at most 20 queries an account, honest or not.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/event_time.h"
#include "quality/baselines.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kFrequencies = 64, kScales = 4;
constexpr std::size_t kFeatures = kFrequencies * 2 * kScales;
constexpr std::array<std::uint32_t, 3> kLengths = {100, 500, 1500};
constexpr std::size_t kMedianOf = 400;            // first queries, whose pairs give the median distance
constexpr std::uint8_t kReferenceOfAccount = 20;  // an account's queries in the reference: busy ones do not rule it
constexpr std::size_t kReferenceMin = 100;        // below it nothing is tested
constexpr std::size_t kWindowsMax = 300'000;      // window sums of all accounts; 600 MB
constexpr std::size_t kHeldMax = 20'000;          // windows complete before the reference; 40 MB

using Features = std::array<float, kFeatures>;

// Sum over queries. Each query's features have squared length 1, so the sum over its own pairs is its count.
struct Sum {
  Features features{};
  std::uint32_t queries = 0;

  void add(const Features& more, std::uint32_t count) {
    for (std::size_t i = 0; i < kFeatures; ++i) features[i] += more[i];
    queries += count;
  }
  void clear() { *this = {}; }
};

double product(const Features& a, const Features& b) {
  double sum = 0;
  for (std::size_t i = 0; i < kFeatures; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Mean kernel value over the pairs of different queries.
double within(const Sum& sum) {
  const double n = sum.queries;
  return (product(sum.features, sum.features) - n) / (n * (n - 1));
}

class Mmd : public Baseline {
 public:
  explicit Mmd(const BaselineOptions& options)
      : calibrations_{Calibration(options, 1.0 / 3), Calibration(options, 1.0 / 3), Calibration(options, 1.0 / 3)},
        half_us_(static_cast<std::int64_t>(options.calibrate_days * static_cast<double>(base::kDayUs) / 2)) {
    base::Random random(0x3A5F);
    for (auto& frequency : frequencies_) {
      for (float& value : frequency) value = static_cast<float>(random.normal());
    }
  }

  void add(const LightEvent& event) override {
    if (!start_us_) start_us_ = event.time_us;
    if (!reference_known_ && event.time_us >= *start_us_ + half_us_) know_reference(event.time_us);
    for (Calibration& calibration : calibrations_) calibration.see(event.time_us);
    if (event.vector == nullptr) return;
    if (first_.size() < kMedianOf) {
      first_.push_back(*event.vector);
      if (first_.size() == kMedianOf) set_bandwidths();
      return;
    }
    if (event.account >= accounts_.size()) accounts_.resize(event.account + 1);
    Account& account = accounts_[event.account];
    const Features features = features_of(*event.vector);
    if (!reference_known_ && account.in_reference < kReferenceOfAccount) {
      ++account.in_reference;
      reference_.add(features, 1);
    }
    extend(event.account, 0, features, 1, event.time_us);
  }

  Detector finish() override {
    Detector out = calibrations_[0].detector("MMD window", "100 queries");
    merge(out, calibrations_[1].detector("", "500 queries"));
    merge(out, calibrations_[2].detector("", "1,500 queries"));
    out.leave_out("queries beyond the windows held", left_out_);
    out.leave_out("early windows beyond those held", not_held_);
    out.note_peak("windows held", windows_);
    out.note_peak("early windows held", held_peak_);
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibrations_[0], &calibrations_[1], &calibrations_[2]}; }

 private:
  struct Account {
    std::array<std::unique_ptr<Sum>, kLengths.size()> windows;
    std::uint8_t in_reference = 0;
  };
  struct Held {
    std::uint32_t account;
    std::size_t length;
    Sum sum;
  };

  void set_bandwidths() {
    std::vector<double> distances;
    for (std::size_t i = 0; i < first_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j)
        distances.push_back(TextVector::distance(TextVector::dot(first_[i], first_[j])));
    }
    const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
    std::nth_element(distances.begin(), middle, distances.end());
    const double widest = 2 * std::max(*middle, 0.05);  // all the first texts equal: any width will do
    for (auto& frequency : frequencies_) {
      for (float& value : frequency) value = static_cast<float>(value / widest / TextVector::kOne);
    }
  }

  Features features_of(const TextVector& vector) const {
    Features out;
    const float size = 1 / std::sqrt(static_cast<float>(kFrequencies * kScales));
    std::array<float, kVectorSize> parts;
    for (std::size_t i = 0; i < kVectorSize; ++i) parts[i] = static_cast<float>(vector.at[i]);
    for (std::size_t f = 0; f < kFrequencies; ++f) {
      std::array<float, 4> lanes{};
      for (std::size_t i = 0; i < kVectorSize; ++i) lanes[i % 4] += frequencies_[f][i] * parts[i];
      const float angle = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
      float cosine = std::cos(angle), sine = std::sin(angle);
      for (std::size_t scale = 0; scale < kScales; ++scale) {
        const std::size_t at = 2 * (f * kScales + scale);
        out[at] = size * cosine;
        out[at + 1] = size * sine;
        const float twice = 2 * sine * cosine;  // half the bandwidth is twice the angle
        cosine = 2 * cosine * cosine - 1;
        sine = twice;
      }
    }
    return out;
  }

  // Adds queries to the account's window of one length; a complete one is tested and passed on to the next length.
  void extend(std::uint32_t number, std::size_t length, const Features& features, std::uint32_t queries,
              std::int64_t time_us) {
    auto& window = accounts_[number].windows[length];
    if (!window) {
      if (windows_ >= kWindowsMax) {
        left_out_ += queries;
        return;
      }
      window = std::make_unique<Sum>();
      ++windows_;
    }
    window->add(features, queries);
    if (window->queries < kLengths[length]) return;
    if (reference_known_)
      test(number, length, *window, time_us);
    else if (held_.size() < kHeldMax)
      held_.push_back({number, length, *window});
    else
      ++not_held_;
    if (length + 1 < kLengths.size()) extend(number, length + 1, window->features, window->queries, time_us);
    window->clear();
  }

  void know_reference(std::int64_t time_us) {
    reference_known_ = true;
    held_peak_ = held_.size();
    if (reference_.queries >= kReferenceMin) reference_within_ = within(reference_);
    for (const Held& held : held_) test(held.account, held.length, held.sum, time_us);
    held_.clear();
    held_.shrink_to_fit();
  }

  void test(std::uint32_t number, std::size_t length, const Sum& window, std::int64_t time_us) {
    if (reference_.queries < kReferenceMin) return;
    const double between = product(window.features, reference_.features) /
                           (static_cast<double>(window.queries) * static_cast<double>(reference_.queries));
    calibrations_[length].judge(number, within(window) + reference_within_ - 2 * between, time_us);
  }

  std::array<Calibration, kLengths.size()> calibrations_;
  std::int64_t half_us_;
  std::optional<std::int64_t> start_us_;
  std::array<std::array<float, kVectorSize>, kFrequencies> frequencies_{};
  std::vector<TextVector> first_;
  bool reference_known_ = false;
  Sum reference_;
  double reference_within_ = 0;
  std::vector<Account> accounts_;
  std::vector<Held> held_;
  std::size_t windows_ = 0, held_peak_ = 0;
  std::uint64_t left_out_ = 0, not_held_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_mmd(const BaselineOptions& options) { return std::make_unique<Mmd>(options); }

}  // namespace stillwatch::quality
