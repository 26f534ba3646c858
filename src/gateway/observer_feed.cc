// Lines of other logs on their way into our own.
#include <algorithm>

#include "gateway/observer_parts.h"

namespace stillwatch::gateway {
namespace {

constexpr std::int64_t kFedAheadUs = base::kHourUs;  // a line of another log further ahead of the clock is wrong

}  // namespace

void Observer::State::take_line(Exchange& exchange) {
  const std::size_t size = exchange.body.size();
  if (size > base::limits::kLineBytesMax) {
    ++counts.feed_refused;
    return;
  }
  exchange.body.append(intake::kJsonPadding, ' ');
  const std::string_view text = std::string_view(exchange.body).substr(0, size);
  intake::LineParser& feed_parser = *feed_parsers[exchange.feed_parser];
  intake::ParsedLine found;
  if (exchange.body_state == BodyState::too_large)
    feed_parser.refuse(text, size, intake::RejectReason::line_too_long, found);
  else
    feed_parser.parse(text, found);
  feed_parser.new_ids().clear();  // added when the line of our own log is read
  if (found.is_blank) return;
  if (!found.has_time && exchange.feed_source != 0 && clock.time_us(exchange.feed_source) != INT64_MIN) {
    // As a replay of that log: a refused line counts where the log stands.
    found.has_time = true;
    found.query.time_us = clock.time_us(exchange.feed_source);
  }
  if (!found.has_time || found.query.account == 0) {
    ++counts.feed_refused;
    return;
  }
  const std::int64_t time_us = found.query.time_us;
  if (options.in_flight.given_time) {
    in_flight.start_after(time_us);
    clock.took(exchange.feed_source, time_us);
  } else {
    const std::int64_t now_us = in_flight.now_us();
    if (time_us > now_us + kFedAheadUs) {
      ++counts.feed_early;
      return;
    }
    clock.took(exchange.feed_source, std::min(time_us, now_us));
  }
  if (found.accepted && fed_ids.is_repeat(found.query.id, time_us)) {
    ++counts.feed_repeated;
    return;
  }
  counts.feed_refused += found.accepted ? 0 : 1;
  fed_us = std::max(fed_us, time_us);
  const bool late = is_late(time_us);
  counts.late_shed += late ? 1 : 0;
  if (log.lines_waiting() > 0 && log.wants_new_file(time_us)) flush();
  record_line.write(fed, found.query, late, line);
  // So that record and place come to the disk together.
  if (const auto place = parse_tail_place(exchange.id)) {
    append_place(line, *place);
    staged_places.push_back(*place);
  }
  log_line(time_us, late);
}

std::int64_t Observer::State::fed_until(const FeedClock::Reading& reading, std::int64_t watermark_us) const {
  // Lines of another log come when their requests have ended.
  const auto waited = [](std::int64_t time_us, std::int64_t wait_us) {
    return time_us == INT64_MIN ? time_us : time_us - wait_us;
  };
  const bool is_given = options.in_flight.given_time;
  const std::int64_t now_us = is_given ? std::max(fed_us, logged_us) : watermark_us;
  const std::int64_t by_clock_us = waited(now_us, options.feed_wait_us);
  if (options.tail_parsers.empty() || (is_given && !reading.is_behind)) return by_clock_us;
  // A tail that reads what is older than the clock says how far one may go: as far as it was once level with its logs,
  // and behind that as far as a replay of them would.
  std::int64_t tailed_us = waited(reading.caught_up_us, options.feed_wait_us);
  if (reading.is_behind) tailed_us = std::max(tailed_us, waited(reading.behind_us, options.lateness_us));
  return std::min(by_clock_us, tailed_us);
}

bool Observer::feed_line(unsigned shard, std::string_view text) {
  auto exchange = std::make_unique<Exchange>();
  exchange->kind = Exchange::Kind::line;
  exchange->body.reserve(text.size() + intake::kJsonPadding);
  exchange->body = text;
  return state_->queue.try_push(shard, std::move(exchange)) == ExchangeQueue::Pushed::whole;
}

bool Observer::feed_tail_line(unsigned shard, const TailLine& line) {
  auto exchange = std::make_unique<Exchange>();
  exchange->kind = Exchange::Kind::line;
  if (line.is_too_long) exchange->body_state = BodyState::too_large;
  exchange->feed_parser = static_cast<std::uint16_t>(line.parser + 1);
  exchange->feed_source = static_cast<std::uint16_t>(line.source);
  exchange->id = to_text(line.place);
  exchange->body.reserve(line.text.size() + intake::kJsonPadding);
  exchange->body = line.text;
  return state_->queue.push_if_room(shard, exchange);
}

void Observer::mirror_until(std::int64_t until_us) {
  state_->mirrored_until_us.store(until_us, std::memory_order_release);
}

FeedClock& Observer::feed_clock() { return state_->clock; }
const std::vector<TailPlace>& Observer::tail_places() const { return state_->places_at_start; }

}  // namespace stillwatch::gateway
