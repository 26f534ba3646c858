#include "engine/engine.h"

#include <algorithm>

#include "base/assert.h"
#include "base/byte_stream.h"

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
      case_book_(settings.policy),
      alarm_(settings.policy) {}

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

std::string Engine::calibration_bytes() const {
  if (detector_.calibrating()) return {};
  base::ByteWriter out;
  detector_.calibration().save(out);
  return out.bytes();
}

base::Status Engine::step(std::vector<event::Query>& batch) {
  const auto kept = std::remove_if(batch.begin(), batch.end(),
                                   [](const event::Query& query) { return (query.flags & event::kFlagShed) != 0; });
  counters_.shed += static_cast<std::uint64_t>(batch.end() - kept);
  batch.erase(kept, batch.end());
  const std::int64_t look_us = settings_.detect.epoch_us / settings_.detect.looks_per_epoch;
  std::span<const event::Query> rest(batch);
  while (!rest.empty()) {
    const std::int64_t epoch = rest.front().time_us / look_us;
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
                     [&](const event::Query& query) { return query.time_us / look_us != epoch; });
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
  for (const event::AccountUpdate& update : updates) take_update(update);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (observations[i].first_of_day) alarm_.note_version(queries[i].client_version);
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
  if (epoch.calibrated && !epoch.deferred) drift_ = calibration_drift(epoch.findings, detector_.calibration());
  const IsDeclared declared = [this](Token account, std::int64_t time_us) { return is_declared(account, time_us); };
  alarm_.judge(
      now_us, case_book_.newly_actioned(epoch, detector_, now_us, declared),
      [this](Token account) { return kind_of(account); },
      [&](const std::function<void(const AccountKind&)>& each) {
        detector_.accounts().for_each([&](detect::Handle, const detect::AccountState& account) {
          if (account.queries > 0 && account.last_us >= now_us - base::kDayUs) each(kind_of(account));
        });
      });
  const auto verdicts = case_book_.apply(epoch, detector_, now_us, declared, open_,
                                         [&](Token account) { return alarm_.holds(kind_of(account), now_us); });
  return verdicts.empty() ? base::Status{} : sink_(verdicts);
}

void Engine::take_update(const event::AccountUpdate& update) {
  if ((update.fields & event::kFieldDeclared) != 0) declared_[update.account] = update.declared;
  if ((update.fields & event::kFieldTier) != 0) tiers_[update.account] = update.tier;
}

AccountKind Engine::kind_of(const detect::AccountState& account) const {
  const auto tier = tiers_.find(account.account);
  return {account.client_version,
          tier == tiers_.end() ? 0 : tier->second,
          account.verification,
          account.language.majority(),
          detector_.accounts().trusted(account, detector_.log_start_us()),
          account.first_us};
}

AccountKind Engine::kind_of(Token account) const {
  const detect::Handle handle = detector_.accounts().find(account);
  return handle == detect::kNoHandle ? AccountKind{} : kind_of(detector_.accounts().at(handle));
}

bool Engine::is_declared(Token account, std::int64_t time_us) const {
  const auto uses = declared_.find(account);
  return uses != declared_.end() && policy::is_declared(uses->second, time_us);
}

std::string Engine::snapshot() const {
  base::ByteWriter out;
  detector_.save(out);
  case_book_.save(out);
  alarm_.save(out);
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
  const bool loaded = detector_.load(in) && case_book_.load(in) && alarm_.load(in);
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
  for (std::size_t i = 0; i < next_update_; ++i) take_update(updates_[i]);
  return {};
}

}  // namespace stillwatch::engine
