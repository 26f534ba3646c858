// Coverage: does an account spread over more kinds of prompts than others that send as much? Harvesters want the whole
// space of a teacher; people stay with their subjects. A prompt falls into one of 2,048 buckets by the signs of its
// products with 11 fixed random directions (M. Charikar, "Similarity estimation techniques from rounding algorithms",
// STOC 2002); what an account has filled is compared with what calibration accounts of equal volume filled.
//
// Statistic: deviations above their mean, at volumes of 32, 64, ... 2,048 prompts, after which the account starts anew.
// A volume that fewer than 20 accounts of the calibration period reached has no comparison and is not judged, counted.
// Not from one paper: the coverage of capability probes is named in reports on distillation; the measure is ours.
#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cmath>

#include "quality/baselines.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kDirections = 11, kBuckets = std::size_t{1} << kDirections;
constexpr std::uint32_t kVolumeMin = 32, kVolumeMax = 2048;
constexpr std::size_t kVolumes = 7;
constexpr std::size_t kAccountsMin = 20;     // that reached a volume, to compare with
constexpr double kDeviationMin = 1;          // buckets
constexpr std::size_t kHeldMax = 4'000'000;  // values of the calibration period; 48 MB

class Coverage : public Baseline {
 public:
  explicit Coverage(const BaselineOptions& options) : calibration_(options) {
    base::Random random(0xC0FE);
    for (TextVector& direction : directions_) direction = TextVector::random(random);
  }

  void add(const LightEvent& event) override {
    if (calibration_.ends_at(event.time_us)) learn(event.time_us);
    calibration_.see(event.time_us);
    if (event.vector == nullptr) return;
    if (event.account >= accounts_.size()) accounts_.resize(event.account + 1);
    Account& account = accounts_[event.account];
    if (!account.filled) account.filled = std::make_unique<std::bitset<kBuckets>>();
    std::size_t bucket = 0;
    for (const TextVector& direction : directions_)
      bucket = bucket << 1 | (TextVector::dot(direction, *event.vector) > 0 ? 1U : 0U);
    account.filled->set(bucket);
    ++account.volume;
    if (account.volume < kVolumeMin || !std::has_single_bit(account.volume)) return;
    const auto volume = static_cast<std::uint32_t>(std::countr_zero(account.volume / kVolumeMin));
    const auto filled = static_cast<std::uint32_t>(account.filled->count());
    if (calibration_.frozen())
      judge(event.account, volume, filled, event.time_us);
    else if (held_.size() < kHeldMax)
      held_.push_back({event.account, volume, filled});
    else
      ++not_held_;
    if (account.volume == kVolumeMax) {
      account.volume = 0;
      account.filled->reset();
    }
  }

  Detector finish() override {
    Detector out = calibration_.detector("coverage", "deviations above equal volume");
    out.leave_out("calibration values beyond those held", not_held_);
    out.leave_out("volumes without comparison", not_compared_);
    out.note_peak("calibration values held", held_peak_);
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibration_}; }

 private:
  struct Account {
    std::unique_ptr<std::bitset<kBuckets>> filled;
    std::uint32_t volume = 0;
  };
  struct Held {
    std::uint32_t account, volume, filled;
  };
  struct Normal {
    std::size_t accounts = 0;
    double sum = 0, squares = 0;
  };

  void learn(std::int64_t time_us) {
    held_peak_ = held_.size();
    for (const Held& held : held_) {
      Normal& normal = normal_[held.volume];
      ++normal.accounts;
      normal.sum += held.filled;
      normal.squares += static_cast<double>(held.filled) * held.filled;
    }
    for (const Held& held : held_) judge(held.account, held.volume, held.filled, time_us);
    held_.clear();
    held_.shrink_to_fit();
  }

  void judge(std::uint32_t account, std::uint32_t volume, std::uint32_t filled, std::int64_t time_us) {
    const Normal& normal = normal_[volume];
    if (normal.accounts < kAccountsMin) {
      ++not_compared_;
      return;
    }
    const double n = static_cast<double>(normal.accounts), mean = normal.sum / n;
    const double deviation = std::sqrt(std::max(0.0, normal.squares / n - mean * mean));
    calibration_.judge(account, (filled - mean) / std::max(deviation, kDeviationMin), time_us);
  }

  Calibration calibration_;
  std::array<TextVector, kDirections> directions_;
  std::vector<Account> accounts_;
  std::array<Normal, kVolumes> normal_;
  std::vector<Held> held_;
  std::size_t held_peak_ = 0;
  std::uint64_t not_held_ = 0, not_compared_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_coverage(const BaselineOptions& options) { return std::make_unique<Coverage>(options); }

}  // namespace stillwatch::quality
