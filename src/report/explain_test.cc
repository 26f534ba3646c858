#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "event/json_lines.h"
#include "report/example_report.h"

namespace stillwatch::report {
namespace {

class Explain : public ::testing::Test {
 protected:
  void SetUp() override {
    const CampaignView view =
        example_view(example_campaign(12, event::Class::distiller, 300, 1'776'988'803'000'000, 48, 100), 30);
    const auto open = [&](base::Token token) -> std::string_view {
      return token == 6     ? "u-882"
             : token == 5   ? "acct_with_\x1b[31mcolour"
             : token >= 100 ? std::string_view(view.members[token - 100].account)
                            : "m-large";
    };
    event::Campaign campaign = view.campaign;
    campaign.models = {1};
    std::string verdicts, members;
    for (std::size_t i = 0; i < view.members.size(); ++i) {
      event::Member member = view.members[i].member;
      member.account = 100 + i;
      members += event::to_json(member, open) + "\n";
    }
    event::Verdict verdict;
    verdict.time_us = campaign.opened_us;
    verdict.subject = 100;
    verdict.class_ = event::Class::distiller;
    verdict.campaign = 12;
    verdict.rule = "campaign.member";
    verdict.strength = {5.2, 1800, true};
    verdict.channels = event::ChannelSet::from_bits(0b101);
    verdict.expires_us = verdict.time_us + 7 * base::kDayUs;
    verdict.reasons = {
        {event::Channel::template_, "41 of its 52 requests come from 9 templates", {{"requests", 52}, {"shared", 41}}}};
    for (const event::Level level : {event::Level::observe, event::Level::restrict}) {
      verdict.level = level;
      verdicts += event::to_json(verdict, "sha256:1", open) + "\n";
      verdict.time_us += base::kHourUs;
    }
    verdict.subject = 5;
    verdicts += event::to_json(verdict, "sha256:1", open) + "\n";
    verdict.level = event::Level::clear;
    verdicts += "this line is damaged\n" + event::to_json(verdict, "sha256:1", open) + "\n";
    verdict.kind = event::SubjectKind::end_user;
    verdict.subject = 6;
    verdict.account = 100;
    verdict.level = event::Level::verify;
    verdict.rule = "campaign.end_user";
    verdicts += event::to_json(verdict, "sha256:1", open) + "\n";
    write("verdicts.ndjson", verdicts);
    write("members.ndjson", members);
    write("campaigns.ndjson", event::to_json(campaign, open) + "\n");
    account_ = view.members[0].account;
  }
  void write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(base::write_file(folder_ / name, bytes));
  }

  const base::test::Folder folder_;
  std::string account_;
};

TEST_F(Explain, AnAccountInWords) {
  const auto text = explain(folder_.path(), account_, false);
  ASSERT_TRUE(text) << text.error().message;
  for (const std::string_view part :
       {": restrict, distiller, campaign c-000012 (dry run", "template (content): 41 of its 52 requests",
        "requests 52, shared 41", "handoff (conversation): a conversation begun", "Independent kinds of evidence: 2",
        "extrapolated from their", "it expires on", "observe", "Member of c-000012", "Without one channel",
        "log10 e 3.4"}) {
    EXPECT_NE(text->find(part), std::string::npos) << part << "\n" << *text;
  }
}

TEST_F(Explain, AClearedAccountKeepsItsReasonsAndNoControlBytes) {
  const auto text = explain(folder_.path(), "acct_with_\x1b[31mcolour", false);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_NE(text->find(": clear"), std::string::npos);
  EXPECT_NE(text->find("Why, before it was cleared"), std::string::npos);
  EXPECT_EQ(text->find('\x1b'), std::string::npos);
}

TEST_F(Explain, AnEndUserIsToldApartFromItsAccount) {
  const auto person = explain(folder_.path(), "u-882", false);
  ASSERT_TRUE(person) << person.error().message;
  EXPECT_NE(person->find("End user u-882 of account " + account_ + ": verify"), std::string::npos) << *person;
  const auto account = explain(folder_.path(), account_, false);
  ASSERT_TRUE(account) << account.error().message;
  EXPECT_NE(account->find("Account " + account_ + ": restrict"), std::string::npos) << *account;
  const auto people = account->find("Its end users that were acted on");
  ASSERT_NE(people, std::string::npos) << *account;
  EXPECT_NE(account->find("u-882", people), std::string::npos);
}

TEST_F(Explain, ACampaignInWords) {
  const auto text = explain(folder_.path(), "c-000012", false);
  ASSERT_TRUE(text) << text.error().message;
  for (const std::string_view part : {"Campaign c-000012: distiller", "300 accounts", "egress (software and network)",
                                      "single turn share 98 %", "and 20 more", "We do not claim"}) {
    EXPECT_NE(text->find(part), std::string::npos) << part << "\n" << *text;
  }
}

TEST_F(Explain, JsonIsOneObject) {
  simdjson::dom::parser parser;
  for (const std::string& id : {account_, std::string("c-000012")}) {
    const auto text = explain(folder_.path(), id, true);
    ASSERT_TRUE(text);
    simdjson::dom::element element;
    ASSERT_EQ(parser.parse(*text).get(element), simdjson::SUCCESS) << *text;
    std::string_view name;
    ASSERT_EQ(element.at_pointer("/campaigns/0/id").get(name), simdjson::SUCCESS);
    EXPECT_EQ(name, "c-000012");
  }
}

TEST_F(Explain, UnknownIdAndMissingFolderSayWhatToDo) {
  const auto unknown = explain(folder_.path(), "acct_nobody", false);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().fault, base::Fault::caller);
  EXPECT_NE(unknown.error().message.find("c-000012"), std::string::npos);
  const auto missing = explain(folder_ / "none", "c-000012", false);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, base::Fault::environment);
  EXPECT_NE(missing.error().message.find("verdicts.ndjson"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::report
