#include "intake/time_order.h"

#include <algorithm>
#include <functional>

#include "base/assert.h"

namespace stillwatch::intake {
namespace {

std::int64_t saturating_minus(std::int64_t time_us, std::int64_t lateness_us) {
  return time_us < INT64_MIN + lateness_us ? INT64_MIN : time_us - lateness_us;
}

/// A query of which only account, time and size count.
event::Query refused_query(const event::Query& query) {
  event::Query out;
  out.account = query.account;
  out.line_bytes = query.line_bytes;
  out.flags = static_cast<std::uint8_t>(event::kFlagRejected | (query.flags & event::kFlagShed));
  return out;
}

}  // namespace

std::int64_t TimeOrder::frontier() const {
  if (is_finished_) return INT64_MAX;
  if (replay_until_line_ > 0) return INT64_MIN;
  return std::max(saturating_minus(watermark_us_, lateness_us_), floor_us_);
}

void TimeOrder::refuse(Entry& entry, RejectReason reason, std::int64_t time_us) {
  if (entry.parsed.accepted) {
    entry.parsed.query = refused_query(entry.parsed.query);
    entry.parsed.accepted = false;
    entry.parsed.refusal = {reason, "time"};
  }
  entry.time_us = time_us;
}

/// Decides on the line's place; the only code that looks at the lines before it.
void TimeOrder::place(Entry& entry) {
  const std::int64_t own_us = entry.parsed.query.time_us;
  const std::int64_t earliest_us = frontier();
  const bool was_accepted = entry.parsed.accepted;
  RejectReason reason = RejectReason::too_late;
  if (!was_accepted) {
    // A refused line moves no clock: it is placed at its time where that can be believed, else where the file stands.
    const bool fits = entry.parsed.has_time && own_us >= earliest_us &&
                      (watermark_us_ == INT64_MIN || own_us <= watermark_us_ || own_us - watermark_us_ <= kJumpUsMax);
    entry.time_us = fits ? own_us : std::max(watermark_us_, earliest_us);
  } else if (own_us < earliest_us) {
    refuse(entry, reason, earliest_us);
  } else if (watermark_us_ != INT64_MIN && own_us > watermark_us_ && own_us - watermark_us_ > kJumpUsMax) {
    const bool is_near =
        jump_count_ > 0 && own_us >= saturating_minus(jump_us_, lateness_us_) && own_us - jump_us_ <= base::kDayUs;
    jump_count_ = is_near ? jump_count_ + 1 : 1;
    jump_us_ = is_near ? std::max(jump_us_, own_us) : own_us;
    if (jump_count_ >= kJumpConfirmations) {
      watermark_us_ = jump_us_;
      jump_count_ = 0;
      entry.time_us = own_us;
    } else {
      reason = RejectReason::too_early;
      refuse(entry, reason, std::max(watermark_us_, earliest_us));
    }
  } else {
    watermark_us_ = std::max(watermark_us_, own_us);
    jump_count_ = 0;
    entry.time_us = own_us;
  }
  const bool is_refused = was_accepted && !entry.parsed.accepted;
  if (is_refused || !entry.parsed.has_time || entry.time_us != own_us) {
    exceptions_.push_back({entry.position.line, entry.time_us, reason, is_refused});
    // Only lines that may be read again matter; the bound keeps a log of nothing but bad lines from growing it.
    if (exceptions_.size() > 4 * records_max_) exceptions_.pop_front();
  }
}

void TimeOrder::add(Entry&& entry) {
  if (entry.position.line < replay_until_line_) {
    const auto found =
        std::lower_bound(exceptions_.begin(), exceptions_.end(), entry.position.line,
                         [](const Exception& exception, std::uint64_t line) { return exception.line < line; });
    if (found != exceptions_.end() && found->line == entry.position.line) {
      if (found->is_refused) refuse(entry, found->reason, found->time_us);
      entry.time_us = found->time_us;
    } else {
      entry.time_us = entry.parsed.query.time_us;
    }
    if (is_delivered_ && is_delivered_(entry.time_us, entry.position.line)) return;
    keep(std::move(entry));
    return;
  }
  replay_until_line_ = 0;
  place(entry);
  keep(std::move(entry));
  release();
  if (heap_.size() > records_max_) {
    floor_us_ = std::max(floor_us_, heap_.front().time_us + 1);
    ++overflows_;
    release();
  }
}

void TimeOrder::keep(Entry&& entry) {
  // What the engine sees as the time of a refused line is its place.
  if (!entry.parsed.accepted) entry.parsed.query.time_us = entry.time_us;
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(std::move(entry));
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot] = std::move(entry);
  }
  heap_.push_back({slots_[slot].time_us, slots_[slot].position.line, slot});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void TimeOrder::release() {
  const std::int64_t until_us = frontier();
  while (!heap_.empty() && (heap_.front().time_us < until_us || is_finished_)) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    ready_.push_back(heap_.back());
    heap_.pop_back();
  }
}

void TimeOrder::finish() {
  replay_until_line_ = 0;
  is_finished_ = true;
  release();
}

const Entry* TimeOrder::front() const { return ready_at_ < ready_.size() ? &slots_[ready_[ready_at_].slot] : nullptr; }

void TimeOrder::pop() {
  STILLWATCH_ASSERT(ready_at_ < ready_.size());
  free_slots_.push_back(ready_[ready_at_++].slot);
  if (ready_at_ == ready_.size()) {
    ready_.clear();
    ready_at_ = 0;
  } else if (ready_at_ >= 4096 && 2 * ready_at_ >= ready_.size()) {
    ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(ready_at_));
    ready_at_ = 0;
  }
}

void TimeOrder::save(ByteWriter& out, LinePosition next, std::int64_t delivered_us) {
  LinePosition oldest = next;
  const auto consider = [&](const Waiting& waiting) {
    if (waiting.line < oldest.line) oldest = slots_[waiting.slot].position;
  };
  std::for_each(heap_.begin(), heap_.end(), consider);
  std::for_each(ready_.begin() + static_cast<std::ptrdiff_t>(ready_at_), ready_.end(), consider);
  while (!exceptions_.empty() && exceptions_.front().line < oldest.line) exceptions_.pop_front();
  // A file that was read to its end may have grown since: what comes then must not precede what has left.
  const std::int64_t floor_us = is_finished_ ? std::max(floor_us_, delivered_us) : floor_us_;
  for (const LinePosition position : {oldest, next}) {
    out.put(position.offset);
    out.put(position.line);
  }
  out.put(watermark_us_);
  out.put(floor_us);
  out.put(jump_us_);
  out.put(jump_count_);
  out.put(overflows_);
  out.put<std::uint64_t>(exceptions_.size());
  for (const Exception& exception : exceptions_) {
    out.put(exception.line);
    out.put(exception.time_us);
    out.put(static_cast<std::uint8_t>(exception.reason));
    out.put(static_cast<std::uint8_t>(exception.is_refused));
  }
}

bool TimeOrder::restore(ByteReader& in) {
  restored_from_.offset = in.take<std::uint64_t>();
  restored_from_.line = in.take<std::uint64_t>();
  in.take<std::uint64_t>();
  replay_until_line_ = in.take<std::uint64_t>();
  watermark_us_ = in.take<std::int64_t>();
  floor_us_ = in.take<std::int64_t>();
  jump_us_ = in.take<std::int64_t>();
  jump_count_ = in.take<std::uint32_t>();
  overflows_ = in.take<std::uint64_t>();
  const std::size_t count = in.take_count(18);
  exceptions_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    Exception exception{};
    exception.line = in.take<std::uint64_t>();
    exception.time_us = in.take<std::int64_t>();
    const auto reason = in.take<std::uint8_t>();
    exception.is_refused = in.take<std::uint8_t>() != 0;
    if (reason >= kRejectReasons) return false;
    exception.reason = static_cast<RejectReason>(reason);
    exceptions_.push_back(exception);
  }
  if (replay_until_line_ <= restored_from_.line) replay_until_line_ = 0;
  return in.ok() && restored_from_.line > 0;
}

}  // namespace stillwatch::intake
