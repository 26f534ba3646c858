#include "audit/feed_writer.h"

#include <algorithm>

#include "audit/kept_states.h"

namespace stillwatch::audit {
namespace {

constexpr std::size_t kPendingMax = 4'096;  // leaves between two syncs of new keys

}  // namespace

std::int64_t time_of(const Given& given) {
  if (const auto* loss = std::get_if<Loss>(&given)) return loss->to_us;
  if (const auto* record = std::get_if<Record>(&given)) return record->time_us;
  if (const auto* decision = std::get_if<Decision>(&given)) return decision->time_us;
  if (const auto* base = std::get_if<Base>(&given)) return base->time_us;
  return std::get<Deployment>(given).time_us;
}

FeedWriter::FeedWriter(Parts parts)
    : options_(*parts.options),
      keys_(*parts.keys),
      vault_(parts.vault),
      log_(*parts.log),
      now_ms_(std::move(parts.now_ms)),
      wait_after_failure_(std::move(parts.wait_after_failure)),
      maker_(keys_, vault_, options_.is_replay) {}

base::Result<bool> FeedWriter::begin(const Recall& from) {
  STILLWATCH_TRY(parsed, parse_mark(from.mark));
  // So that the checkpoint covers what a crash left unsigned.
  STILLWATCH_CHECK(log_.flush());
  STILLWATCH_TRY(logs, logs_of_shard(options_.log.folder, options_.log.shards.front()));
  const Published now = log_.checkpoint();
  const bool has_more_than_its_opening = logs.size() > 1 || now.size > 1;
  const bool is_own_beginning =
      from.mark.empty() && (options_.is_replay || (from.is_anew && has_more_than_its_opening));
  bool is_known = false;
  if (is_own_beginning) {
    // What stands there already is of others, or of an engine of before.
    parsed.base_origin = parsed.origin = now.origin;
    parsed.base_index = parsed.index = now.size;
    base_ = start_ = parsed;
    if (from.is_anew) show_base(month_of_log(now.origin));
  } else {
    base_ = start_ = parsed;
    STILLWATCH_TRY(found, recalled_.read(logs, parsed));
    is_known = found;
    if ((is_known || recalled_.size() == 0) && !logs.empty())
      show_base(month_of_log(base_.base_origin.empty() ? logs.front().origin : base_.base_origin));
  }
  // Where the mark is not known, all of them were read.
  if (from.decisions_mark && (is_own_beginning || is_known)) {
    STILLWATCH_TRY(earlier, parse_mark(*from.decisions_mark));
    STILLWATCH_CHECK(recalled_.read_decisions(logs, earlier, is_own_beginning ? nullptr : &parsed));
  }
  if (parsed.policy.empty()) return is_known;
  STILLWATCH_TRY(leaf, ledger::read_leaf(parsed.policy));
  if (const auto* policy = std::get_if<ledger::PolicyLeaf>(&leaf)) maker_.take_deployed(*policy);
  policy_bytes_ = parsed.policy;
  return is_known;
}

bool FeedWriter::insist(const std::function<base::Status()>& step) {
  for (;;) {
    const base::Status status = step();
    counters_.is_failing.store(!status, std::memory_order_relaxed);
    if (status) return true;
    ++counters_.failures;
    if (!wait_after_failure_()) return false;
  }
}

void FeedWriter::put() {
  pending_bytes_ += leaf_;
  // A replay's months turn by what was given, not by when it is written.
  pending_.push_back({pending_bytes_.size(), options_.is_replay ? now_ms_() : 0});
  if (pending_.size() >= kPendingMax) flush();
}

void FeedWriter::flush() {
  if (pending_.empty()) return;
  const bool is_kept = insist([this]() -> base::Status {
    if (vault_ != nullptr) STILLWATCH_CHECK(vault_->commit());
    return keys_.sync();
  });
  std::size_t begin = 0;
  for (const Pending& one : pending_) {
    const std::string_view bytes = std::string_view(pending_bytes_).substr(begin, one.end - begin);
    begin = one.end;
    if (!is_kept || !log_.append(bytes, 0, one.time_ms)) ++counters_.given_up;
  }
  pending_.clear();
  pending_bytes_.clear();
}

base::Status FeedWriter::read_inputs() {
  STILLWATCH_CHECK(log_.flush());
  const Published now = log_.checkpoint();
  if (!inputs_.empty() && inputs_.back().log == now.origin) {
    inputs_.back().to = now.size;
    return {};
  }
  STILLWATCH_TRY(logs, logs_of_shard(options_.log.folder, options_.log.shards.front()));
  inputs_.clear();
  bool is_in = base_.base_origin.empty();
  for (const ShardLog& one : logs) {
    const bool is_base = one.origin == base_.base_origin;
    is_in = is_in || is_base;
    if (!is_in) continue;
    const std::uint64_t from = is_base ? base_.base_index : 0;
    inputs_.push_back({one.origin, from, std::max(from, one.origin == now.origin ? now.size : one.size)});
  }
  // More than ten years of months: the last ones are named, and their `open` leaves lead to the others.
  if (inputs_.size() > ledger::kLeafListMax)
    inputs_.erase(inputs_.begin(), inputs_.end() - static_cast<std::ptrdiff_t>(ledger::kLeafListMax));
  return {};
}

void FeedWriter::look_up_inputs() {
  // Further decisions of the same moment rest on the same inputs.
  if (!is_dirty_) return;
  flush();
  is_dirty_ = !insist([this] { return read_inputs(); });
}

/// A leaf that cannot be made for want of a disk is tried again; one that is not representable is refused.
template <class Make>
bool FeedWriter::make(Make step, LeafMaker::Made& made, bool& is_refused) {
  is_refused = false;
  const bool is_done = insist([&]() -> base::Status {
    auto result = step();
    if (result) {
      made = *result;
    } else {
      is_refused = result.error().fault != base::Fault::environment;
      if (!is_refused) return base::fail(std::move(result).error());
    }
    return {};
  });
  if (!is_done) ++counters_.given_up;
  return is_done;
}

void FeedWriter::write_record(const Record& record) {
  LeafMaker::Made made;
  bool is_refused = false;
  if (!make([&] { return maker_.make(record, leaf_); }, made, is_refused)) return;
  if (is_refused) return write_loss({record.time_us, record.time_us, 1, "not representable"});
  is_dirty_ = true;
  if (recalled_.size() > 0 && recalled_.take(made.id)) {
    ++counters_.recalled;
    return;
  }
  counters_.unnamed += made.is_named ? 0 : 1;
  counters_.payloads += made.has_payload ? 1 : 0;
  counters_.payloads_failed += made.payload_failed ? 1 : 0;
  put();
  ++counters_.records;
}

void FeedWriter::write_decision(const Decision& decision) {
  LeafMaker::Made made;
  bool is_refused = false;
  if (recalled_.size() > 0) {
    // Its inputs are another matter: the id says whether it is there.
    if (!make([&] { return maker_.make(decision, {}, {}, leaf_); }, made, is_refused)) return;
    if (!is_refused && recalled_.take(made.id)) {
      ++counters_.recalled;
      return;
    }
  }
  if (decision.has_inputs) look_up_inputs();
  if (!make([&] { return maker_.make(decision, inputs_, base_.base_state, leaf_); }, made, is_refused)) return;
  if (is_refused) return write_loss({decision.time_us, decision.time_us, 1, "not representable"});
  counters_.unnamed += made.is_named ? 0 : 1;
  put();
  ++counters_.decisions;
}

void FeedWriter::write_deployment(const Deployment& deployment) {
  // In a replay the same wherever its batches end.
  const std::int64_t event_us = deployment.time_us > 0 ? deployment.time_us : options_.begin_us;
  const std::int64_t now_ms = options_.is_replay ? event_us / 1'000 : now_ms_();
  const ledger::RetentionProfile* profile = options_.is_replay ? nullptr : &options_.retention;
  if (!insist([&] { return maker_.deploy(deployment, profile, now_ms, leaves_); })) return;
  for (std::string& made : leaves_) {
    leaf_.swap(made);
    policy_bytes_ = leaf_;  // the last one is the policy leaf
    if (recalled_.take_alike(leaf_)) {
      ++counters_.recalled;
      continue;
    }
    put();
    ++counters_.deployments;
  }
}

void FeedWriter::write_loss(const Loss& loss) {
  if (!make_gap(now_ms_(), loss, leaf_)) return;
  if (recalled_.take_alike(leaf_)) {
    ++counters_.recalled;
    return;
  }
  put();
  ++counters_.losses;
}

/// The present log goes on to the month that the base is of, so that ranges and retention begin with a log.
void FeedWriter::take_base(const Base& base) {
  // While what the logs hold is being given again, nobody knows where in them it would stand. The one before is as
  // true, and only longer.
  if (recalled_.has_records()) return;
  flush();
  const bool is_taken = insist([&] {
    return log_.shard().run([&](ledger::LogChain& chain) -> base::Status {
      STILLWATCH_CHECK(chain.roll(now_ms_()));
      base_.base_origin = chain.log().origin();
      base_.base_index = chain.log().size();
      return {};
    });
  });
  if (!is_taken) return;
  base_.base_state = base.state;
  show_base(month_of_log(base_.base_origin));
  inputs_.clear();
  is_dirty_ = true;
}

void FeedWriter::show_base(std::int32_t month) {
  const std::lock_guard lock(shown_mutex_);
  shown_month_ = month;
  shown_state_ = base_.base_state;
}

bool FeedWriter::wants_base(std::int32_t month) const {
  const std::lock_guard lock(shown_mutex_);
  // An erasure may have taken the state.
  return month > shown_month_ || (shown_state_ && !KeptStates(options_.log.folder).has(*shown_state_));
}

void FeedWriter::write(const Given& given) {
  if (const auto* record = std::get_if<Record>(&given)) return write_record(*record);
  if (const auto* decision = std::get_if<Decision>(&given)) return write_decision(*decision);
  if (const auto* deployment = std::get_if<Deployment>(&given)) return write_deployment(*deployment);
  if (const auto* base = std::get_if<Base>(&given)) return take_base(*base);
  write_loss(std::get<Loss>(given));
}

base::Result<std::string> FeedWriter::settle() {
  flush();
  STILLWATCH_CHECK(log_.flush());
  // What was not given again yet must be found again after the next end, too.
  if (recalled_.has_records()) return text_of(start_);
  const Published now = log_.checkpoint();
  FeedMark mark = base_;
  mark.origin = now.origin;
  mark.index = now.size;
  mark.policy = policy_bytes_;
  return text_of(mark);
}

base::Status FeedWriter::run(const std::function<base::Status()>& work) {
  flush();
  const base::Status status = work();
  maker_.forget_names();
  return status;
}

}  // namespace stillwatch::audit
