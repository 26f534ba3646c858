// What the engine says: levels, classes, channels, evidence, verdicts, campaigns, members.
//
// Invariant: names and their order are those of the formats contract; every level above `clear`
// carries a class, a strength, channels, reasons and an expiry.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/query.h"

namespace stillwatch::event {

enum class Level : std::uint8_t { clear, observe, notice, verify, throttle, restrict, suspend };
enum class Class : std::uint8_t { unknown, automation, reseller, distiller };
enum class SubjectKind : std::uint8_t { account, campaign, end_user };
enum class Channel : std::uint8_t {
  template_,
  prompt,
  handoff,
  system,
  tools,
  params,
  schema,
  timing,
  sharding,
  distribution,
  coverage,
  client,
  egress,
  payment,
  signup,
  replacement,
  shared_list,
};
inline constexpr std::size_t kChannels = 17;
/// Channels of one group may fail together; two channels are independent only across groups.
enum class ChannelGroup : std::uint8_t { content, conversation, time, software_network, identity, history, outside };

std::string_view name(Level level);
std::string_view name(Class class_);
std::string_view name(SubjectKind kind);
std::string_view name(Channel channel);
ChannelGroup group_of(Channel channel);

/// A set of channels, ordered as the enumeration.
class ChannelSet {
 public:
  constexpr void add(Channel channel) { bits_ |= 1U << static_cast<unsigned>(channel); }
  constexpr bool has(Channel channel) const { return (bits_ >> static_cast<unsigned>(channel) & 1U) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  /// How many independent groups the set touches.
  int independent_count() const;
  std::vector<Channel> list() const;
  constexpr std::uint32_t bits() const { return bits_; }
  constexpr static ChannelSet from_bits(std::uint32_t bits) {
    ChannelSet set;
    set.bits_ = bits;
    return set;
  }
  constexpr bool operator==(const ChannelSet&) const = default;

 private:
  std::uint32_t bits_ = 0;
};

struct Strength {
  double log10_e = 0;
  std::uint32_t calibration_groups = 0;
  bool extrapolated = false;
};

/// One sentence for a person and the numbers behind it.
struct Reason {
  Channel channel = Channel::template_;
  std::string text;
  std::vector<std::pair<std::string, double>> numbers;
};

/// A change of one subject's state. Account ids stay sealed; whoever writes it opens them.
struct Verdict {
  std::int64_t time_us = 0;
  SubjectKind kind = SubjectKind::account;
  Token subject = 0;  // account token, or the campaign number, or the end user within `account`
  Token account = 0;  // of an end user
  Level level = Level::clear;
  Class class_ = Class::unknown;
  std::uint32_t campaign = 0;  // 0: none; written as c-%06u
  std::string rule;
  bool dry_run = true;
  Strength strength;
  ChannelSet channels;
  std::int64_t expires_us = 0;
  std::vector<Reason> reasons;
};

/// The last state of a campaign.
struct Campaign {
  std::uint32_t id = 0;
  Class class_ = Class::unknown;
  std::int64_t opened_us = 0, updated_us = 0;
  std::uint64_t accounts_count = 0, queries = 0, input_tokens = 0, output_tokens = 0, prevented_queries = 0;
  ChannelSet channels;
  std::vector<Token> models;
  Strength strength;
  std::vector<Reason> reasons;                              // one a channel, and one a harvest measure
  std::vector<std::pair<std::string, double>> measures;     // the group test's figures
  std::vector<std::pair<Channel, double>> without_channel;  // log10_e that would remain, by removed channel
  std::vector<std::uint32_t> queries_per_hour;              // since opened_us' hour, for the report's time strip
};

struct Member {
  std::uint32_t campaign = 0;
  Token account = 0;
  std::int64_t since_us = 0;
  std::uint64_t queries = 0;
  ChannelSet channels;
};

}  // namespace stillwatch::event
