#include "detect/detector.h"

#include <algorithm>
#include <cmath>

namespace stillwatch::detect {

Detector::Detector(const Settings& settings)
    : settings_(settings), accounts_(settings), tokens_(settings), groups_(settings) {}

void Detector::open_log(std::int64_t first_us) { log_start_us_ = first_us; }

void Detector::adopt_calibration(const Calibration& calibration, std::span<const Token> known, std::uint64_t accounts,
                                 std::uint64_t trusted_accounts) {
  calibration_ = calibration;
  tokens_.add_known(known);
  population_.accounts = accounts;
  population_.trusted_accounts = trusted_accounts;
  population_.known_actors_min = known_actors_min();
  calibrating_ = learning_ = false;
}

void Detector::observe_accounts(Worker worker, std::span<const event::Query> queries,
                                std::span<const event::AccountUpdate> updates, std::span<Observation> observations) {
  accounts_.observe(worker, queries, updates, tokens_, log_start_us_, observations);
}

void Detector::observe_tokens(Worker worker, std::span<const event::Query> queries,
                              std::span<const Observation> observations) {
  tokens_.observe(worker, queries, observations, accounts_, log_start_us_, calibrating_);
}

bool Detector::is_due(std::int64_t now_us) {
  constexpr std::uint64_t kEpochsDeferredMax =
      24;                                      // a closing is bounded itself; once in so many it always takes place
  constexpr std::uint64_t kSlotsPerUnit = 16;  // of the tables that forget the handles of accounts that left
  constexpr std::uint64_t kEpochsSaved = 24;   // a quiet week must not pay for a loud day
  const std::uint64_t queries = accounts_.traffic().queries;
  const std::uint64_t income =
      settings_.close_work_per_epoch + std::uint64_t{settings_.close_work_per_query} * (queries - pace_.queries);
  pace_.queries = queries;
  pace_.credit += income;
  const std::uint64_t sweep = accounts_.is_nearly_full() ? tokens_.slots_in_use() / kSlotsPerUnit : 0;
  const std::uint64_t work = groups_.work() + tokens_.eviction_work() + sweep;
  const bool phase_ends = calibrating_ && (now_us >= log_start_us_ + settings_.calibration_us ||
                                           (learning_ && now_us >= log_start_us_ + settings_.calibration_us / 2));
  if (work > pace_.credit && !phase_ends && pace_.deferred_last + 1 < kEpochsDeferredMax) {
    ++pace_.deferred_last;
    ++pace_.deferred;
    return false;
  }
  pace_.deferred_last = 0;
  pace_.credit = std::min(pace_.credit - std::min(work, pace_.credit), kEpochsSaved * income);
  return true;
}

// Whoever keeps handles forgets those of the accounts that left.
void Detector::make_room() {
  const std::vector<Handle> gone = accounts_.make_room();
  if (gone.empty()) return;
  groups_.forget(gone);
  tokens_.forget(gone);
}

// A campaign that starts shares more within minutes than honest traffic does in an hour. So the detector looks up
// several times an epoch, and closes it early when links come in at one and a half times the usual rate or more: a
// function of the log alone, like everything here.
bool Detector::is_look_only(std::int64_t now_us) {
  constexpr double kSurge = 1.5;
  constexpr double kSurgeLinksMin = 60;
  constexpr double kMemory = 1.0 / 24;  // of the usual rate: about a day of epochs
  const std::uint64_t links = tokens_.links_total();
  const std::int64_t number = now_us / settings_.epoch_us;
  if (number == link_rate_.epoch) {
    const double share = static_cast<double>(now_us - link_rate_.closed_us) / static_cast<double>(settings_.epoch_us);
    const auto pending = static_cast<double>(links - link_rate_.links);
    if (calibrating_ || pending < std::max(kSurgeLinksMin, kSurge * share * link_rate_.usual)) return true;
  } else {
    // The first epoch of a log is seldom whole.
    const auto whole = static_cast<double>(links - link_rate_.links_epoch);
    if (link_rate_.epoch >= 0) link_rate_.usual += link_rate_.usual == 0 ? whole : kMemory * (whole - link_rate_.usual);
    link_rate_.links_epoch = links;
    link_rate_.epoch = number;
  }
  link_rate_.links = links;
  link_rate_.closed_us = now_us;
  return false;
}

Detector::Epoch Detector::close(std::int64_t now_us) {
  Epoch epoch;
  if (is_look_only(now_us) || !is_due(now_us)) {
    epoch.deferred = true;
    epoch.calibrated = !calibrating_;
    return epoch;
  }
  groups_.step(accounts_, tokens_, now_us, accounts_.size(), learning_);
  tokens_.evict(static_cast<std::uint32_t>(now_us / base::kHourUs));
  make_room();
  groups_.measure(accounts_, now_us, calibrating_);
  population_.queries = accounts_.traffic().queries;
  population_.accounts = accounts_.size();
  population_.handoffs = groups_.handoffs_total();
  if (learning_ && now_us >= log_start_us_ + settings_.calibration_us / 2) end_phase(now_us);
  if (calibrating_ && now_us >= log_start_us_ + settings_.calibration_us) {
    finish_calibration(now_us);
    epoch.calibration_ended = true;
  }
  epoch.calibrated = !calibrating_;
  if (calibrating_) return epoch;  // nobody is judged yet
  for (const Group& group : groups_.groups()) {
    if (!group.live) continue;
    epoch.findings.push_back(find_group(group, accounts_, calibration_, population_, settings_));
    if (group.convicted_us == 0 && epoch.findings.back().strength.log10_e >= calibration_.threshold_log10_e())
      groups_.mark_convicted(group.id, now_us);
  }
  return epoch;
}

std::uint32_t Detector::known_actors_min() const {
  const double share = settings_.known_share_min * static_cast<double>(population_.trusted_accounts);
  return std::max(settings_.known_actors_min, static_cast<std::uint32_t>(std::ceil(share)));
}

// A campaign that is running while we learn must not teach us that it is common.
void Detector::end_phase(std::int64_t now_us) {
  population_.trusted_accounts = accounts_.trusted_count(log_start_us_);
  const Calibration tentative = Calibration::fit(groups_.trajectories_with_current(), accounts_.size(),
                                                 now_us - log_start_us_, settings_.false_campaigns_per_month_max);
  std::vector<std::uint32_t> suspects;
  std::vector<Token> traits;
  for (const Group& group : groups_.groups()) {
    if (!group.live || !group.measures.testable) continue;
    const GroupFinding finding = find_group(group, accounts_, tentative, population_, settings_);
    if (finding.strength.log10_e < tentative.threshold_log10_e()) continue;
    suspects.push_back(group.id);
    for (const Trait& trait : group.traits) traits.push_back(trait.token);
  }
  std::sort(traits.begin(), traits.end());
  population_.known_actors_min = known_actors_min();
  known_ = tokens_.mark_known(population_.known_actors_min, suspects, traits);
  groups_.end_phase(accounts_, suspects, log_start_us_);
  learning_ = false;
}

void Detector::finish_calibration(std::int64_t now_us) {
  end_phase(now_us);
  calibration_ = Calibration::fit(groups_.trajectories(), accounts_.size(), now_us - log_start_us_,
                                  settings_.false_campaigns_per_month_max);
  calibrating_ = false;
}

void Detector::save(base::ByteWriter& out) const {
  accounts_.save(out);
  tokens_.save(out);
  groups_.save(out);
  calibration_.save(out);
  out.put(population_);
  out.put(log_start_us_);
  out.put(pace_);
  out.put(link_rate_);
  out.put(calibrating_);
  out.put(learning_);
}

bool Detector::load(base::ByteReader& in) {
  if (!accounts_.load(in) || !tokens_.load(in) || !groups_.load(in)) return false;
  calibration_ = Calibration::load(in);
  population_ = in.get<Population>();
  log_start_us_ = in.get<std::int64_t>();
  pace_ = in.get<Pace>();
  link_rate_ = in.get<LinkRate>();
  calibrating_ = in.get<bool>();
  learning_ = in.get<bool>();
  return in.ok();
}

}  // namespace stillwatch::detect
