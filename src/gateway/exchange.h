// One request that was served, as a network thread hands it to the observer: the only place beside intake where raw
// text and raw ids are together, from the end of the request until its line is written.
//
// Invariant: nothing here is logged or shown but through record_line.h. `id` is made here (request_id), never taken
// from a client, who could otherwise repeat one and have its records refused as duplicates.
// Threads: plain struct, moved. Cost: the strings it owns. Bounds: the body by the one who fills it, at most
// limits::kLineBytesMax (body_state says when it was longer); texts of a client are cut by record_line.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "event/query.h"
#include "intake/reject.h"

namespace stillwatch::gateway {

enum class BodyState : std::uint8_t {
  whole,      // `body` is the request's body as it came
  absent,     // there was none, or nobody kept it: the record is refused, and counts for the account
  too_large,  // over the limit of what is copied aside: as a line over the limit
};

/// A body that goes to the observer ahead of its exchange, so that a long answer does not hold it: the observer reads
/// it, forgets it, and keeps what the exchange's line will say of it. The network thread fills it, pushes it
/// (Observer::push_body) and from then on only keeps the pointer for the exchange.
struct EarlyBody {
  event::Dialect dialect = event::Dialect::openai_chat;
  std::string body;  // empty once it was read
  // What was read of it (RecordLine::read).
  bool is_read = false;
  std::optional<intake::Refusal> refusal;
  event::Fingerprint fingerprint;
  std::string model_name, end_user_name;
  bool sampled_many = false;
};

struct Exchange {
  enum class Kind : std::uint8_t {
    request,  // one that this gateway served
    line,     // `body` is a line of another log (Observer::feed_line); of the others only feed_*, body_state and id
  };
  Kind kind = Kind::request;
  BodyState body_state = BodyState::whole;
  event::Dialect dialect = event::Dialect::openai_chat;
  bool shed = false;            // kept from the engine; set by the queue when it is full
  std::uint16_t status = 0;     // what the client got; 0: it was gone before
  std::int64_t arrived_us = 0;  // InFlight::Ticket::arrived_us()
  std::int64_t ended_us = 0;    // arrived_us + the duration, so that a clock that jumps does no harm; 0: not known
  std::int32_t ttft_ms = -1, duration_ms = -1;  // -1: not known
  std::uint32_t input_tokens = 0, output_tokens = 0, reasoning_tokens = 0, cached_tokens = 0;
  bool has_usage = false;
  std::uint32_t asn = 0;
  std::uint16_t feed_parser = 0,
                feed_source = 0;  // of a tailed line: which parser, from 1; which source (feed_clock.h)
  std::string id;                 // request_id(); of a tailed line its place (tail_place.h)
  std::string account;            // who is billed
  std::string key;                // the key's public name, never the key
  std::string end_user;           // as a trusted front proxy names it; empty: the body's
  std::string address;            // of the client
  std::string user_agent, ja4;
  std::string headers;  // names in their order, joined by '\n'
  std::string stop;     // why the answer ended
  std::string body;
  std::shared_ptr<EarlyBody> early;  // in place of `body`; then there is no reply
  std::string reply;                 // of the answer, where it is kept: text, or a body
  bool reply_is_body = false;

  /// What it weighs in a queue.
  std::size_t bytes() const {
    return sizeof(Exchange) + id.size() + account.size() + key.size() + end_user.size() + address.size() +
           user_agent.size() + ja4.size() + headers.size() + stop.size() + body.size() + reply.size() +
           (early ? sizeof(EarlyBody) : 0);
  }
};

/// "req_" and 22 letters: unique for every arrival of every gateway that has its own `instance` (a number drawn at
/// the start).
std::string request_id(std::int64_t arrived_us, std::uint32_t instance);

}  // namespace stillwatch::gateway
