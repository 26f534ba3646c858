#include "engine/case_book.h"

#include <gtest/gtest.h>

#include "event/json_lines.h"

namespace stillwatch::engine {
namespace {

using event::Channel;
using event::Class;
using event::Level;
using event::SubjectKind;
using event::Verdict;

constexpr std::int64_t kStart = 1'775'001'600'000'000;  // a midnight

/// A case book fed with findings as a detector would make them.
class CaseBookTest : public ::testing::Test {
 protected:
  CaseBookTest() : detector_(detect::Settings{}) {
    detector_.adopt_calibration(detect::Calibration(), {}, 1000, 800);
    finding_.group = 1;
    finding_.formed_us = kStart - base::kDayUs;
    finding_.kind = detect::LinkKind::trait;
    finding_.measures.testable = true;
    finding_.measures.queries = 2000;
    finding_.measures.hits = 1500;
    finding_.operator_log10_e = finding_.harvest.log10_e = finding_.strength.log10_e = 12;
    for (const Channel channel : {Channel::template_, Channel::client}) finding_.channels.add(channel);
    for (event::Token account = 1; account <= 10; ++account) finding_.members.push_back(member(account));
    finding_.measures.members = 10;
  }

  static detect::MemberFinding member(event::Token account) {
    detect::MemberFinding one;
    one.account = account;
    one.hits = 150;
    one.queries = 200;
    one.log10_p = -40;
    one.stands = true;
    one.channels.add(Channel::template_);
    one.channels.add(Channel::client);
    one.joined_hour = static_cast<std::uint32_t>(kStart / base::kHourUs);
    return one;
  }
  /// A service: one of 61 end users does the group's work, in one of eight requests.
  static void make_service(detect::MemberFinding& one, event::Token harvester = 500) {
    for (int i = 0; i < 800; ++i) {
      const bool hit = i % 8 == 0;
      one.end_users.add(hit ? harvester : 1000 + static_cast<event::Token>(i) % 60, hit);
    }
  }

  std::vector<Verdict> apply(std::int64_t now_us) {
    detect::Detector::Epoch epoch;
    epoch.calibrated = true;
    epoch.findings = {finding_};
    for (auto& one : epoch.findings[0].members)
      one.last_hit_hour = static_cast<std::uint32_t>(now_us / base::kHourUs) - 1;
    return book_.apply(
        epoch, detector_, now_us, [](event::Token, std::int64_t) { return false; },
        [this](event::Token token) { return open(token); });
  }
  std::string_view open(event::Token token) { return ids_.try_emplace(token, std::to_string(token)).first->second; }
  static std::vector<const Verdict*> on(const std::vector<Verdict>& verdicts, SubjectKind kind, Level level_min) {
    std::vector<const Verdict*> out;
    for (const Verdict& verdict : verdicts) {
      if (verdict.kind == kind && verdict.level >= level_min) out.push_back(&verdict);
    }
    return out;
  }

  detect::Detector detector_;
  detect::GroupFinding finding_;
  CaseBook book_{policy::Settings{}};
  std::map<event::Token, std::string> ids_;
};

TEST_F(CaseBookTest, OnePersonIsActedOnAndHisServiceIsObserved) {
  make_service(finding_.members[0]);
  const auto verdicts = apply(kStart + base::kHourUs);
  const auto people = on(verdicts, SubjectKind::end_user, Level::verify);
  ASSERT_EQ(people.size(), 1U);
  EXPECT_EQ(people[0]->subject, 500U);
  EXPECT_EQ(people[0]->account, 1U);
  EXPECT_EQ(people[0]->rule, "campaign.end_user");
  EXPECT_GE(people[0]->channels.independent_count(), 2);
  EXPECT_NE(people[0]->reasons[0].text.find("this end user sent 100"), std::string::npos) << people[0]->reasons[0].text;
  EXPECT_EQ(on(verdicts, SubjectKind::account, Level::verify).size(), 9U) << "all but the service";
  const auto alerted = on(verdicts, SubjectKind::account, Level::observe);
  ASSERT_EQ(alerted.size(), 10U);
  EXPECT_EQ(alerted[0]->subject, 1U);
  EXPECT_EQ(alerted[0]->level, Level::observe);
  EXPECT_EQ(alerted[0]->rule, "campaign.end_user");
  // The contract's order: kinds by name, ids within.
  for (std::size_t i = 1; i < verdicts.size(); ++i)
    EXPECT_LE(event::name(verdicts[i - 1].kind), event::name(verdicts[i].kind));
  EXPECT_TRUE(apply(kStart + 2 * base::kHourUs).empty()) << "no change, no line";
}

TEST_F(CaseBookTest, TheNextNamesRunOut) {
  std::int64_t now_us = kStart;
  for (event::Token name = 0; name < 3; ++name) {
    finding_.members[0].end_users = {};
    make_service(finding_.members[0], 500 + name);
    const auto verdicts = apply(now_us += base::kDayUs);
    EXPECT_EQ(on(verdicts, SubjectKind::end_user, Level::verify).size(), 1U) << name;
  }
  finding_.members[0].end_users = {};
  make_service(finding_.members[0], 503);
  const auto verdicts = apply(now_us += base::kDayUs);
  EXPECT_TRUE(on(verdicts, SubjectKind::end_user, Level::verify).empty());
  const auto accounts = on(verdicts, SubjectKind::account, Level::verify);
  ASSERT_EQ(accounts.size(), 1U) << "the fourth name within a month: the account is the scope";
  EXPECT_EQ(accounts[0]->subject, 1U);
  // And it stays so, also for a name known before.
  finding_.members[0].end_users = {};
  make_service(finding_.members[0], 500);
  EXPECT_TRUE(on(apply(now_us + base::kHourUs), SubjectKind::end_user, Level::observe).empty());
}

TEST_F(CaseBookTest, AHydraThatForgesEndUsersIsActedOnAsAccounts) {
  for (std::size_t i = 0; i < 6; ++i) make_service(finding_.members[i]);
  const auto verdicts = apply(kStart + base::kHourUs);
  EXPECT_TRUE(on(verdicts, SubjectKind::end_user, Level::observe).empty());
  EXPECT_EQ(on(verdicts, SubjectKind::account, Level::verify).size(), 10U);
}

TEST_F(CaseBookTest, AccountsOfOneOperatorAreTheScope) {
  finding_.kind = detect::LinkKind::handoff;
  make_service(finding_.members[0]);
  const auto verdicts = apply(kStart + base::kHourUs);
  EXPECT_TRUE(on(verdicts, SubjectKind::end_user, Level::observe).empty());
  EXPECT_EQ(on(verdicts, SubjectKind::account, Level::verify).size(), 10U);
}

TEST_F(CaseBookTest, ALevelOfAPersonExpiresWithoutItsOwnWork) {
  make_service(finding_.members[0]);
  ASSERT_EQ(on(apply(kStart), SubjectKind::end_user, Level::verify).size(), 1U);
  std::size_t cleared = 0;
  // The account's other users go on; the person does not.
  for (std::int64_t day = 1; day <= 8; ++day) {
    for (int i = 0; i < 100; ++i) finding_.members[0].end_users.add(1000 + static_cast<event::Token>(i) % 60, false);
    for (const Verdict& verdict : apply(kStart + day * base::kDayUs)) {
      if (verdict.kind != SubjectKind::end_user) continue;
      EXPECT_EQ(verdict.level, Level::clear);
      EXPECT_EQ(day, 7);
      ++cleared;
    }
  }
  EXPECT_EQ(cleared, 1U);
  EXPECT_TRUE(book_.end_users().by_level().empty());
}

TEST_F(CaseBookTest, AnHonestRelayIsObservedThenAskedAndNothingElse) {
  finding_.kind = detect::LinkKind::handoff;
  finding_.harvest.log10_e = -1;  // below any threshold
  std::map<event::Token, Level> highest;
  for (std::int64_t hour = 1; hour < 24 * 20; ++hour) {
    for (const Verdict& verdict : apply(kStart + hour * base::kHourUs)) {
      if (verdict.kind != SubjectKind::account) continue;
      EXPECT_LE(verdict.level, Level::notice);
      if (verdict.level > highest[verdict.subject]) {
        highest[verdict.subject] = verdict.level;
        EXPECT_EQ(verdict.level == Level::notice, hour >= 72) << hour;
      }
      if (verdict.level != Level::notice) continue;
      EXPECT_EQ(verdict.rule, "campaign.reseller");
      EXPECT_NE(verdict.reasons.back().text.find("declare resale"), std::string::npos);
    }
  }
  EXPECT_EQ(highest.size(), 10U);
  for (const auto& [account, level] : highest) EXPECT_EQ(level, Level::notice) << account;
}

TEST_F(CaseBookTest, ARelayThatPassesItsEndUsersIsNotEvenAsked) {
  finding_.kind = detect::LinkKind::handoff;
  finding_.harvest.log10_e = -1;  // below any threshold
  for (auto& one : finding_.members) make_service(one);
  for (std::int64_t hour = 1; hour < 24 * 10; ++hour)
    EXPECT_TRUE(on(apply(kStart + hour * base::kHourUs), SubjectKind::account, Level::notice).empty());
}

TEST_F(CaseBookTest, SavedAndLoadedItGoesOnAlike) {
  make_service(finding_.members[0]);
  apply(kStart);
  base::ByteWriter out;
  book_.save(out);
  const std::string bytes = out.take();
  CaseBook other{policy::Settings{}};
  base::ByteReader in(bytes);
  ASSERT_TRUE(other.load(in));
  EXPECT_EQ(other.end_users().by_level(), book_.end_users().by_level());
  finding_.members.clear();  // everything expires
  const auto here = apply(kStart + 9 * base::kDayUs);
  std::swap(book_, other);
  const auto there = apply(kStart + 9 * base::kDayUs);
  ASSERT_EQ(here.size(), there.size());
  ASSERT_GE(here.size(), 11U);
  const auto line = [&](const Verdict& verdict) {
    return event::to_json(verdict, "p", [this](event::Token token) { return open(token); });
  };
  for (std::size_t i = 0; i < here.size(); ++i) EXPECT_EQ(line(here[i]), line(there[i]));
}

}  // namespace
}  // namespace stillwatch::engine
