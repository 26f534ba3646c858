#include "engine/engine.h"

#include <algorithm>

#include "base/assert.h"

namespace stillwatch::engine {
namespace {

constexpr std::size_t kBatchMax =
    1U << 16;  // queries between two barriers: large enough to hide them, small enough for cache
constexpr std::size_t kHoursMax = 24 * 366 * 4;  // of the traffic chart; later hours are counted in the last

}  // namespace

Engine::Engine(const Settings& settings, unsigned workers, OpenId open, VerdictSink sink)
    : settings_(settings),
      pool_(std::max(1U, workers)),
      open_(std::move(open)),
      sink_(std::move(sink)),
      detector_(settings.detect),
      case_book_(settings.policy) {}

void Engine::set_accounts(std::vector<event::AccountUpdate> updates) {
  STILLWATCH_ASSERT(!opened_);
  updates_ = std::move(updates);
}

void Engine::add_accounts(std::vector<event::AccountUpdate> updates) {
  const auto place = updates_.begin() + static_cast<std::ptrdiff_t>(next_update_);
  updates_.insert(place, updates.begin(), updates.end());
  std::stable_sort(updates_.begin() + static_cast<std::ptrdiff_t>(next_update_), updates_.end(),
                   [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
}

void Engine::adopt_calibration(const Engine& calibrated) {
  const detect::Detector& other = calibrated.detector_;
  detector_.adopt_calibration(other.calibration(), other.known_tokens(), other.population().accounts,
                              other.population().trusted_accounts);
}

void Engine::finish_calibration() {
  if (opened_ && detector_.calibrating()) detector_.finish_calibration(counters_.last_us);
}

base::Status Engine::step(std::vector<event::Query>& batch) {
  const auto kept = std::remove_if(batch.begin(), batch.end(),
                                   [](const event::Query& query) { return (query.flags & event::kFlagShed) != 0; });
  counters_.shed += static_cast<std::uint64_t>(batch.end() - kept);
  batch.erase(kept, batch.end());
  std::span<const event::Query> rest(batch);
  while (!rest.empty()) {
    const std::int64_t epoch = rest.front().time_us / settings_.detect.epoch_us;
    if (!opened_) {
      detector_.open_log(rest.front().time_us);
      counters_.first_us = rest.front().time_us;
      opened_ = true;
    } else if (epoch != epoch_) {
      STILLWATCH_CHECK(close(rest.front().time_us));
    }
    epoch_ = epoch;
    const auto end =
        std::find_if(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(std::min(rest.size(), kBatchMax)),
                     [&](const event::Query& query) { return query.time_us / settings_.detect.epoch_us != epoch; });
    const auto count = static_cast<std::size_t>(end - rest.begin());
    STILLWATCH_CHECK(observe(rest.first(count)));
    rest = rest.subspan(count);
  }
  return {};
}

base::Status Engine::observe(std::span<const event::Query> queries) {
  std::size_t end = next_update_;
  while (end < updates_.size() && updates_[end].time_us <= queries.back().time_us) ++end;
  const std::span<const event::AccountUpdate> updates(updates_.data() + next_update_, end - next_update_);
  observations_.resize(std::max(observations_.size(), queries.size()));
  const std::span<detect::Observation> observations(observations_.data(), queries.size());
  pool_.run([&](unsigned worker) {
    detector_.observe_accounts({worker, pool_.size()}, queries, updates, observations);
  });
  pool_.run([&](unsigned worker) { detector_.observe_tokens({worker, pool_.size()}, queries, observations); });
  for (const event::AccountUpdate& update : updates) {
    if ((update.fields & event::kFieldDeclared) != 0) declared_[update.account] = update.declared;
  }
  next_update_ = end;
  counters_.queries += queries.size();
  counters_.last_us = queries.back().time_us;
  for (const event::Query& query : queries) {
    const auto hour = static_cast<std::size_t>(query.time_us / base::kHourUs - counters_.first_us / base::kHourUs);
    const std::size_t slot = std::min(hour, kHoursMax - 1);
    if (slot >= queries_per_hour_.size()) queries_per_hour_.resize(slot + 1, 0);
    ++queries_per_hour_[slot];
  }
  return {};
}

base::Status Engine::close(std::int64_t now_us) {
  const detect::Detector::Epoch epoch = detector_.close(now_us);
  ++counters_.epochs;
  if (epoch.calibration_ended) counters_.calibrated_us = now_us;
  const auto verdicts = case_book_.apply(
      epoch, detector_, now_us, [this](Token account, std::int64_t time_us) { return is_declared(account, time_us); },
      open_);
  return verdicts.empty() ? base::Status{} : sink_(verdicts);
}

bool Engine::is_declared(Token account, std::int64_t time_us) const {
  const auto uses = declared_.find(account);
  return uses != declared_.end() && policy::is_declared(uses->second, time_us);
}

std::string Engine::snapshot() const {
  base::ByteWriter out;
  detector_.save(out);
  case_book_.save(out);
  out.put<std::uint64_t>(updates_.size());
  out.put<std::uint64_t>(next_update_);
  out.put(epoch_);
  out.put(opened_);
  out.put(counters_);
  out.put_all(queries_per_hour_);
  return out.take();
}

base::Status Engine::restore(std::string_view bytes) {
  base::ByteReader in(bytes);
  const bool loaded = detector_.load(in) && case_book_.load(in);
  const auto updates = in.get<std::uint64_t>();
  next_update_ = in.get<std::uint64_t>();
  epoch_ = in.get<std::int64_t>();
  opened_ = in.get<bool>();
  counters_ = in.get<Counters>();
  queries_per_hour_ = in.get_all<std::uint32_t>();
  if (!loaded || !in.ok() || !in.at_end()) {
    return base::fail(base::Fault::environment, "the snapshot does not fit this version or these settings");
  }
  if (updates != updates_.size() || next_update_ > updates_.size()) {
    return base::fail(base::Fault::caller, "the accounts file is not the one that the snapshot was made with");
  }
  for (std::size_t i = 0; i < next_update_; ++i) {
    if ((updates_[i].fields & event::kFieldDeclared) != 0) declared_[updates_[i].account] = updates_[i].declared;
  }
  return {};
}

}  // namespace stillwatch::engine
