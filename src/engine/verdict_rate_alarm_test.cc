#include "engine/verdict_rate_alarm.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace stillwatch::engine {
namespace {

using event::Alarm;
using event::AlarmKey;
using event::Language;
using event::Token;

constexpr std::int64_t kStart = 1'775'001'600'000'000;  // a midnight
constexpr Token kOldVersion = 0x1111'0000'0000'0001, kNewVersion = 0x2222'0000'0000'0002;

/// Ten thousand accounts: a third on the new version, one in ten Korean, two in three trusted.
class VerdictRateAlarmTest : public ::testing::Test {
 protected:
  static constexpr Token kAccounts = 9'000;

  AccountKind kind_of(Token account) const {
    AccountKind kind;
    kind.version = static_cast<std::uint32_t>((account % 3 == 0 ? kNewVersion : kOldVersion) >> 32);
    kind.tier = 7 + account % 2;
    kind.verification = account % 5 < 3 ? event::Verification::card : event::Verification::email;
    kind.language = account / 3 % 10 == 0 ? Language::ko : Language::en;
    kind.trusted = account / 7 % 3 != 0;
    kind.first_us = kStart;
    if (account >= kAccounts) kind.trusted = false, kind.version = 0x3333'0000;  // a campaign's own, fresh
    return kind;
  }
  void judge(std::int64_t now_us, const std::vector<NewlyActioned>& candidates = {}) {
    alarm_.note_version(kOldVersion);
    alarm_.note_version(kNewVersion);
    alarm_.judge(
        now_us, candidates, [&](Token account) { return kind_of(account); },
        [&](const std::function<void(const AccountKind&)>& each) {
          for (Token account = 0; account < kAccounts; ++account) each(kind_of(account));
        });
  }
  /// Ten quiet days.
  std::int64_t quiet_days() {
    for (int day = 0; day < 10; ++day) judge(kStart + day * base::kDayUs + base::kHourUs);
    EXPECT_TRUE(alarm_.alarms().empty());
    return kStart + 10 * base::kDayUs + base::kHourUs;
  }
  template <class Pick>
  std::vector<NewlyActioned> some(std::size_t count, const Pick& pick, std::uint32_t group = 1) const {
    std::vector<NewlyActioned> list;
    for (Token account = 0; list.size() < count; ++account) {
      if (pick(account)) list.push_back({account, group, "campaign.member", formed_us_});
    }
    return list;
  }

  std::int64_t formed_us_ = kStart + 9 * base::kDayUs;
  policy::Settings settings_;
  VerdictRateAlarm alarm_{settings_};
};

// A provider's own release puts a text into all prompts: everybody on it looks like one campaign.
TEST_F(VerdictRateAlarmTest, AClientReleaseIsAlarmedAndHeldForATime) {
  const std::int64_t now_us = quiet_days();
  judge(now_us, some(60, [](Token account) { return account % 3 == 0; }));
  ASSERT_EQ(alarm_.alarms().size(), 1U);
  const Alarm& alarm = alarm_.alarms()[0];
  EXPECT_EQ(alarm.key, AlarmKey::client_version);
  EXPECT_EQ(alarm.value, kNewVersion);
  EXPECT_EQ(alarm.time_us, now_us);
  EXPECT_EQ(alarm.accounts, 3'000U);
  EXPECT_EQ(alarm.actioned, 60U);
  EXPECT_EQ(alarm.others_accounts, 6'000U);
  EXPECT_EQ(alarm.others_actioned, 0U);
  EXPECT_NEAR(alarm.expected, 20, 0.01);
  EXPECT_LT(alarm.log10_p, -20);
  EXPECT_EQ(alarm.held_until_us, now_us + settings_.alarm_hold_us);
  EXPECT_TRUE(alarm_.holds(kind_of(3), now_us));
  EXPECT_FALSE(alarm_.holds(kind_of(4), now_us)) << "another version";
  EXPECT_FALSE(alarm_.holds(kind_of(3), now_us + settings_.alarm_hold_us)) << "nobody reviewed it in time";
}

TEST_F(VerdictRateAlarmTest, FreshAccountsOfACampaignAreNamedButNeverSheltered) {
  const std::int64_t now_us = quiet_days();
  judge(now_us, some(60, [](Token account) { return account >= kAccounts; }));
  ASSERT_GE(alarm_.alarms().size(), 1U);
  for (const Alarm& alarm : alarm_.alarms()) EXPECT_EQ(alarm.held_until_us, 0) << name(alarm.key);
  EXPECT_EQ(alarm_.alarms()[0].key, AlarmKey::client_version);
  EXPECT_EQ(alarm_.alarms()[0].value_name, "#33330000") << "its name was never seen";
  EXPECT_FALSE(alarm_.holds(kind_of(kAccounts), now_us));
}

// Bought accounts are old and verified, and begin with the work.
TEST_F(VerdictRateAlarmTest, OldAccountsWithoutALifeBeforeAreNotSheltered) {
  formed_us_ = kStart + 6 * base::kDayUs;
  const std::int64_t now_us = quiet_days();
  judge(now_us, some(60, [](Token account) { return account % 3 == 0; }));
  ASSERT_EQ(alarm_.alarms().size(), 1U);
  EXPECT_EQ(alarm_.alarms()[0].actioned_established, 0U);
  EXPECT_EQ(alarm_.alarms()[0].held_until_us, 0);
}

TEST_F(VerdictRateAlarmTest, TheSettingTurnsHoldsOff) {
  settings_.alarm_dry_run = false;
  alarm_ = VerdictRateAlarm(settings_);
  const std::int64_t now_us = quiet_days();
  judge(now_us, some(60, [](Token account) { return account % 3 == 0; }));
  ASSERT_EQ(alarm_.alarms().size(), 1U);
  EXPECT_EQ(alarm_.alarms()[0].held_until_us, 0);
}

TEST_F(VerdictRateAlarmTest, VerdictsSpreadOverAllKindsRaiseNothing) {
  base::Random random(1);
  const std::int64_t now_us = quiet_days();
  std::vector<NewlyActioned> list;
  for (std::uint32_t i = 0; i < 90; ++i)
    list.push_back({random.below(kAccounts), 1 + i % 2, "campaign.member", kStart});
  judge(now_us, list);
  EXPECT_TRUE(alarm_.alarms().empty());
}

// Accounts of one campaign share a language, as its author does. Only several campaigns at once say something.
TEST_F(VerdictRateAlarmTest, ALanguageIsComparedByCampaigns) {
  const std::int64_t now_us = quiet_days();
  const auto korean = [](Token account) { return account / 3 % 10 == 0; };
  judge(now_us, some(60, korean));
  for (const Alarm& alarm : alarm_.alarms()) EXPECT_NE(alarm.key, AlarmKey::language);
  alarm_ = VerdictRateAlarm(settings_);
  quiet_days();
  auto list = some(60, korean);
  for (std::size_t i = 0; i < list.size(); ++i) list[i].group = static_cast<std::uint32_t>(1 + i / 6);
  judge(now_us, list);
  bool found = false;
  for (const Alarm& alarm : alarm_.alarms()) {
    if (alarm.key != AlarmKey::language) continue;
    found = true;
    EXPECT_EQ(alarm.value_name, "ko");
    EXPECT_EQ(alarm.actioned, 60U);
    EXPECT_NE(alarm.held_until_us, 0);
  }
  EXPECT_TRUE(found);
}

TEST_F(VerdictRateAlarmTest, ARuleIsComparedWithItsOwnPast) {
  std::int64_t now_us = quiet_days();
  auto list = some(300, [](Token account) { return account % 11 == 0; });
  for (std::size_t i = 0; i < list.size(); ++i) list[i].group = static_cast<std::uint32_t>(1 + i / 5);
  judge(now_us, list);
  ASSERT_EQ(alarm_.alarms().size(), 1U);
  EXPECT_EQ(alarm_.alarms()[0].key, AlarmKey::rule);
  EXPECT_EQ(alarm_.alarms()[0].value_name, "campaign.member");
  EXPECT_EQ(alarm_.alarms()[0].held_until_us, 0) << "a rule as a whole is not held by an alarm";
}

TEST_F(VerdictRateAlarmTest, OneAlarmAKindAndOneCountAnAccountInAWeek) {
  std::int64_t now_us = quiet_days();
  const auto list = some(60, [](Token account) { return account % 3 == 0; });
  for (int hour = 0; hour < 24 * 6; ++hour) judge(now_us + hour * base::kHourUs, list);
  EXPECT_EQ(alarm_.alarms().size(), 1U) << "held accounts come again every epoch";
}

TEST_F(VerdictRateAlarmTest, AFloodOfVersionsIsBounded) {
  for (int day = 0; day < 3; ++day) {
    for (Token i = 1; i < 100'000; ++i) alarm_.note_version(i << 33 | 1);
    alarm_.judge(
        kStart + day * base::kDayUs, {}, [](Token) { return AccountKind{}; },
        [&](const std::function<void(const AccountKind&)>& each) {
          for (std::uint32_t i = 1; i < 100'000; ++i) each({i << 1, 0, {}, {}, false, 0});
        });
  }
  base::ByteWriter out;
  alarm_.save(out);
  EXPECT_LT(out.bytes().size(), 1'000'000U);
}

TEST_F(VerdictRateAlarmTest, SavedAndLoadedItGoesOnAlike) {
  const std::int64_t now_us = quiet_days();
  judge(now_us, some(30, [](Token account) { return account % 3 == 0; }));
  base::ByteWriter out;
  alarm_.save(out);
  const std::string bytes = out.take();
  VerdictRateAlarm other(settings_);
  base::ByteReader in(bytes);
  ASSERT_TRUE(other.load(in));
  EXPECT_TRUE(in.at_end());
  const auto lines = [&] {
    for (int day = 1; day < 12; ++day)
      judge(now_us + day * base::kDayUs,
            some(
                100 + 20 * static_cast<std::size_t>(day), [&](Token account) { return account % 3 == 0; }, 2));
    std::vector<std::string> out_lines;
    for (const Alarm& alarm : alarm_.alarms())
      out_lines.push_back(to_json(alarm, "p", [](Token token) { return token == kNewVersion ? "client/2" : ""; }));
    return out_lines;
  };
  const auto expected = lines();
  EXPECT_GE(expected.size(), 2U);
  EXPECT_NE(expected[0].find(R"("key":{"kind":"client_version","id":"client/2"})"), std::string::npos) << expected[0];
  alarm_ = other;
  EXPECT_EQ(lines(), expected);
  base::ByteReader cut(std::string_view(bytes).substr(0, bytes.size() / 2));
  EXPECT_FALSE(other.load(cut));
}

TEST(Alarm, GoldenLine) {
  Alarm alarm;
  alarm.time_us = kStart;
  alarm.key = AlarmKey::client_version;
  alarm.value = 1;
  alarm.accounts = 410;
  alarm.actioned = 59;
  alarm.actioned_established = 41;
  alarm.others_accounts = 20'000;
  alarm.others_actioned = 3;
  alarm.expected = 1.25;
  alarm.log10_p = -33.5;
  alarm.held_until_us = kStart + 3 * base::kDayUs;
  EXPECT_EQ(to_json(alarm, "sha256:9f", [](Token) { return "py\"client/1.2"; }),
            R"({"v":1,"time":"2026-04-01T00:00:00Z","kind":"verdict_rate","key":{"kind":"client_version",)"
            R"("id":"py\"client/1.2"},"accounts":410,"actioned":59,"actioned_established":41,"others_accounts":20000,)"
            R"("others_actioned":3,"expected":1.25,"log10_p":-33.5,"held_until":"2026-04-04T00:00:00Z",)"
            R"("policy":"sha256:9f","text":"Within a day 59 of 410 accounts that use this client version came to be )"
            R"(acted on, and 3 of 20000 others; 41 of the 59 are verified, long known, and were at work here before. )"
            R"(A change on the provider's )"
            R"(side, such as a new release of a client, can look like this. Further verdicts of this kind are held at )"
            R"(observe for a person to review until the time given."})");
}

}  // namespace
}  // namespace stillwatch::engine
