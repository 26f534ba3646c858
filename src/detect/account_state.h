// Layer L1: what is kept of one account, at most 1 KB, whatever it sends.
//
// Invariant: trivially copyable; counters only grow or are halved, and those of GroupCounters are of requests
// after the account was linked to its group (no double dipping: a group is tested on later data).
// Threads: written by the worker that owns the account's partition. Cost: sizeof below.
#pragma once

#include <array>
#include <cstdint>

#include "base/event_time.h"
#include "detect/end_users.h"
#include "detect/language_vote.h"
#include "detect/partition.h"
#include "detect/rhythm.h"
#include "event/account.h"
#include "event/query.h"
#include "sketch/cardinality.h"
#include "sketch/rolling_bitmap.h"

namespace stillwatch::detect {

using event::Token;

/// A content token that this account shares with other actors.
struct LinkToken {
  Token token = 0;
  std::uint32_t seen_minute = 0;
  std::uint32_t request = 0;  // ordinal of the account's request that brought it: several tokens of one request are one
};

struct GroupCounters {
  static constexpr std::size_t kTemplateBuckets = 32;
  static constexpr std::size_t kContentBuckets = 64;
  static constexpr std::size_t kParamsBuckets = 8;

  std::uint32_t group = 0;  // 0: none
  std::uint32_t joined_hour = 0, last_hit_hour = 0;
  std::uint32_t queries = 0;         // since it joined
  std::uint32_t hits = 0;            // of these, with a content token of the group
  std::uint32_t hits_exclusive = 0;  // of these, with a token that only the group sends
  std::uint32_t hits_single_turn = 0;
  std::uint32_t hits_prompt = 0;  // of the hits, those whose whole prompt other members sent too
  std::uint32_t hit_output_tokens = 0;
  std::uint32_t handoffs = 0;     // with members of the group
  std::uint32_t gaps_before = 0;  // of its rhythm, when it joined
  bool linked_by_handoff = false;
  std::uint16_t active_days = 0, last_day = 0;
  std::array<std::uint8_t, 24> hours{};
  std::array<std::uint8_t, kTemplateBuckets> template_buckets{};
  std::array<std::uint8_t, kContentBuckets> content_buckets{};  // of all requests: what they are about
  std::array<std::uint8_t, kParamsBuckets> params_buckets{};    // of all requests: their parameter vectors
  std::uint32_t queries_single_turn = 0, queries_content = 0;
  std::uint32_t prompts_novel = 0;  // prompts that the account had not sent before
  std::uint32_t repeats_fresh = 0;  // of these, sent by another account within the two hours before
  std::uint64_t output_tokens = 0;  // of all requests
  sketch::Cardinality prompts;      // distinct prompts among the hits
  std::uint64_t input_tokens = 0;   // of the hits, as hit_output_tokens
  Token model = 0;                  // of the last hit
  EndUsers end_users;               // who of the account's own users sent hits and other requests
};

/// Requests with the work of a group that the account is no member of, before it may be attached to it: fewer are
/// chance.
inline constexpr std::uint16_t kOutsideHitsMin = 3;

struct AccountState {
  static constexpr std::size_t kLinksMax = 14;
  static constexpr std::size_t kEgressMax = 4;
  static constexpr std::size_t kClientsMax = 2;
  static constexpr std::size_t kIdentityTokens = 4;

  Token account = 0;
  Token actor = 0;
  std::int64_t created_us = 0;  // 0: unknown
  std::int64_t first_us = 0, last_us = 0;
  std::array<Token, kIdentityTokens> identity{};  // payment, sign-up network, e-mail domain, referral
  std::array<Token, kClientsMax> clients{};       // most recent first
  std::array<Token, kEgressMax> egress{};
  std::uint32_t queries = 0;
  std::uint32_t handoffs = 0;
  std::uint32_t client_version = 0;  // upper half of the last one's token: names it in alarms, is no evidence
  std::uint32_t outside_group = 0;   // a group whose tokens it hits without being a member, and how often
  std::uint16_t outside_hits = 0;
  event::Verification verification = event::Verification::none;
  bool recorded = false;          // an account record was seen
  bool declared = false;          // some use of it is agreed: never a benign example
  bool identity_changed = false;  // its identity tokens wait to be observed
  std::uint8_t links_count = 0;
  LanguageVote language;                     // matches and reports, never a score
  std::array<LinkToken, kLinksMax> links{};  // a consistent sample: the smallest tokens
  Rhythm rhythm;
  sketch::RollingBitmap content_seen;
  GroupCounters in_group;
};

static_assert(sizeof(AccountState) <= 1024, "the bound of layer L1");

/// Facts of the current request that the token step needs; made by the account step.
struct Observation {
  Handle handle = kNoHandle;
  std::uint32_t group = 0;
  std::uint32_t request = 0;
  std::uint8_t content_novel = 0;  // bit i: content token i is new for the account
  std::uint8_t setup_novel = 0;    // the same of setup tokens
  bool trusted = false;
  bool client_novel = false, egress_novel = false, identity_novel = false;
  bool first_of_day = false;  // its traits are shown once a day, so that those in use are not forgotten
};

/// The content tokens of a request, in a fixed order: templates, then the whole prompt.
inline constexpr std::size_t kContentTokens = event::Fingerprint::kTemplatesMax + 1;
/// What a request is set up with, in the order of the last TokenKinds: system prompt, tools, parameters, schema.
inline constexpr std::size_t kSetupTokens = 4;
inline std::array<Token, kSetupTokens> setup_tokens(const event::Query& query) {
  const event::Fingerprint& fingerprint = query.fingerprint;
  return {fingerprint.system, fingerprint.tools, fingerprint.params, fingerprint.schema};
}
/// Prompts shorter than this are everybody's ("continue", "thanks").
inline constexpr std::uint32_t kPromptBytesMin = 24;

inline std::array<Token, kContentTokens> content_tokens(const event::Query& query) {
  std::array<Token, kContentTokens> tokens{};
  for (std::size_t i = 0; i < event::Fingerprint::kTemplatesMax; ++i) tokens[i] = query.fingerprint.templates[i];
  if (query.fingerprint.prompt_bytes >= kPromptBytesMin) tokens[kContentTokens - 1] = query.fingerprint.prompt;
  return tokens;
}

}  // namespace stillwatch::detect
