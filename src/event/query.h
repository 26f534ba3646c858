// The vocabulary of the engine: one request to the LLM API as detection sees it.
//
// Invariant: no raw text and no raw identity. Every 64-bit token is a keyed hash (crypto/keyed_hash.h)
// under the deployment secret; 0 means "absent". Plain structs, fixed size, no allocation.
#pragma once

#include <array>
#include <cstdint>

#include "base/token.h"
#include "event/language.h"

namespace stillwatch::event {

using base::Token;

enum class Dialect : std::uint8_t { openai_chat, openai_responses, anthropic_messages, text };

/// What the product keeps of a request's content (layer L0 of docs/internals/detection.md).
/// Serialised form: text/fingerprint_codec.h, version 3.
struct Fingerprint {
  static constexpr std::size_t kTemplatesMax = 6;
  static constexpr std::size_t kPrefixesMax = 3;
  static constexpr std::size_t kMinhashBins = 64;
  static constexpr std::size_t kScores = 6;
  static constexpr std::size_t kQuotesMax = 6;
  static constexpr std::size_t kRepliesMax = 3;

  Token prompt = 0;                            // last user turn, normalised, whole
  Token conversation = 0;                      // all turns but the system prompt, up to the last
  std::array<Token, kPrefixesMax> prefixes{};  // the conversation as it stood before each of the last assistant turns,
                                               // newest first: what an earlier request of it had as `conversation`
  std::array<Token, kTemplatesMax>
      templates{};  // skeletons of head, tail and whole structure; 0 where too short to tell
  std::array<Token, kQuotesMax>
      quotes{};  // passages of the last user turn, which may quote a reply; where answers are logged
  std::array<Token, kRepliesMax>
      replies{};  // passages of the reply that the request itself did not bring; logged bodies
  Token system = 0, tools = 0, params = 0, schema = 0;
  std::uint64_t simhash_head = 0, simhash_tail = 0;  // of skeleton words
  std::array<std::uint8_t, kMinhashBins> minhash{};  // one-permutation MinHash of skeleton shingles, 8 bits a bin
  std::array<std::int8_t, kScores> scores{};         // weak linear scores, see text/scores.h; never a verdict
  std::uint32_t prompt_bytes = 0;
  std::uint32_t conversation_bytes = 0;
  std::uint32_t prefix_bytes = 0;         // user and assistant text that prefixes[0] covers: how guessable it is
  std::uint16_t turns = 0;                // user turns in the request
  std::uint16_t parts_other = 0;          // images, tool results, files: kind and size only
  bool prefix_has_reply = false;          // prefixes[0] contains a sampled assistant turn
  std::uint8_t template_words = 0;        // words of the last user turn, saturating
  std::uint16_t coverage_bucket = 0;      // 0-2047, content bucket of the coverage bitmap
  Language language = Language::unknown;  // of the last user turn; matches calibration and reports, never a score

  bool operator==(const Fingerprint&) const = default;
};

enum QueryFlag : std::uint8_t {
  kFlagRejected = 1,     // the line was refused but its account could be read: size counts, content does not
  kFlagShed = 2,         // the live engine did not see it
  kFlagFailed = 4,       // status 429 or >= 500: relays retry these elsewhere
  kFlagSampledMany = 8,  // n > 1
};

struct Query {
  std::int64_t time_us = 0;
  std::int64_t ended_us = 0;  // 0 when unknown
  Token id = 0;
  Token account = 0;
  Token key = 0, end_user = 0;
  Token client = 0;          // software family: user agent without versions + header order + ja4
  Token client_version = 0;  // the full user agent
  Token egress = 0;          // network bucket: IPv4 /24, IPv6 /48
  Token address = 0;         // the whole address
  Token model = 0;
  std::uint32_t asn = 0;
  std::uint32_t input_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
  std::uint32_t line_bytes = 0;
  std::uint16_t status = 0;
  std::uint8_t flags = 0;
  Dialect dialect = Dialect::text;
  Fingerprint fingerprint;
};

}  // namespace stillwatch::event
