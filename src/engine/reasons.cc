#include "engine/reasons.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/event_time.h"
#include "engine/sentences.h"

namespace stillwatch::engine {
namespace {

using event::Channel;
using event::Reason;

std::string_view what_is_shared(Channel channel) {
  switch (channel) {
    case Channel::client: return "the same rare client software (order of headers and user agent)";
    case Channel::egress: return "the same rare network";
    case Channel::payment: return "the same means of payment";
    case Channel::signup: return "the same rare sign-up network, mail domain or referral";
    case Channel::timing: return "the same rare rhythm of requests";
    case Channel::system: return "the same rare system prompt";
    case Channel::tools: return "the same rare set of tools";
    case Channel::params: return "the same rare parameters";
    case Channel::schema: return "the same rare output schema";
    default: return "the same rare trait";
  }
}

double rounded(double value, double step = 1e-4) { return std::round(value / step) * step; }

/// The trait of this channel that most members have.
detect::Trait widest_trait(const detect::GroupFinding& finding, Channel channel) {
  detect::Trait widest;
  for (const detect::Trait& trait : finding.traits) {
    if (detect::channel_of(trait.kind) == channel && trait.members > widest.members) widest = trait;
  }
  return widest;
}

double figure_of(const std::vector<std::pair<Channel, double>>& figures, Channel channel, double otherwise) {
  for (const auto& [each, figure] : figures) {
    if (each == channel) return figure;
  }
  return otherwise;
}

/// "about 1 in 4,100 requests of everybody else": how common the group's templates are outside it.
std::string elsewhere(const detect::GroupFinding& finding) {
  const std::uint64_t outside = finding.measures.outsider_hits;
  if (outside == 0 || finding.base_rate <= 0) return "Nobody outside the group has used them since.";
  const double requests = (static_cast<double>(outside) + 1) / finding.base_rate;
  return fmt::format("Of the requests of everybody else {} do.",
                     rate_in_words(outside, static_cast<std::uint64_t>(requests)));
}

std::string who_else_has(const detect::Trait& trait, const ReasonContext& context) {
  std::string out = trait.outsiders == 0
                        ? std::string("Nobody outside the group has it")
                        : fmt::format("{} outside the group {} it", some(trait.outsiders, "account", "accounts"),
                                      trait.outsiders == 1 ? "has" : "have");
  if (context.trusted_accounts > 0) {
    out += fmt::format("; while honest use was learned, fewer than {} of {} had it", context.known_actors_min,
                       some(context.trusted_accounts, "trusted account", "trusted accounts"));
  }
  return out + ".";
}

/// Ends a reason: whether the finding rests on it.
void close(Reason& reason, const detect::GroupFinding& finding, const ReasonContext& context) {
  reason.numbers.push_back({"log10_e", rounded(figure_of(finding.channel_log10_e, reason.channel, 0), 0.01)});
  const double without = figure_of(finding.without_channel, reason.channel, finding.strength.log10_e);
  reason.numbers.push_back({"log10_e_without", rounded(without, 0.01)});
  if (context.threshold_log10_e <= 0) return;
  reason.text += without >= context.threshold_log10_e
                     ? " Without this, what remains against the group would still be enough to act."
                     : " Without this, what remains against the group would not be enough to act.";
}

std::string chance_sentence(std::string_view who, double log10_rarity, std::string_view does) {
  const std::string chance = chance_in_words(log10_rarity);
  return chance.empty() ? "" : fmt::format(" By chance at most {} {} would {}.", chance, who, does);
}

/// Parts of the harvest test in words; a measure without an entry is not told.
std::string_view what_it_shows(std::string_view measure) {
  constexpr std::pair<std::string_view, std::string_view> kMeanings[] = {
      {"breadth", "they use many different templates"},
      {"template_evenness", "all use them in the same mix"},
      {"hour_evenness", "all are busy at the same hours"},
      {"volume_evenness", "all send equally much"},
      {"night_share", "their nights are as busy as their days"},
      {"division", "hardly any two send the same prompt, as if one list were dealt out"},
      {"single_turn", "they ask once and do not go on talking"},
      {"output_length", "they ask for long answers"},
      {"exclusivity", "nobody else does this work"},
      {"concentration", "they do little else"},
  };
  for (const auto& [name, meaning] : kMeanings) {
    if (name == measure) return meaning;
  }
  return "";
}

/// The second question, harvest: not a channel of its own; it is told with the work itself.
void add_harvest(const detect::GroupFinding& finding, std::vector<Reason>& reasons) {
  const std::string chance = chance_in_words(finding.harvest.log10_e);
  if (!finding.measures.testable || chance.empty()) return;
  std::vector<std::pair<double, std::string_view>> parts;
  for (std::size_t m = 0; m < detect::kMeasures; ++m) {
    const std::string_view meaning = what_it_shows(detect::name(static_cast<detect::Measure>(m)));
    if (finding.parts[m] >= 1 && !meaning.empty()) parts.push_back({finding.parts[m], meaning});
  }
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  Reason reason;
  reason.channel = Channel::template_;
  const std::uint32_t groups = finding.harvest.calibration_groups;
  reason.text = fmt::format("What these {} do together was compared with ",
                            some(finding.measures.members, "account", "accounts"));
  reason.text += groups == 0 ? std::string("what is usual among honest groups")
                             : some(groups, "honest group", "honest groups") + " found in the same way";
  constexpr std::size_t kPartsTold = 3;
  for (std::size_t i = 0; i < std::min(parts.size(), kPartsTold); ++i)
    reason.text += (i == 0 ? ": " : ", ") + std::string(parts[i].second);
  reason.text += fmt::format(". At most {} honest groups would look so much like the collecting of answers.", chance);
  if (finding.harvest.extrapolated)
    reason.text += " That figure goes beyond what counting these groups can show, and is extrapolated from them.";
  reason.numbers = {{"log10_e", rounded(finding.harvest.log10_e, 0.01)}, {"calibration_groups", groups}};
  reasons.push_back(std::move(reason));
}

std::int64_t linked_us(const detect::MemberFinding& member) {
  return static_cast<std::int64_t>(member.joined_hour) * base::kHourUs;
}

Reason group_reason(const detect::GroupFinding& finding, Channel channel, const ReasonContext& context) {
  const detect::Measures& measures = finding.measures;
  const std::string since = date_in_words(finding.formed_us);
  Reason reason;
  reason.channel = channel;
  if (channel == Channel::template_) {
    reason.text = fmt::format(
        "{} of {} that these {} sent since they were linked (the first on {}) come from prompt templates that they "
        "share. {}",
        with_commas(measures.hits), some(measures.queries, "request", "requests"),
        some(measures.members, "account", "accounts"), since, elsewhere(finding));
    reason.numbers = {{"requests", static_cast<double>(measures.queries)},
                      {"shared", static_cast<double>(measures.hits)},
                      {"accounts", measures.members},
                      {"outside", static_cast<double>(measures.outsider_hits)}};
  } else if (channel == Channel::prompt) {
    reason.text = fmt::format("{} since {} repeat, word for word, a prompt that another of these {} sent.",
                              some(measures.hits_prompt, "request", "requests"), since,
                              some(measures.members, "account", "accounts"));
    reason.numbers = {{"repeated", static_cast<double>(measures.hits_prompt)}, {"accounts", measures.members}};
  } else if (channel == Channel::handoff) {
    reason.text = fmt::format(
        "{} since {} began on one of these {} and went on at another, with text that could not be guessed.",
        some(measures.handoffs, "conversation", "conversations"), since, some(measures.members, "account", "accounts"));
    reason.numbers = {{"handoffs", measures.handoffs}, {"accounts", measures.members}};
  } else if (channel == Channel::sharding) {
    reason.text = fmt::format(
        "They share templates, yet each whole prompt was sent by {:.2f} of the {} on average: the "
        "work is divided among them.",
        measures.multiplicity, some(measures.members, "account", "accounts"));
    reason.numbers = {{"accounts_a_prompt", rounded(measures.multiplicity, 0.01)}, {"accounts", measures.members}};
  } else if (channel == Channel::coverage) {
    const double kinds = std::exp2(std::max(measures[detect::Measure::breadth], 0.0));
    reason.text =
        fmt::format("Their shared work is spread over about {:.0f} of 32 equal parts of all templates.", kinds);
    reason.numbers = {{"parts", rounded(kinds, 0.1)}};
  } else if (channel == Channel::distribution) {
    reason.text =
        "What each of them sends is more like what the others send, in subject, form or length of the answers, "
        "than in groups of honest accounts.";
    reason.numbers = {{"accounts", measures.members}, {"requests", static_cast<double>(measures.queries)}};
  } else {
    const detect::Trait trait = widest_trait(finding, channel);
    reason.text =
        fmt::format("{} of {} have {}. {}", with_commas(trait.members), some(measures.members, "account", "accounts"),
                    what_is_shared(channel), who_else_has(trait, context));
    reason.numbers = {{"sharers", trait.members}, {"accounts", measures.members}, {"outside", trait.outsiders}};
  }
  // The channels of the harvest test have no chance of their own: the test as a whole has one, told apart.
  if (const double log10_e = figure_of(finding.channel_log10_e, channel, 0); log10_e > 0)
    reason.text += chance_sentence("groups of accounts without a common operator", log10_e, "share so much");
  close(reason, finding, context);
  return reason;
}

Reason member_reason(const detect::GroupFinding& finding, const detect::MemberFinding& member, Channel channel,
                     const ReasonContext& context) {
  const std::string since = date_in_words(linked_us(member));
  const std::uint32_t others = std::max(finding.measures.members, 1U) - 1;
  const std::string unrelated = some(others, "other account", "other accounts");
  Reason reason;
  reason.channel = channel;
  if (channel == Channel::template_) {
    reason.text = fmt::format(
        "{} of {} that it sent since {} come from prompt templates that it shares with {} said to be unrelated. {}",
        with_commas(member.hits), some(member.queries, "request", "requests"), since, unrelated, elsewhere(finding));
    reason.text += chance_sentence("independent accounts", -member.log10_p, "send so many");
    reason.numbers = {{"requests", member.queries},
                      {"shared", member.hits},
                      {"accounts", others},
                      {"log10_p", rounded(std::max(member.log10_p, -300.0), 0.01)}};
  } else if (channel == Channel::prompt) {
    reason.text = fmt::format("{} of its requests since {} repeat, word for word, a prompt that one of {} sent.",
                              with_commas(member.hits_prompt), since, unrelated);
    reason.numbers = {{"repeated", member.hits_prompt}, {"accounts", others}};
  } else if (channel == Channel::handoff && member.handoffs == 0) {
    reason.text = fmt::format(
        "A conversation moved between it and one of {} when it was linked, by {}, with text that "
        "could not be guessed.",
        unrelated, since);
    reason.numbers = {{"accounts", others}};
  } else if (channel == Channel::handoff) {
    reason.text = fmt::format("{} since {} moved between it and one of {}, with text that could not be guessed.",
                              some(member.handoffs, "conversation", "conversations"), since, unrelated);
    reason.numbers = {{"handoffs", member.handoffs}, {"accounts", others}};
  } else if (channel == Channel::replacement) {
    reason.text = fmt::format(
        "It was first seen after the group had been found, and {} of {} that it sent since {} are the "
        "group's work.",
        with_commas(member.hits_exclusive), some(member.queries, "request", "requests"), since);
    reason.numbers = {{"requests", member.queries}, {"shared", member.hits_exclusive}};
  } else {
    const detect::Trait trait = widest_trait(finding, channel);
    const std::uint32_t sharers = trait.members > 0 ? trait.members - 1 : 0;
    reason.text = fmt::format("It has {} as {} of the group. {}", what_is_shared(channel),
                              some(sharers, "other account", "other accounts"), who_else_has(trait, context));
    reason.numbers = {{"sharers", sharers}, {"outside", trait.outsiders}};
  }
  close(reason, finding, context);
  return reason;
}

}  // namespace

std::vector<Reason> group_reasons(const detect::GroupFinding& finding, const ReasonContext& context) {
  std::vector<Reason> reasons;
  for (const Channel channel : finding.channels.list()) reasons.push_back(group_reason(finding, channel, context));
  add_harvest(finding, reasons);
  return reasons;
}

std::vector<Reason> member_reasons(const detect::GroupFinding& finding, const detect::MemberFinding& member,
                                   const ReasonContext& context) {
  std::vector<Reason> reasons;
  for (const Channel channel : member.channels.list())
    reasons.push_back(member_reason(finding, member, channel, context));
  add_harvest(finding, reasons);
  return reasons;
}

std::vector<Reason> end_user_reasons(const detect::GroupFinding& finding, const detect::MemberFinding& member,
                                     const detect::EndUsers::Heavy& user, const ReasonContext& context) {
  const detect::EndUsers& users = member.end_users;
  Reason reason;
  reason.channel = Channel::template_;
  const int certain = user.hits - user.error;
  reason.text = fmt::format(
      "Of its account's {} from templates shared with other accounts since {}, this end user sent {}. The account's "
      "other requests come mostly from about {} other end users, whom this does not concern.",
      some(users.hits(), "request", "requests"), date_in_words(linked_us(member)),
      with_commas(static_cast<std::uint64_t>(certain)),
      with_commas(static_cast<std::uint64_t>(std::lround(users.others_distinct()))));
  reason.numbers = {
      {"requests", users.hits()}, {"shared", certain}, {"end_users", std::round(users.others_distinct())}};
  std::vector<Reason> reasons{std::move(reason)};
  for (Reason& each : member_reasons(finding, member, context)) {
    each.text = "Its account: " + each.text;
    reasons.push_back(std::move(each));
  }
  return reasons;
}

Reason declare_reason() {
  return {Channel::handoff,
          "This looks like pooled or resold access. That may be allowed, and nothing is refused: please declare resale "
          "to the provider, or pass an end user id with each request, so that a single user can be looked at instead "
          "of the whole account.",
          {}};
}

std::vector<std::pair<std::string, double>> measure_list(const detect::GroupFinding& finding) {
  std::vector<std::pair<std::string, double>> list;
  list.push_back({"operator_log10_e", rounded(finding.operator_log10_e)});
  list.push_back({"harvest_log10_e", rounded(finding.harvest.log10_e)});
  list.push_back({"harvest_score", rounded(finding.score)});
  for (std::size_t m = 0; m < detect::kMeasures; ++m) {
    if (finding.measures.value[m] <= detect::kAbsentMeasure) continue;
    list.push_back({std::string(detect::name(static_cast<detect::Measure>(m))), rounded(finding.measures.value[m])});
  }
  for (std::size_t m = 0; m < detect::kMeasures; ++m) {
    if (finding.measures.value[m] <= detect::kAbsentMeasure) continue;
    list.push_back({fmt::format("{}_part", detect::name(static_cast<detect::Measure>(m))), rounded(finding.parts[m])});
  }
  return list;
}

}  // namespace stillwatch::engine
