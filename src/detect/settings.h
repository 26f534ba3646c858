// What of detection can be set, with defaults and their reasons.
//
// Invariant: every field is part of the policy hash: two runs with equal settings, secret and input agree byte for
// byte.
#pragma once

#include <cstdint>

#include "base/event_time.h"

namespace stillwatch::detect {

struct Settings {
  // Groups are formed and judged once an epoch of event time.
  std::int64_t epoch_us = base::kHourUs;
  // Within an epoch the detector looks up this often, and closes early when links come in much faster than usual.
  std::uint32_t looks_per_epoch = 4;
  // The first days of the log teach what is common among trusted accounts; no verdicts before.
  std::int64_t calibration_us = 7 * base::kDayUs;

  // Trust, for calibration only: an account this old and verified at least by phone counts as a witness that a token is
  // in honest use. Without an account record it counts when it was seen in the first day of the log.
  std::int64_t trusted_age_us = 14 * base::kDayUs;
  // Actors that must share a token during calibration before it is common and carries no evidence. Two, because one
  // public template or product in two unrelated hands is already public.
  std::uint32_t known_actors_min = 2;
  // And this share of the trusted accounts: two in ten million are no public. Two among ten thousand made four in five
  // opening phrases of a campaign of two thousand accounts known, and its members were acted on two days later.
  double known_share_min = 1e-3;

  // A group needs this many actors; below, sharing is a handful of friends.
  std::uint32_t group_actors_min = 5;
  // A token links only when this many actors share it.
  std::uint32_t link_actors_min = 3;
  // Requests with shared content before an account can be linked by content: one shared text is chance (30 % of honest
  // requests share one rare token with somebody, docs/internals/detection.md).
  std::uint32_t link_requests_min = 2;
  // A token that more than this share of active accounts sends is the fashion of the day, not a work queue.
  double hub_share_max = 0.25;
  // Membership lasts this long without a further hit.
  std::int64_t membership_idle_us = 7 * base::kDayUs;

  // Conversations can be handed off within this time (relays keep sticky sessions about 1 h; people return next day).
  std::int64_t handoff_window_us = base::kDayUs;
  // A failed request is retried elsewhere within this time (ladders end after seconds; queues after minutes).
  std::int64_t retry_window_us = 15 * base::kMinuteUs;
  // Carried text of fewer bytes could be typed by two people.
  std::uint32_t handoff_bytes_min = 48;

  // The group test starts at this many post-link hits by this many members: below, its measures are noise.
  std::uint32_t test_hits_min = 60;
  // ... or at this many requests of any kind by so many members: what they are about can be tested without templates.
  std::uint32_t test_queries_min = 300;
  std::uint32_t test_members_min = 5;
  // A member stands on its own evidence: hits after it was linked, and their improbability.
  std::uint32_t member_hits_min = 3;
  double member_log10_p_max = -6;

  // The promise: false campaigns a month for a million accounts; it sets the threshold of the group test.
  double false_campaigns_per_month_max = 1.0;

  // Bounds of memory (docs/internals/detection.md, "Bounds"). Beyond: the oldest first sightings are overwritten,
  // tokens of two actors evicted.
  std::uint32_t first_seen_slots = 1U << 24;    // 8 B each
  std::uint32_t conversation_slots = 1U << 23;  // 12 B each, and as many passages where answers are logged
  std::uint32_t shared_tokens_max = 4U << 20;   // 40 B each at least
  std::uint32_t accounts_max = 4U << 20;        // 1 KB each that sent something: 4.3 GB; the idlest make room
  std::uint32_t link_events_max = 4U << 20;     // 32 B each, between two closings; beyond, a sample of the tokens
  std::uint32_t handoff_events_max = 1U << 20;  // 16 B each, between two closings; further ones are not counted
  std::uint32_t handoff_pairs_max = 1U << 20;   // 64 B each; further pairs are not remembered
  std::uint32_t link_edges_max = 2U << 20;      // about 100 B each while groups form; beyond, a sample of the tokens
  std::uint32_t groups_max = 8'192;             // live at once; the smallest untested ones make room
  // Work that one request pays for towards closing an epoch (units: GroupTable::work), and what every epoch has anyway.
  // When it does not suffice, the epoch is closed later together with the next ones.
  std::uint32_t close_work_per_query = 64;
  std::uint32_t close_work_per_epoch = 8'192;
};

}  // namespace stillwatch::detect
