// A run and the audit log: what it writes there, the states that its decisions rest on, and how it goes on from one.
#include <algorithm>

#include <fmt/format.h>

#include "base/event_time.h"
#include "ledger/retention.h"
#include "replay/run_parts.h"

namespace stillwatch::replay {

using base::Fault;

std::int64_t month_end_after(std::int64_t time_us) {
  return ledger::first_day_after(ledger::month_of_day(ledger::day_of(time_us))) * base::kDayUs;
}

base::Status Run::open_ledger(std::int64_t begin_us) {
  if (ledger_mark_.empty() && !options_.state.empty()) {
    STILLWATCH_TRY(mark, kept_mark(options_.state, options_.policy_hash + inputs_));
    ledger_mark_ = std::move(mark);
  }
  STILLWATCH_TRY(ledger, LedgerOutput::open(options_.ledger, options_.policy_hash, begin_us, ledger_mark_));
  ledger_ = std::move(ledger);
  if (options_.state.empty()) return {};
  // Leaves that a run writes before its first snapshot are its own all the same when it begins anew.
  STILLWATCH_TRY(mark, ledger_->settle());
  return keep_mark(options_.state, options_.policy_hash + inputs_, mark);
}

/// With a month's first record the audit log goes on to another log: from there on decisions rest on the state that the
/// records before it left. So the place is the same wherever batches end.
base::Status Run::step_logged(std::vector<event::Query>& batch) {
  const auto open = [this](event::Token token) { return name_of(token); };
  if (ledger_ == nullptr) STILLWATCH_CHECK(open_ledger(batch.front().time_us));
  std::vector<event::Query> part;
  for (std::size_t begin = 0; begin < batch.size();) {
    const std::int64_t time_us = batch[begin].time_us;
    if (time_us >= month_end_us_) {
      if (month_end_us_ != INT64_MIN) STILLWATCH_CHECK(keep_state(time_us));
      month_end_us_ = month_end_after(time_us);
    }
    std::size_t end = begin;
    while (end < batch.size() && batch[end].time_us < month_end_us_) ++end;
    ledger_->note(*engine_);
    ledger_->add(std::span(batch).subspan(begin, end - begin), std::span(digests_).subspan(begin, end - begin), open);
    if (end - begin == batch.size()) return engine_->step(batch);
    part.assign(batch.begin() + static_cast<std::ptrdiff_t>(begin), batch.begin() + static_cast<std::ptrdiff_t>(end));
    STILLWATCH_CHECK(engine_->step(part));
    begin = end;
  }
  return {};
}

base::Status Run::keep_state(std::int64_t begin_us) {
  audit::KeptState state;
  state.first_us = engine_->counters().first_us;
  state.time_us = engine_->counters().last_us;
  state.secret_id = keyed_hash_->secret_id();
  state.account_updates = account_updates_;
  state.policy_hash = options_.policy_hash;
  state.engine = engine_->snapshot();
  return ledger_->rest_on(state, identities_.save(), begin_us);
}

base::Status Run::step(std::vector<event::Query>& batch) {
  if (options_.choose)
    STILLWATCH_CHECK(options_.choose(batch, digests_, [this](event::Token token) { return name_of(token); }));
  if (!waiting_.empty()) add_waiting(batch);
  return options_.ledger.folder.empty() || batch.empty() ? engine_->step(batch) : step_logged(batch);
}

/// Of equal times what was logged before the base goes first.
void Run::add_waiting(std::vector<event::Query>& batch) {
  if (batch.empty()) return;
  const auto earlier = [](const event::Query& left, const event::Query& right) { return left.time_us < right.time_us; };
  const auto due = std::upper_bound(waiting_.begin(), waiting_.end(), batch.back(), earlier);
  std::vector<event::Query> merged;
  merged.reserve(batch.size() + static_cast<std::size_t>(due - waiting_.begin()));
  std::merge(waiting_.begin(), due, batch.begin(), batch.end(), std::back_inserter(merged), earlier);
  waiting_.erase(waiting_.begin(), due);
  batch.swap(merged);
}

base::Status Run::load_accounts(const intake::RejectSink& rejects) {
  if (options_.base != nullptr) return go_on_from_base();
  if (options_.accounts.empty()) return {};
  STILLWATCH_TRY(known, intake::load_accounts(options_.accounts, *keyed_hash_, identities_, rejects));
  accounts_ = std::move(known);
  account_updates_ = accounts_.updates.size();
  engine_->set_accounts(std::move(accounts_.updates));
  return {};
}

/// What the engine had been given of the accounts file by then, and what was added to the file later.
base::Status Run::go_on_from_base() {
  const audit::KeptState& base = *options_.base;
  const auto refused = [](std::string what) { return base::fail(Fault::check, "the state kept: " + std::move(what)); };
  if (base.secret_id != keyed_hash_->secret_id()) return refused("it is of another deployment secret");
  if (base.policy_hash != options_.policy_hash) return refused("it is of another configuration");
  STILLWATCH_CHECK(identities_.load(options_.base_names));
  if (!options_.accounts.empty()) {
    STILLWATCH_TRY(known, intake::load_accounts(options_.accounts, *keyed_hash_, identities_, {}, false));
    accounts_ = std::move(known);
  }
  std::vector<event::AccountUpdate>& updates = accounts_.updates;
  if (updates.size() < base.account_updates) {
    return refused(
        fmt::format("it counts {} account records, the file of accounts has {}: some were erased, or it is "
                    "another file",
                    base.account_updates, updates.size()));
  }
  const auto later = updates.begin() + static_cast<std::ptrdiff_t>(base.account_updates);
  std::vector<event::AccountUpdate> added(later, updates.end());
  updates.erase(later, updates.end());
  std::stable_sort(updates.begin(), updates.end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  engine_->set_accounts(std::move(updates));
  if (!engine_->restore(base.engine)) return refused("it is of another version of the software");
  std::stable_sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  engine_->add_accounts(std::move(added));
  waiting_ = base.waiting;
  std::stable_sort(waiting_.begin(), waiting_.end(),
                   [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  return {};
}

}  // namespace stillwatch::replay
