#include "report/case_findings.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "event/json_lines.h"
#include "report/example_report.h"

namespace stillwatch::report {
namespace {

class CaseFindingsTest : public ::testing::Test {
 protected:
  void write(const char* name, const std::string& text) const { ASSERT_TRUE(base::write_file(folder_ / name, text)); }
  static event::Verdict verdict(event::SubjectKind kind, event::Token subject, std::uint32_t campaign) {
    event::Verdict out;
    out.time_us = 1'776'800'000'000'000;
    out.kind = kind;
    out.subject = subject;
    out.campaign = campaign;
    out.level = event::Level::restrict;
    out.class_ = event::Class::distiller;
    out.rule = "campaign.member";
    out.strength = {5.2, 1800, true};
    out.channels.add(event::Channel::template_);
    out.reasons = {{event::Channel::template_, "they share \"templates\"", {{"requests", 52}}}};
    return out;
  }
  static std::string line(const event::Verdict& verdict) {
    return event::to_json(verdict, "sha256:aa",
                          [](event::Token token) {
                            static std::string name;
                            name = "acct_" + std::to_string(token);
                            return std::string_view(name);
                          }) +
           "\n";
  }

  const base::test::Folder folder_;
};

TEST_F(CaseFindingsTest, ReadsBackWhatAReplayWrote) {
  const event::OpenId open = [](event::Token) { return std::string_view("m-large"); };
  event::Campaign campaign = example_campaign(12, event::Class::distiller, 2, 1'776'800'000'000'000, 40, 9);
  campaign.models = {1};
  event::Campaign other = campaign;
  other.id = 13;
  write("campaigns.ndjson", event::to_json(other, open) + "\n" + event::to_json(campaign, open) + "\n");
  event::Member member;
  member.campaign = 12;
  member.queries = 40;
  member.since_us = 1'776'800'000'000'000;
  member.channels.add(event::Channel::payment);
  const event::OpenId account = [](event::Token) { return std::string_view("acct_7"); };
  write("members.ndjson", event::to_json(member, account) + "\nnot json\n");
  write("verdicts.ndjson", line(verdict(event::SubjectKind::account, 7, 12)) +
                               line(verdict(event::SubjectKind::account, 8, 12)) +
                               line(verdict(event::SubjectKind::account, 9, 13)));
  const auto found = read_findings(folder_.path(), "c-000012");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->accounts, (std::vector<std::string>{"acct_7", "acct_8"}));
  const event::Campaign& read = found->view.campaign;
  EXPECT_EQ(read.id, 12);
  EXPECT_EQ(read.class_, campaign.class_);
  EXPECT_EQ(read.queries, campaign.queries);
  EXPECT_EQ(read.prevented_queries, campaign.prevented_queries);
  EXPECT_EQ(read.channels, campaign.channels);
  EXPECT_EQ(read.strength.log10_e, campaign.strength.log10_e);
  EXPECT_EQ(read.reasons.size(), campaign.reasons.size());
  EXPECT_EQ(read.reasons[1].numbers, campaign.reasons[1].numbers);
  EXPECT_EQ(read.measures, campaign.measures);
  EXPECT_EQ(read.without_channel, campaign.without_channel);
  EXPECT_EQ(found->view.models, (std::vector<std::string>{"m-large"}));
  EXPECT_EQ(found->view.members.front().account, "acct_7") << "most requests first";
  EXPECT_EQ(found->view.members.front().level, event::Level::restrict);
  EXPECT_FALSE(found->has_summary);
  EXPECT_EQ(std::count(found->verdict_lines.begin(), found->verdict_lines.end(), '\n'), 2);
  EXPECT_EQ(found->campaign_lines, event::to_json(campaign, open) + "\n");
}

TEST_F(CaseFindingsTest, AGatewaysVerdictsAreEnough) {
  event::Verdict found_campaign = verdict(event::SubjectKind::campaign, 12, 12);
  write("verdicts.ndjson", line(found_campaign) + line(verdict(event::SubjectKind::account, 7, 12)));
  const auto found = read_findings(folder_.path(), "c-000012");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->view.campaign.class_, event::Class::distiller);
  EXPECT_EQ(found->view.campaign.accounts_count, 1);
  EXPECT_EQ(found->view.campaign.reasons.size(), 1);
  EXPECT_EQ(found->accounts, (std::vector<std::string>{"acct_7"}));
}

TEST_F(CaseFindingsTest, SaysWhatIsNotThere) {
  EXPECT_EQ(read_findings(folder_.path(), "c-000012").error().fault, base::Fault::environment);
  write("verdicts.ndjson", line(verdict(event::SubjectKind::account, 7, 13)));
  const auto found = read_findings(folder_.path(), "c-000012");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().fault, base::Fault::caller);
  EXPECT_NE(found.error().message.find("c-000012"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::report
