// LiteLLM's generic guardrail request (POST /beta/litellm_basic_guardrail_api): who asks, and what.
//
// Invariant: the account is chosen as in --format=litellm (user id, then team, then key hash), so that a decision
// and a log of the same proxy speak of the same subject. Texts are views into the reader, never kept by it.
// Threads: one reader a thread. Cost: one simdjson pass. Spec: docs.litellm.ai, "Generic Guardrail API".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/keyed_hash.h"
#include "event/query.h"
#include "intake/reject.h"

namespace stillwatch::intake {

struct GuardrailFacts {
  std::string account;   // user_api_key_user_id, else user_api_key_team_id, else user_api_key_hash; may be empty
  std::string key;       // user_api_key_hash
  std::string end_user;  // user_api_key_end_user_id
  std::string model;
  std::string call_id;       // litellm_call_id
  bool is_response = false;  // input_type "response": texts are the model's; no fingerprint is made of them
  std::uint32_t texts = 0;
  std::uint64_t text_bytes = 0;
  std::optional<event::Fingerprint> fingerprint;  // of structured_messages, else of texts as user turns
};

class GuardrailReader {
 public:
  explicit GuardrailReader(const crypto::KeyedHash& keyed_hash);
  ~GuardrailReader();

  /// `body` has kJsonPadding readable bytes behind it.
  std::optional<Refusal> read(std::string_view body, GuardrailFacts& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
