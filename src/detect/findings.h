// What an epoch found: for each group the answers to the two questions, and for each member its own evidence.
//
// One operator? is tested against independent accounts: the weaker of its two best independent kinds of evidence
// counts, so that one kind alone never carries it. Harvest? is tested against benign groups (calibration.h). Evidence
// of kinds is never multiplied; the finding is as strong as the weaker answer.
// Invariant: a member's evidence is of its own requests after it was linked, against tokens that at least two others
// sent. Threads: pure functions. Cost: linear in members.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "detect/group_table.h"
#include "event/verdict.h"

namespace stillwatch::detect {

struct MemberFinding {
  Handle handle = kNoHandle;
  Token account = 0;
  event::ChannelSet channels;  // that hold for this member alone
  double log10_p = 0;          // of its content evidence under independence
  std::uint32_t queries = 0, hits = 0, hits_exclusive = 0, hits_prompt = 0, handoffs = 0;
  std::uint32_t joined_hour = 0, last_hit_hour = 0;
  std::uint64_t output_tokens = 0, input_tokens = 0;
  Token model = 0;
  EndUsers end_users;
  bool stands = false;  // two independent channels of its own
};

struct GroupFinding {
  std::uint32_t group = 0;
  std::int64_t formed_us = 0;
  LinkKind kind = LinkKind::trait;
  Measures measures;
  std::array<double, kMeasures> parts{};
  double score = 0;
  event::Strength harvest;
  double operator_log10_e = 0;
  event::Strength strength;  // of both questions: the weaker
  event::ChannelSet channels;
  std::vector<std::pair<event::Channel, double>> channel_log10_e;  // one operator, by channel
  std::vector<std::pair<event::Channel, double>> without_channel;  // strength that would remain
  std::vector<Trait> traits;
  bool watched = false;  // young and not testable yet, but large and broad: a person should look
  double base_rate = 0;  // of the group's templates among everybody else's requests
  std::vector<MemberFinding> members;
  std::uint64_t hits_total = 0;  // since formed

  /// All but the members: what a snapshot keeps of a campaign's last finding.
  void save(base::ByteWriter& out) const;
  void load(base::ByteReader& in);
};

/// Population figures that the null hypotheses need.
struct Population {
  std::uint64_t queries = 0, accounts = 0, trusted_accounts = 0, handoffs = 0;
  std::uint32_t known_actors_min = 2;  // trusted actors that made a token or trait known
};

GroupFinding find_group(const Group& group, const AccountTable& accounts, const Calibration& calibration,
                        const Population& population, const Settings& settings);

event::Channel channel_of(TokenKind kind);

}  // namespace stillwatch::detect
