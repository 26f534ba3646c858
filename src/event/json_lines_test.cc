#include "event/json_lines.h"

#include <gtest/gtest.h>

#include "base/event_time.h"

namespace stillwatch::event {
namespace {

std::string_view open_example(Token token) { return token == 1 ? "acct_7f3a" : token == 2 ? "m-large" : "a\"\xFF<b"; }

Verdict restricted() {
  Verdict verdict;
  verdict.time_us = *base::parse_time("2026-04-22T19:40:00Z");
  verdict.subject = 1;
  verdict.level = Level::restrict;
  verdict.class_ = Class::distiller;
  verdict.campaign = 12;
  verdict.rule = "campaign.member";
  verdict.strength = {5.2, 1800, true};
  verdict.channels.add(Channel::payment);
  verdict.channels.add(Channel::template_);
  verdict.channels.add(Channel::handoff);
  verdict.expires_us = *base::parse_time("2026-04-29T19:40:00Z");
  verdict.reasons.push_back({Channel::template_,
                             "41 of its 52 requests come from 9 prompt templates",
                             {{"requests", 52}, {"share", 0.7884615384615384}}});
  return verdict;
}

// The golden line is the contract's example with our numbers: a change of a byte breaks readers.
TEST(JsonLines, VerdictIsTheContractsLine) {
  EXPECT_EQ(to_json(restricted(), "sha256:9f2c", open_example),
            R"({"v":1,"time":"2026-04-22T19:40:00Z","subject":{"kind":"account","id":"acct_7f3a"},)"
            R"("level":"restrict","class":"distiller","campaign":"c-000012","rule":"campaign.member",)"
            R"("automated":true,"dry_run":true,)"
            R"("strength":{"log10_e":5.2,"calibration_groups":1800,"extrapolated":true},)"
            R"("channels":["template","handoff","payment"],"expires":"2026-04-29T19:40:00Z","policy":"sha256:9f2c",)"
            R"("reasons":[{"channel":"template","text":"41 of its 52 requests come from 9 prompt templates",)"
            R"("numbers":{"requests":52,"share":0.7884615384615384}}]})");
}

TEST(JsonLines, ClearHasOnlyWhatIsRequired) {
  Verdict verdict = restricted();
  verdict.level = Level::clear;
  EXPECT_EQ(to_json(verdict, "sha256:9f2c", open_example),
            R"({"v":1,"time":"2026-04-22T19:40:00Z","subject":{"kind":"account","id":"acct_7f3a"},)"
            R"("level":"clear","class":"distiller","campaign":"c-000012"})");
  verdict.class_ = Class::unknown;
  verdict.campaign = 0;
  verdict.subject = 3;
  EXPECT_EQ(to_json(verdict, "", open_example),
            "{\"v\":1,\"time\":\"2026-04-22T19:40:00Z\",\"subject\":{\"kind\":\"account\",\"id\":\"a\\\"\uFFFD<b\"},"
            "\"level\":\"clear\"}");
}

TEST(JsonLines, CampaignSubjectIsItsName) {
  Verdict verdict = restricted();
  verdict.kind = SubjectKind::campaign;
  verdict.subject = 1234567;
  EXPECT_NE(to_json(verdict, "p", open_example).find(R"("subject":{"kind":"campaign","id":"c-1234567"})"),
            std::string::npos);
}

TEST(JsonLines, AnEndUserIsNamedWithItsAccount) {
  Verdict verdict = restricted();
  verdict.kind = SubjectKind::end_user;
  verdict.subject = 3;
  verdict.account = 1;
  EXPECT_NE(to_json(verdict, "p", open_example)
                .find("\"subject\":{\"kind\":\"end_user\",\"id\":\"a\\\"\uFFFD<b\",\"account\":\"acct_7f3a\"}"),
            std::string::npos);
  const auto shed = [](Token token) { return token == 1 ? std::string_view("acct_7f3a") : std::string_view(); };
  EXPECT_NE(to_json(verdict, "p", shed).find(R"("id":"#0000000000000003","account":"acct_7f3a"})"), std::string::npos);
}

TEST(JsonLines, CampaignAndMember) {
  Campaign campaign;
  campaign.id = 12;
  campaign.class_ = Class::distiller;
  campaign.opened_us = *base::parse_time("2026-04-22T18:05:00Z");
  campaign.updated_us = *base::parse_time("2026-06-05T00:00:00.5Z");
  campaign.accounts_count = 24975;
  campaign.queries = 28800000;
  campaign.output_tokens = 14400000000;
  campaign.prevented_queries = 27000000;
  campaign.channels.add(Channel::handoff);
  campaign.models = {2};
  campaign.strength = {12.1, 1800, true};
  campaign.reasons.push_back({Channel::handoff, "conversations go on elsewhere", {{"handoffs", 31}}});
  campaign.measures = {{"single_turn_share", 0.99}};
  campaign.without_channel = {{Channel::handoff, 3.25}};
  EXPECT_EQ(
      to_json(campaign, open_example),
      R"({"v":1,"id":"c-000012","class":"distiller","opened":"2026-04-22T18:05:00Z",)"
      R"("updated":"2026-06-05T00:00:00.500000Z","accounts_count":24975,"queries":28800000,)"
      R"("output_tokens":14400000000,"channels":["handoff"],"models":["m-large"],)"
      R"("strength":{"log10_e":12.1,"calibration_groups":1800,"extrapolated":true},)"
      R"("evidence":{"reasons":[{"channel":"handoff","text":"conversations go on elsewhere",)"
      R"("numbers":{"handoffs":31}}],)"
      R"("measures":{"single_turn_share":0.99},"without_channel":{"handoff":3.25},"prevented_queries":27000000}})");
  Member member;
  member.campaign = 12;
  member.account = 1;
  member.since_us = *base::parse_time("2026-04-22T19:40:00Z");
  member.queries = 1152;
  EXPECT_EQ(to_json(member, open_example),
            R"({"v":1,"campaign":"c-000012","account":"acct_7f3a","since":"2026-04-22T19:40:00Z","queries":1152,)"
            R"("channels":[]})");
}

}  // namespace
}  // namespace stillwatch::event
