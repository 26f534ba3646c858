// SEAT, after Z. Zhang, Y. Chen, D. Wagner, "SEAT: similarity encoder by adversarial training for detecting model
// extraction attack queries", AISec 2021, with the nearest-neighbour rule of S. Chen, N. Carlini, D. Wagner, "Stateful
// detection of black-box adversarial attacks", SPAI 2020. An attacker's queries are variations of few seeds, so they
// lie closer together than a user's. A query is a hit when its mean distance to the 50 nearest of the account's earlier
// queries is below what one in 1,000 honest queries has; an account with 50 hits is acted on.
//
// Statistic: hits, from 50 on. What differs: hashed texts (text_vector.h) instead of a trained encoder; one in 1,000 is
// taken of all queries of the calibration period, honest or not; how many hits beyond 50 it takes comes from the
// calibration; an account's newest 256 queries are compared, and those of all accounts together are bounded: then the
// longest histories are halved.
#include <algorithm>
#include <array>

#include "quality/baselines.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kNeighbours = 50;
constexpr std::uint32_t kHitsMin = 50;
constexpr double kHitShare = 0.001;
constexpr std::size_t kHistoryMax = 256;     // queries of an account; 33 KB
constexpr std::size_t kHistoryMin = 64;      // what is left to each when there are very many
constexpr std::size_t kHeldMax = 4'000'000;  // distances of the calibration period; 32 MB

class Seat : public Baseline {
 public:
  explicit Seat(const BaselineOptions& options) : calibration_(options), vectors_max_(options.vectors_max) {}

  void add(const LightEvent& event) override {
    if (calibration_.ends_at(event.time_us)) learn(event.time_us);
    calibration_.see(event.time_us);
    if (event.vector == nullptr) return;
    if (event.account >= accounts_.size()) accounts_.resize(event.account + 1);
    Account& account = accounts_[event.account];
    if (account.history.size() >= kNeighbours) {
      const double distance = mean_distance(account, *event.vector);
      if (!calibration_.frozen())
        hold(event.account, distance);
      else if (distance < hit_below_)
        hit(event.account, event.time_us);
    }
    keep(account, *event.vector);
  }

  Detector finish() override {
    Detector out = calibration_.detector("SEAT", "hits");
    out.leave_out("queries beyond the histories", left_out_);
    out.leave_out("calibration queries beyond those held", not_held_);
    out.note_peak("queries held", vectors_);
    out.note_peak("calibration queries held", held_peak_);
    return out;
  }
  std::vector<Calibration*> tests() override { return {&calibration_}; }

 private:
  struct Account {
    std::vector<TextVector> history;  // a ring once full
    std::size_t next = 0;
    std::uint32_t hits = 0;
  };
  struct Held {
    std::uint32_t account;
    float distance;
  };

  double mean_distance(const Account& account, const TextVector& vector) {
    std::array<std::int32_t, kHistoryMax> near;
    const std::size_t size = account.history.size();
    dots(account.history, vector, near.data());
    const auto nearest_end = near.begin() + kNeighbours;
    std::nth_element(near.begin(), nearest_end - 1, near.begin() + static_cast<std::ptrdiff_t>(size), std::greater<>());
    // In order, so that the sum does not depend on how the library selects.
    std::sort(near.begin(), nearest_end);
    double sum = 0;
    for (auto dot = near.begin(); dot != nearest_end; ++dot) sum += TextVector::distance(*dot);
    return sum / kNeighbours;
  }

  void hold(std::uint32_t account, double distance) {
    if (held_.size() >= kHeldMax)
      ++not_held_;
    else
      held_.push_back({account, static_cast<float>(distance)});
  }

  // The calibration period is over: what was a hit in it, and whose.
  void learn(std::int64_t time_us) {
    held_peak_ = held_.size();
    std::vector<float> distances;
    for (const Held& held : held_) distances.push_back(held.distance);
    const auto rank = static_cast<std::ptrdiff_t>(kHitShare * static_cast<double>(distances.size()));
    if (!distances.empty()) {
      std::nth_element(distances.begin(), distances.begin() + rank, distances.end());
      hit_below_ = distances[static_cast<std::size_t>(rank)];
    }
    for (const Held& held : held_) {
      if (held.distance < hit_below_)
        hit(held.account, time_us);
      else
        calibration_.judge(held.account, 0, time_us);
    }
    held_.clear();
    held_.shrink_to_fit();
  }

  void hit(std::uint32_t number, std::int64_t time_us) {
    const std::uint32_t hits = ++accounts_[number].hits;
    calibration_.judge(number, hits >= kHitsMin ? hits : 0, time_us);
  }

  // Room for those who come later: all histories keep their newest queries, to half of the limit.
  void halve_longest() {
    while (vectors_ >= vectors_max_ && history_max_ > kHistoryMin) {
      history_max_ = std::max(kHistoryMin, history_max_ / 2);
      for (Account& account : accounts_) {
        auto& history = account.history;
        if (history.size() <= history_max_) continue;
        left_out_ += history.size() - history_max_;
        vectors_ -= history.size() - history_max_;
        std::rotate(history.begin(), history.begin() + static_cast<std::ptrdiff_t>(account.next % history.size()),
                    history.end());  // oldest first
        history.erase(history.begin(), history.end() - static_cast<std::ptrdiff_t>(history_max_));
        history.shrink_to_fit();
        account.next = 0;
      }
    }
  }

  void keep(Account& account, const TextVector& vector) {
    if (vectors_ >= vectors_max_) halve_longest();
    if (account.history.size() < history_max_ && vectors_ < vectors_max_) {
      account.history.push_back(vector);
      ++vectors_;
    } else if (account.history.size() > kNeighbours) {
      account.next %= account.history.size();
      account.history[account.next++] = vector;
    } else {
      ++left_out_;
    }
  }

  Calibration calibration_;
  std::size_t vectors_max_;
  std::vector<Account> accounts_;
  std::vector<Held> held_;
  double hit_below_ = -1;
  std::size_t vectors_ = 0, history_max_ = kHistoryMax, held_peak_ = 0;
  std::uint64_t left_out_ = 0, not_held_ = 0;
};

}  // namespace

std::unique_ptr<Baseline> make_seat(const BaselineOptions& options) { return std::make_unique<Seat>(options); }

}  // namespace stillwatch::quality
