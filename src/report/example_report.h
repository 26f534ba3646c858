// A made-up run for the tests of this module: three campaigns, hostile bytes in every text, and the truth.
//
// Invariant: the same bytes on every machine. Used by tests only.
#pragma once

#include <cmath>
#include <string>

#include "base/event_time.h"
#include "base/random.h"
#include "report/report.h"

namespace stillwatch::report {

inline event::Campaign example_campaign(std::uint32_t id, event::Class class_, std::uint64_t accounts,
                                        std::int64_t opened_us, int hours, double per_hour) {
  event::Campaign campaign;
  base::Random random(id);
  campaign.id = id;
  campaign.class_ = class_;
  campaign.opened_us = opened_us;
  campaign.updated_us = opened_us + hours * base::kHourUs;
  campaign.accounts_count = accounts;
  for (int hour = 0; hour < hours; ++hour) {
    const double time_of_day = 0.4 + std::max(0.0, std::sin((hour % 24 - 7) * 0.26));
    campaign.queries_per_hour.push_back(
        static_cast<std::uint32_t>(per_hour * time_of_day * (0.6 + 0.8 * random.uniform())));
    campaign.queries += campaign.queries_per_hour.back();
  }
  campaign.output_tokens = campaign.queries * 716;
  campaign.prevented_queries = campaign.queries * 94 / 100;
  for (const event::Channel channel :
       {event::Channel::template_, event::Channel::handoff, event::Channel::egress, event::Channel::payment})
    campaign.channels.add(channel);
  campaign.strength = {12.1, 1800, true};
  campaign.reasons = {
      {event::Channel::template_,
       "277,100 of their 296,400 requests come from 100 prompt templates that no popular client sends",
       {{"requests", 296400}, {"templates", 100}, {"shared_share", 0.935}}},
      {event::Channel::handoff,
       "412 conversations begun on one account went on on another within the hour",
       {{"handoffs", 412}, {"guessable", 3}}},
      {event::Channel::payment, "38 means of payment pay for all 300 accounts", {{"payments", 38}, {"accounts", 300}}}};
  campaign.measures = {{"single_turn_share", 0.98},
                       {"content_distance", 0.214},
                       {"coverage_buckets", 1911},
                       {"equal_prompts_expected", 812},
                       {"equal_prompts_seen", 19}};
  campaign.without_channel = {{event::Channel::template_, 3.4},
                              {event::Channel::handoff, 8.8},
                              {event::Channel::egress, 11.7},
                              {event::Channel::payment, 10.2}};
  return campaign;
}

inline CampaignView example_view(event::Campaign campaign, std::size_t members) {
  CampaignView view;
  base::Random random(campaign.id, 2);
  view.models = {"m-large"};
  view.input_tokens = campaign.queries * 390;
  for (std::size_t i = 0; i < members; ++i) {
    MemberView member;
    member.account = "acct_" + std::to_string(0x7f3a00 + i * 77);
    member.member.campaign = campaign.id;
    member.member.since_us = campaign.opened_us + static_cast<std::int64_t>(random.below(30)) * base::kHourUs;
    member.member.queries = 1100 - i * 2;
    member.member.channels = event::ChannelSet::from_bits(0b10'0000'0000'0001 | (i % 3 == 0 ? 4U : 0U));
    member.level = i % 9 == 8 ? event::Level::verify : event::Level::restrict;
    view.members.push_back(member);
  }
  view.campaign = std::move(campaign);
  return view;
}

inline Report example_report(int days = 45) {
  Report report;
  Summary& summary = report.summary;
  base::Random random(5);
  summary.version = "0.1.0";
  summary.policy_hash = "sha256:9f2c61c0b1a5d5f2a1e6cde5d9a2b84cf1e5b7c95f8d7c0f63f1c7b9d45ee001";
  summary.logs = {"queries.ndjson.zst"};
  summary.first_us = *base::parse_time("2026-04-22T00:00:03Z");
  summary.last_us = summary.first_us + days * base::kDayUs - 7 * base::kSecondUs;
  summary.calibrated_until_us = summary.first_us + 7 * base::kDayUs;
  for (int hour = 0; hour < days * 24; ++hour) {
    const double weekend = hour / 24 % 7 == 3 || hour / 24 % 7 == 4 ? 0.62 : 1;
    summary.queries_per_hour.push_back(static_cast<std::uint32_t>(
        17000 * weekend * (0.55 + 0.45 * std::sin((hour % 24 - 8) * 0.262)) * (0.95 + 0.1 * random.uniform())));
    summary.records += summary.queries_per_hour.back();
  }
  summary.bytes = summary.records * 1250;
  summary.rejected = 412;
  summary.rejected_by_reason = {{"not JSON", 391}, {"time far out of order", 21}};
  summary.late = 21;
  summary.duplicates = 7;
  summary.accounts = 20431;
  summary.calibration_groups = 1800;
  summary.promised_false_campaigns_per_month = 0.5;
  summary.threshold_log10_e = 4.5;
  summary.accounts_by_level = {{"clear", 20110}, {"observe", 15}, {"notice", 12}, {"verify", 30}, {"restrict", 264}};
  summary.counters = {{"postings_full", 118}, {"templates_evicted", 20331}};
  const std::int64_t start_us = summary.first_us + 8 * base::kDayUs;
  report.campaigns.push_back(
      example_view(example_campaign(12, event::Class::distiller, 300, start_us, (days - 9) * 24, 330), 200));
  report.campaigns.push_back(
      example_view(example_campaign(13, event::Class::distiller, 130, start_us + 9 * base::kDayUs, 15 * 24, 260), 130));
  report.campaigns.push_back(
      example_view(example_campaign(17, event::Class::reseller, 84, start_us + 2 * base::kDayUs, 30 * 24, 90), 84));
  return report;
}

inline void add_example_truth(Report& report) {
  report.truth = TruthView{
      {{"chat_user", 12000, 3, 0, 2.5e-4}, {"saas_tenant", 3000, 2, 1, 1.6e-3}, {"honest_relay", 84, 80, 0, 0.035}},
      {{"template_farm", 300, 296, 296400, 278616, 7.4}, {"self_instruct", 130, 0, 60000, 0, -1}}};
}

}  // namespace stillwatch::report
