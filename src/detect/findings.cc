#include "detect/findings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "stats/binomial.h"

namespace stillwatch::detect {
namespace {

// Of about 100,000 shared tokens and pairs that could have formed a group, one did: log10 of how often we looked.
constexpr double kSelectionLog10 = 5;
// Beyond this a model of independent accounts is certainly wrong in some other way; more digits would only impress.
constexpr double kChannelLog10Max = 12;
// Added to the population when a rate is estimated from no events (Laplace).
constexpr double kRatePriorEvents = 1;
// A trait counts for a member when it is this improbable for the group, chance of looking included.
constexpr double kTellingLog10Min = 2;
// A rhythm is a member's own evidence when it went on this long after the account was linked.
constexpr std::uint32_t kMemberGapsMin = 4;
// Requests of the group's work that a newcomer must have sent to be a replacement.
constexpr std::uint32_t kReplacementHitsMin = 10;
// A young group is worth a look when it is this large, and its work this broad (log2 of templates): a product's
// customers share a few templates, a queue of work has many.
constexpr std::uint32_t kWatchedMembersMin = 30, kWatchedHitsMin = 15;
constexpr double kWatchedBreadthMin = 3;

double capped(double log10_p) { return std::clamp(-log10_p - kSelectionLog10, 0.0, kChannelLog10Max); }

/// How improbable it is that so many members have a trait that, of everybody else, so few have; at the least as many as
/// could have had it in calibration without its becoming known.
double trait_log10_e(const Trait& trait, std::size_t members, const Population& population) {
  const double outside = std::max<double>(population.known_actors_min, trait.outsiders) + kRatePriorEvents;
  const double rate = outside / (static_cast<double>(std::max(population.trusted_accounts, std::uint64_t{1})) + 100);
  const auto n = std::max<std::uint64_t>(members, trait.members);
  return capped(stats::log10_binomial_upper_tail(trait.members, n, std::min(rate, 1.0)));
}

double handoff_log10_e(const Group& group, const Population& population) {
  const Measures& measures = group.measures;
  if (measures.handoffs == 0) return 0;
  const double everywhere =
      (static_cast<double>(population.handoffs) + kRatePriorEvents) / (static_cast<double>(population.queries) + 1);
  const double inside =
      static_cast<double>(measures.members) / std::max<double>(1, static_cast<double>(population.accounts));
  const double rate = std::min(1.0, everywhere * std::max(inside, 1e-9));
  return capped(stats::log10_binomial_upper_tail(std::min<std::uint64_t>(measures.handoffs, measures.queries),
                                                 measures.queries, rate));
}

double content_log10_e(const Measures& measures, std::uint64_t hits, double base_rate) {
  return capped(stats::log10_binomial_upper_tail(hits, std::max(measures.queries, hits), base_rate));
}

/// The weaker of the two best independent groups of channels, leaving one channel out.
double operator_strength(const std::vector<std::pair<event::Channel, double>>& channels,
                         const event::Channel* without) {
  std::map<event::ChannelGroup, double> best;
  for (const auto& [channel, log10_e] : channels) {
    if (without != nullptr && channel == *without) continue;
    double& strongest = best[event::group_of(channel)];
    strongest = std::max(strongest, log10_e);
  }
  std::vector<double> values;
  values.reserve(best.size());
  for (const auto& item : best) values.push_back(item.second);
  std::sort(values.rbegin(), values.rend());
  return values.size() < 2 ? 0 : values[1];
}

/// Whether the trait is the group's and not of a few of its members, who may have met it together by chance. Cards and
/// sign-ups are shared by few even where one hand runs all.
bool is_of_bulk(const Trait& trait, const Group& group) {
  constexpr double kBulkShareMin = 0.1;
  if (trait.kind == TokenKind::payment || trait.kind == TokenKind::signup) return true;
  return trait.members >= kBulkShareMin * static_cast<double>(group.members.size());
}

bool has_link(const AccountState& account, const Trait& trait) {
  if (!is_setup(trait.kind)) return false;
  const auto* const end = account.links.data() + account.links_count;
  return std::any_of(account.links.data(), end, [&](const LinkToken& link) { return link.token == trait.token; });
}

MemberFinding find_member(Handle handle, const AccountState& account, const Group& group, std::span<const Trait> traits,
                          double base_rate, const Settings& settings) {
  const GroupCounters& counters = account.in_group;
  MemberFinding member;
  member.handle = handle;
  member.account = account.account;
  member.queries = counters.queries;
  member.hits = counters.hits;
  member.hits_exclusive = counters.hits_exclusive;
  member.hits_prompt = counters.hits_prompt;
  member.handoffs = counters.handoffs;
  member.joined_hour = counters.joined_hour;
  member.last_hit_hour = counters.last_hit_hour;
  member.output_tokens = counters.hit_output_tokens;
  member.input_tokens = counters.input_tokens;
  member.model = counters.model;
  member.end_users = counters.end_users;
  // Only what nobody outside the group sends speaks against one account: a template of a popular tool that a campaign
  // uses as well convicts no user of the tool.
  if (counters.hits_exclusive > 0) {
    member.log10_p = stats::log10_binomial_upper_tail(counters.hits_exclusive,
                                                      std::max(counters.queries, counters.hits_exclusive), base_rate);
  }
  if (counters.hits_exclusive >= settings.member_hits_min && member.log10_p <= settings.member_log10_p_max) {
    member.channels.add(event::Channel::template_);
  }
  if (counters.hits_prompt >= settings.member_hits_min) member.channels.add(event::Channel::prompt);
  // The hand-off that linked it could not be guessed; what the account did since is the other kind of evidence.
  if (counters.handoffs > 0 || counters.linked_by_handoff) member.channels.add(event::Channel::handoff);
  const TraitList own(account);
  for (const Trait& trait : traits) {
    const bool later =
        trait.kind != TokenKind::rhythm || account.rhythm.gaps_total() >= counters.gaps_before + kMemberGapsMin;
    if (later && (own.has(trait.token) || has_link(account, trait))) member.channels.add(channel_of(trait.kind));
  }
  // It came after the group was convicted, and nearly all that it sends is the group's work.
  const bool came_later = group.convicted_us != 0 && account.first_us > group.convicted_us;
  if (came_later && counters.hits_exclusive >= kReplacementHitsMin &&
      counters.hits_exclusive * 10 >= counters.queries * 9)
    member.channels.add(event::Channel::replacement);
  member.stands = member.channels.has(event::Channel::template_) && member.channels.independent_count() >= 2;
  // Or two kinds of evidence besides content, and enough of the work that it is no bystander of a relay.
  if (!member.stands && member.channels.independent_count() >= 2 && counters.hits >= settings.member_hits_min) {
    const double work =
        stats::log10_binomial_upper_tail(counters.hits, std::max(counters.queries, counters.hits), base_rate);
    if (work <= settings.member_log10_p_max / 2) {
      member.channels.add(event::Channel::template_);
      member.log10_p = work;
      member.stands = true;
    }
  }
  return member;
}

}  // namespace

namespace {

using ChannelFigures = std::vector<std::pair<event::Channel, double>>;

void put(base::ByteWriter& out, const ChannelFigures& figures) {
  out.put<std::uint64_t>(figures.size());
  for (const auto& [channel, value] : figures) {
    out.put(channel);
    out.put(value);
  }
}

ChannelFigures get(base::ByteReader& in) {
  ChannelFigures figures;
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto channel = in.get<event::Channel>();
    figures.push_back({channel, in.get<double>()});
  }
  return figures;
}

}  // namespace

void GroupFinding::save(base::ByteWriter& out) const {
  out.put(group);
  out.put(formed_us);
  out.put(kind);
  out.put(measures);
  out.put(parts);
  out.put(score);
  out.put(harvest);
  out.put(operator_log10_e);
  out.put(strength);
  out.put(channels);
  put(out, channel_log10_e);
  put(out, without_channel);
  out.put_all(traits);
  out.put(base_rate);
  out.put(watched);
  out.put(hits_total);
}

void GroupFinding::load(base::ByteReader& in) {
  group = in.get<std::uint32_t>();
  formed_us = in.get<std::int64_t>();
  kind = in.get<LinkKind>();
  measures = in.get<Measures>();
  parts = in.get<std::array<double, kMeasures>>();
  score = in.get<double>();
  harvest = in.get<event::Strength>();
  operator_log10_e = in.get<double>();
  strength = in.get<event::Strength>();
  channels = in.get<event::ChannelSet>();
  channel_log10_e = get(in);
  without_channel = get(in);
  traits = in.get_all<Trait>();
  base_rate = in.get<double>();
  watched = in.get<bool>();
  hits_total = in.get<std::uint64_t>();
}

event::Channel channel_of(TokenKind kind) {
  switch (kind) {
    case TokenKind::content: return event::Channel::template_;
    case TokenKind::prompt: return event::Channel::prompt;
    case TokenKind::client: return event::Channel::client;
    case TokenKind::egress: return event::Channel::egress;
    case TokenKind::payment: return event::Channel::payment;
    case TokenKind::signup: return event::Channel::signup;
    case TokenKind::rhythm: return event::Channel::timing;
    case TokenKind::system: return event::Channel::system;
    case TokenKind::tools: return event::Channel::tools;
    case TokenKind::params: return event::Channel::params;
    case TokenKind::schema: return event::Channel::schema;
  }
  return event::Channel::template_;
}

namespace {

/// The content channel that a measure of the harvest test speaks in, if any; timing has a null of its own.
std::optional<event::Channel> harvest_channel(Measure measure) {
  switch (measure) {
    case Measure::division: return event::Channel::sharding;
    case Measure::breadth:
    case Measure::content_breadth: return event::Channel::coverage;
    case Measure::template_evenness:
    case Measure::content_evenness:
    case Measure::output_length:
    case Measure::single_turn_all:
    case Measure::output_length_all:
    case Measure::params_pinned:
    case Measure::fresh_repeats: return event::Channel::distribution;
    default: return std::nullopt;
  }
}

/// Which kinds of content made the group look like a harvest, and what would remain without each. They answer the
/// second question only, so they are no evidence of one operator.
void tell_harvest_channels(GroupFinding& finding, const Calibration& calibration) {
  constexpr double kTellingDeviationsMin = 0.5;  // of the measures of a channel together
  if (!finding.measures.testable || finding.harvest.log10_e <= 0) return;
  for (const event::Channel channel :
       {event::Channel::sharding, event::Channel::distribution, event::Channel::coverage}) {
    auto parts = finding.parts;
    double deviations = 0;
    for (std::size_t m = 0; m < kMeasures; ++m) {
      if (harvest_channel(static_cast<Measure>(m)) == channel) deviations += std::exchange(parts[m], 0.0);
    }
    if (deviations < kTellingDeviationsMin) continue;
    const double without = calibration.strength(finding.kind, Calibration::score_of(finding.kind, parts)).log10_e;
    finding.channels.add(channel);
    finding.without_channel.push_back({channel, std::min(without, finding.operator_log10_e)});
  }
}

}  // namespace

GroupFinding find_group(const Group& group, const AccountTable& accounts, const Calibration& calibration,
                        const Population& population, const Settings& settings) {
  GroupFinding finding;
  finding.group = group.id;
  finding.formed_us = group.formed_us;
  finding.kind = group.kind();
  finding.measures = group.measures;
  finding.traits = group.traits;
  finding.hits_total = group.hits_total;
  const double others =
      std::max(1.0, static_cast<double>(population.queries) - static_cast<double>(group.measures.queries));
  finding.base_rate = std::min(1.0, (static_cast<double>(group.measures.outsider_hits) + kRatePriorEvents) / others);
  std::map<event::Channel, double> by_channel;
  std::vector<Trait> telling;  // what is no evidence for the group is none for a member
  for (const Trait& trait : group.traits) {
    const double log10_e = trait_log10_e(trait, group.members.size(), population);
    double& strongest = by_channel[channel_of(trait.kind)];
    strongest = std::max(strongest, log10_e);
    if (is_of_bulk(trait, group) && log10_e >= kTellingLog10Min) telling.push_back(trait);
  }
  for (const Handle member : group.members) {
    finding.members.push_back(find_member(member, accounts.at(member), group, telling, finding.base_rate, settings));
  }
  if (group.measures.hits > 0) {
    by_channel[event::Channel::template_] = content_log10_e(group.measures, group.measures.hits, finding.base_rate);
  }
  if (group.measures.hits_prompt > 0) {
    by_channel[event::Channel::prompt] = content_log10_e(group.measures, group.measures.hits_prompt, finding.base_rate);
  }
  if (const double handoff = handoff_log10_e(group, population); handoff > 0)
    by_channel[event::Channel::handoff] = handoff;
  for (const auto& [channel, log10_e] : by_channel) {
    if (log10_e <= 0) continue;
    finding.channel_log10_e.push_back({channel, log10_e});
    finding.channels.add(channel);
  }
  finding.operator_log10_e = operator_strength(finding.channel_log10_e, nullptr);
  finding.watched = !group.measures.work_testable && group.members.size() >= kWatchedMembersMin &&
                    group.measures.hits >= kWatchedHitsMin && group.measures.breadth_pooled >= kWatchedBreadthMin;
  finding.parts = calibration.parts(finding.kind, group.measures);
  finding.score = Calibration::score_of(finding.kind, finding.parts);
  if (group.measures.testable) finding.harvest = calibration.strength(finding.kind, finding.score);
  finding.strength = finding.harvest;
  finding.strength.log10_e = std::min(finding.harvest.log10_e, finding.operator_log10_e);
  for (const auto& item : finding.channel_log10_e) {
    // Without the group's templates there is nothing left to test for harvest.
    const double harvest = item.first == event::Channel::template_ ? 0 : finding.harvest.log10_e;
    finding.without_channel.push_back(
        {item.first, std::min(harvest, operator_strength(finding.channel_log10_e, &item.first))});
  }
  tell_harvest_channels(finding, calibration);
  return finding;
}

}  // namespace stillwatch::detect
