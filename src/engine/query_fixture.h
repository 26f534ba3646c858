// For tests of this module only: requests as intake hands them over, with tokens that only they have.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "event/query.h"

namespace stillwatch::engine::test {

/// Of a person with one of five clients and a network of its own, who says what nobody else says.
inline event::Query make_query(event::Token account, std::int64_t time_us, base::Random& random) {
  event::Query query;
  query.time_us = time_us;
  query.account = base::mix64(account);
  query.id = random.next();
  query.client = base::mix64(900 + account % 5);
  query.egress = base::mix64(50'000 + account);
  query.model = 77;
  query.status = 200;
  query.output_tokens = static_cast<std::uint32_t>(100 + random.below(800));
  query.fingerprint.prompt = random.next() | 1;
  query.fingerprint.prompt_bytes = 300;
  query.fingerprint.conversation = random.next() | 1;
  query.fingerprint.conversation_bytes = 300;
  query.fingerprint.turns = 1;
  for (auto& token : query.fingerprint.templates) token = random.next() | 1;
  return query;
}

}  // namespace stillwatch::engine::test
