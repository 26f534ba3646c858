#include "engine/reasons.h"

#include <cmath>

#include <fmt/format.h>

namespace stillwatch::engine {
namespace {

using event::Channel;
using event::Reason;

std::string_view what_is_shared(Channel channel) {
  switch (channel) {
    case Channel::client: return "the same rare client software (header order and user agent)";
    case Channel::egress: return "the same rare network";
    case Channel::payment: return "the same means of payment";
    case Channel::signup: return "the same rare sign-up network, mail domain or referral";
    default: return "the same rare trait";
  }
}

double rounded(double value, double step = 1e-4) { return std::round(value / step) * step; }

std::uint32_t members_with(const detect::GroupFinding& finding, Channel channel) {
  std::uint32_t most = 0;
  for (const detect::Trait& trait : finding.traits) {
    if (detect::channel_of(trait.kind) == channel) most = std::max(most, trait.members);
  }
  return most;
}

double log10_e_of(const detect::GroupFinding& finding, Channel channel) {
  for (const auto& [each, log10_e] : finding.channel_log10_e) {
    if (each == channel) return log10_e;
  }
  return 0;
}

}  // namespace

std::vector<Reason> group_reasons(const detect::GroupFinding& finding) {
  const detect::Measures& measures = finding.measures;
  std::vector<Reason> reasons;
  for (const Channel channel : finding.channels.list()) {
    Reason reason;
    reason.channel = channel;
    if (channel == Channel::template_) {
      reason.text = fmt::format(
          "{} of {} requests that these {} accounts sent after they were linked come from prompt templates that they "
          "share; of all "
          "other accounts' requests {} do",
          measures.hits, measures.queries, measures.members, measures.outsider_hits);
      reason.numbers = {{"requests", static_cast<double>(measures.queries)},
                        {"shared", static_cast<double>(measures.hits)},
                        {"accounts", measures.members},
                        {"outside", static_cast<double>(measures.outsider_hits)}};
    } else if (channel == Channel::prompt) {
      reason.text = fmt::format("{} requests repeat, word for word, a prompt that another of these accounts sent",
                                measures.hits_prompt);
      reason.numbers = {{"repeated", static_cast<double>(measures.hits_prompt)}, {"accounts", measures.members}};
    } else if (channel == Channel::handoff) {
      reason.text = fmt::format(
          "{} conversations that began on one of these accounts went on at another, with text that could not be "
          "guessed",
          measures.handoffs);
      reason.numbers = {{"handoffs", measures.handoffs}, {"accounts", measures.members}};
    } else {
      const std::uint32_t sharers = members_with(finding, channel);
      reason.text = fmt::format("{} of {} accounts have {}, which was not in common use before", sharers,
                                measures.members, what_is_shared(channel));
      reason.numbers = {{"sharers", sharers}, {"accounts", measures.members}};
    }
    reason.numbers.push_back({"log10_e", rounded(log10_e_of(finding, channel), 0.01)});
    reasons.push_back(std::move(reason));
  }
  return reasons;
}

std::vector<Reason> member_reasons(const detect::GroupFinding& finding, const detect::MemberFinding& member) {
  std::vector<Reason> reasons;
  for (const Channel channel : member.channels.list()) {
    Reason reason;
    reason.channel = channel;
    const std::uint32_t others = finding.measures.members - 1;
    if (channel == Channel::template_) {
      reason.text = fmt::format(
          "{} of its {} requests since it was linked come from prompt templates that {} unrelated accounts share",
          member.hits, member.queries, others);
      reason.numbers = {{"requests", member.queries},
                        {"shared", member.hits},
                        {"accounts", others},
                        {"log10_p", rounded(std::max(member.log10_p, -300.0), 0.01)}};
    } else if (channel == Channel::prompt) {
      reason.text =
          fmt::format("{} of its requests repeat, word for word, a prompt that other accounts of the group sent",
                      member.hits_prompt);
      reason.numbers = {{"repeated", member.hits_prompt}, {"accounts", others}};
    } else if (channel == Channel::handoff) {
      reason.text = fmt::format("{} conversations moved between it and other accounts of the group", member.handoffs);
      reason.numbers = {{"handoffs", member.handoffs}, {"accounts", others}};
    } else {
      const std::uint32_t sharers = members_with(finding, channel);
      reason.text = fmt::format("it has {} as {} other accounts of the group", what_is_shared(channel),
                                sharers > 0 ? sharers - 1 : 0);
      reason.numbers = {{"sharers", sharers > 0 ? sharers - 1 : 0}};
    }
    reasons.push_back(std::move(reason));
  }
  return reasons;
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
