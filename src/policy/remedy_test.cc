#include "policy/remedy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "base/event_time.h"
#include "base/random.h"
#include "policy/remedy_text.h"

namespace stillwatch::policy {
namespace {

using event::Level;
using event::Verification;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kNow = 1'776'845'730'000'000;  // 2026-04-22T08:15:30Z
constexpr std::array kLevels{Level::clear,    Level::observe,  Level::notice, Level::verify,
                             Level::throttle, Level::restrict, Level::suspend};
constexpr std::array kRemedies{Action::notice, Action::verify, Action::throttle, Action::restrict, Action::suspend};

Standing standing(Level level, std::int64_t expires_us = kNow + base::kDayUs) {
  return {level, event::Class::distiller, false, 12, expires_us, "campaign.member"};
}
Override word(Level level, std::int64_t until_us = kNow + base::kDayUs) {
  return {"acct_1", "", level, kNow - 1, until_us, "anna", "looked at it"};
}
RemedyRequest request_of(Level account, Level end_user = Level::clear) {
  RemedyRequest request;
  request.account = 100;
  request.end_user = 200;
  request.account_standing = standing(account);
  request.end_user_standing = standing(end_user);
  request.now_us = kNow;
  return request;
}
RemedyRequest verified(RemedyRequest request) {
  request.verification = event::Verification::id;
  return request;
}
RemedySettings settings_with_addresses() {
  RemedySettings settings;
  settings.verify_address = "https://example.org/verify";
  settings.appeal_address = "https://example.org/appeal";
  return settings;
}
void all_on(DrySwitches& switches) {
  switches.set_master(false);
  for (const Action action : kRemedies) switches.set(action, false);
}

TEST(Remedy, EachLevelHasItsOwn) {
  DrySwitches on;
  all_on(on);
  const RemedySettings settings;
  const std::array<std::uint16_t, 7> statuses{0, 0, 0, 403, 0, 0, 403};
  for (const Level level : kLevels) {
    // Who was asked to verify has done so before a throttle or a restriction is felt.
    const bool behind_verify = level == Level::throttle || level == Level::restrict;
    const RemedyRequest request = behind_verify ? verified(request_of(level)) : request_of(level);
    const Remedy remedy = decide_remedy(request, settings, on);
    EXPECT_EQ(remedy.action, action_of(level));
    EXPECT_EQ(remedy.status(), statuses[static_cast<std::size_t>(level)]);
    EXPECT_EQ(remedy.enforced(), level >= Level::notice);
    EXPECT_EQ(remedy.requests_per_minute, level == Level::throttle ? settings.throttle_requests_per_minute : 0);
    EXPECT_EQ(remedy.edits == settings.restrict_edits, level == Level::restrict);
  }
}

TEST(Remedy, DryRunIsTheDefaultAndTheMasterSwitchWorksAtOnce) {
  DrySwitches switches;
  const RemedySettings settings;
  EXPECT_TRUE(switches.master());
  Remedy remedy = decide_remedy(request_of(Level::suspend), settings, switches);
  EXPECT_TRUE(remedy.dry_run);
  EXPECT_EQ(remedy.action, Action::suspend);
  EXPECT_EQ(remedy.status(), 0);
  switches.set_master(false);
  EXPECT_TRUE(decide_remedy(request_of(Level::suspend), settings, switches).dry_run);  // its own switch is still dry
  switches.set(Action::suspend, false);
  EXPECT_EQ(decide_remedy(request_of(Level::suspend), settings, switches).status(), 403);
  switches.set_master(true);
  EXPECT_EQ(decide_remedy(request_of(Level::suspend), settings, switches).status(), 0);
  switches.set_master(false);
  EXPECT_FALSE(switches.is_dry(Action::suspend));  // the switch of each is as it was
}

TEST(Remedy, AVerdictGivenInDryRunIsNotEnforced) {
  DrySwitches on;
  all_on(on);
  RemedyRequest request = request_of(Level::suspend);
  request.account_standing.dry_run = true;
  const Remedy remedy = decide_remedy(request, {}, on);
  EXPECT_TRUE(remedy.dry_run);
  EXPECT_FALSE(remedy.refuses());
}

TEST(Remedy, ALevelThatRisesFreesNobody) {
  DrySwitches switches;
  switches.set_master(false);
  switches.set(Action::throttle, false);
  const Remedy remedy = decide_remedy(request_of(Level::restrict), {}, switches);
  EXPECT_EQ(remedy.action, Action::throttle);
  EXPECT_TRUE(remedy.enforced());
  EXPECT_EQ(remedy.level, Level::restrict);
  // Nothing below it is on: named as what it would be.
  EXPECT_EQ(decide_remedy(request_of(Level::verify), {}, switches).action, Action::verify);
  EXPECT_TRUE(decide_remedy(request_of(Level::verify), {}, switches).dry_run);
}

// A campaign at 26 requests a day does not feel two a minute: refused at `verify`, it must not be let in at `throttle`.
TEST(Remedy, ARefusalHoldsUntilTheCustomerHasVerified) {
  DrySwitches on;
  all_on(on);
  for (const Level level : {Level::throttle, Level::restrict}) {
    const Remedy remedy = decide_remedy(request_of(level), {}, on);
    EXPECT_EQ(remedy.action, Action::verify);
    EXPECT_EQ(remedy.level, level) << "it is said at which level the subject stands";
    EXPECT_TRUE(remedy.refuses());
    EXPECT_EQ(decide_remedy(verified(request_of(level)), {}, on).action, action_of(level));
  }
  on.set(Action::verify, true);
  EXPECT_EQ(decide_remedy(request_of(Level::throttle), {}, on).action, Action::throttle) << "verify is dry";
}

TEST(Remedy, WhoIsVerifiedIsNotAskedTo) {
  DrySwitches on;
  all_on(on);
  RemedyRequest request = request_of(Level::verify);
  request.verification = Verification::card;
  EXPECT_EQ(decide_remedy(request, {}, on).action, Action::verify);
  request.verification = Verification::id;
  EXPECT_EQ(decide_remedy(request, {}, on).action, Action::notice);
  const Override verify = word(Level::verify);
  request.account_override = &verify;
  EXPECT_EQ(decide_remedy(request, {}, on).action, Action::notice);
}

TEST(Remedy, LevelsEndByThemselves) {
  DrySwitches on;
  all_on(on);
  RemedyRequest request = request_of(Level::suspend);
  request.account_standing.expires_us = kNow + 1;
  EXPECT_TRUE(decide_remedy(request, {}, on).refuses());
  request.now_us = kNow + 1;
  const Remedy over = decide_remedy(request, {}, on);
  EXPECT_EQ(over.action, Action::none);
  EXPECT_EQ(over.level, Level::clear);
  const Override ended = word(Level::suspend, kNow + 1);
  request.account_override = &ended;
  EXPECT_EQ(decide_remedy(request, {}, on).action, Action::none);
}

TEST(Remedy, AllowListThenOverrideThenDeclaredUseThenStanding) {
  DrySwitches on;
  all_on(on);
  const event::DeclaredUse use{event::Purpose::evaluation, kNow - 1, kNow + 1};
  const Override suspend = word(Level::suspend), clear = word(Level::clear);
  RemedyRequest request = request_of(Level::restrict);
  EXPECT_EQ(decide_remedy(request, {}, on).basis, Basis::standing);
  request.declared = {&use, 1};
  Remedy remedy = decide_remedy(request, {}, on);
  EXPECT_EQ(remedy.basis, Basis::declared_use);
  EXPECT_EQ(remedy.action, Action::none);
  EXPECT_EQ(remedy.level, Level::observe);
  request.account_override = &suspend;
  remedy = decide_remedy(request, {}, on);
  EXPECT_EQ(remedy.basis, Basis::override_);
  EXPECT_EQ(remedy.rule, "override");
  EXPECT_EQ(remedy.status(), 403);
  request.allow_listed = true;
  remedy = decide_remedy(request, {}, on);
  EXPECT_EQ(remedy.basis, Basis::allow_list);
  EXPECT_EQ(remedy.action, Action::none);
  request = request_of(Level::suspend);
  request.account_override = &clear;
  EXPECT_EQ(decide_remedy(request, {}, on).action, Action::none);
}

TEST(Remedy, WhatAPersonDecidedOnlyTheMasterSwitchKeepsDry) {
  DrySwitches switches;
  const Override suspend = word(Level::suspend);
  RemedyRequest request = request_of(Level::clear);
  request.account_override = &suspend;
  EXPECT_FALSE(decide_remedy(request, {}, switches).refuses());
  switches.set_master(false);
  EXPECT_TRUE(decide_remedy(request, {}, switches).refuses());
}

TEST(Remedy, TheStrongerOfAccountAndEndUserIsNamed) {
  DrySwitches on;
  all_on(on);
  for (const Level account : kLevels) {
    for (const Level end_user : kLevels) {
      const Remedy remedy = decide_remedy(request_of(account, end_user), {}, on);
      EXPECT_EQ(remedy.level, std::max(account, end_user));
      EXPECT_EQ(remedy.scope, end_user > account ? Scope::end_user : Scope::account);
      EXPECT_EQ(remedy.subject, end_user > account ? 200U : 100U);
    }
  }
  // One in dry run does not hide another that is enforced.
  RemedyRequest request = request_of(Level::throttle, Level::suspend);
  request.end_user_standing.dry_run = true;
  EXPECT_EQ(decide_remedy(verified(request), {}, on).action, Action::throttle);
}

TEST(Remedy, APersonsWordIsAboutTheSubjectItNames) {
  DrySwitches on;
  all_on(on);
  const Override clear = word(Level::clear), throttle = word(Level::throttle);
  RemedyRequest request = request_of(Level::suspend, Level::suspend);
  request.end_user_override = &clear;
  EXPECT_EQ(decide_remedy(request, {}, on).action, Action::none);
  request.end_user_override = nullptr;
  request.account_override = &clear;
  EXPECT_EQ(decide_remedy(request, {}, on).action, Action::none);
  request.end_user_override = &throttle;
  const Remedy both = decide_remedy(request, {}, on);
  EXPECT_EQ(both.action, Action::throttle);
  EXPECT_EQ(both.scope, Scope::end_user);
}

// Any state at random: the promises of the header hold.
TEST(Remedy, PromisesHold) {
  base::Random random(11);
  const auto any_level = [&] { return kLevels[random.below(kLevels.size())]; };
  const auto any_time = [&] { return kNow + static_cast<std::int64_t>(random.below(3)) - 1; };
  int enforced = 0;
  for (int i = 0; i < 200'000; ++i) {
    DrySwitches switches;
    switches.set_master(random.chance(0.3));
    for (const Action action : kRemedies) switches.set(action, random.chance(0.4));
    RemedyRequest request = request_of(any_level(), any_level());
    request.account_standing.expires_us = any_time();
    request.end_user_standing.expires_us = any_time();
    request.account_standing.dry_run = random.chance(0.3);
    if (random.chance(0.3)) request.end_user = 0;
    const Override account_word = word(any_level(), any_time()), end_user_word = word(any_level(), any_time());
    if (random.chance(0.2)) request.account_override = &account_word;
    if (random.chance(0.2)) request.end_user_override = &end_user_word;
    const event::DeclaredUse use{event::Purpose::batch, any_time(), any_time()};
    if (random.chance(0.3)) request.declared = {&use, 1};
    request.allow_listed = random.chance(0.1);
    request.verification = static_cast<Verification>(random.below(6));
    const Remedy remedy = decide_remedy(request, {}, switches);
    if (remedy.enforced()) {
      ++enforced;
      ASSERT_FALSE(switches.master());
      ASSERT_FALSE(request.allow_listed);
      ASSERT_GT(remedy.expires_us, kNow);
      ASSERT_FALSE(remedy.rule.empty());
      ASSERT_NE(remedy.subject, 0U);
      ASSERT_TRUE(remedy.basis == Basis::standing || remedy.basis == Basis::override_);
      ASSERT_TRUE(remedy.basis == Basis::override_ || !switches.is_dry(remedy.action));
      ASSERT_FALSE(remedy.action == Action::verify && request.verification >= Verification::id);
      ASSERT_LE(remedy.action, action_of(remedy.level));
    }
    ASSERT_TRUE(remedy.dry_run || remedy.enforced() || remedy.action == Action::none);
    ASSERT_FALSE(request.end_user == 0 && remedy.scope == Scope::end_user);
  }
  EXPECT_GT(enforced, 10'000);
}

std::string value_of(const FieldList& fields, std::string_view name) {
  for (const Field& field : fields) {
    if (field.name == name) return field.value;
  }
  return "(none)";
}

TEST(RemedyText, AResponseNamesWhatIsDone) {
  DrySwitches on;
  all_on(on);
  const RemedySettings settings = settings_with_addresses();
  FieldList fields;
  add_remedy_fields(fields, decide_remedy(verified(request_of(Level::restrict)), settings, on), settings);
  EXPECT_THAT(fields, ElementsAre(Field{"stillwatch-level", "restrict"}, Field{"stillwatch-rule", "campaign.member"},
                                  Field{"stillwatch-scope", "account"}, Field{"stillwatch-case", case_id(12, 100)},
                                  Field{"stillwatch-expires", "2026-04-23T08:15:30Z"},
                                  Field{"stillwatch-appeal", "https://example.org/appeal"},
                                  Field{"stillwatch-restricted", "strip_logprobs, clamp_n, remove_reasoning"}));
}

TEST(RemedyText, DryRunSaysNothingUnlessAsked) {
  const DrySwitches dry;
  RemedySettings settings = settings_with_addresses();
  const Remedy remedy = decide_remedy(request_of(Level::throttle), settings, dry);
  FieldList fields;
  add_remedy_fields(fields, remedy, settings);
  EXPECT_TRUE(fields.empty());
  settings.show_dry_run = true;
  add_remedy_fields(fields, remedy, settings);
  EXPECT_EQ(value_of(fields, "stillwatch-dry-run"), "throttle");
}

TEST(RemedyText, CaseIdsTellSubjectsApartAndHideTheirTokens) {
  EXPECT_EQ(case_id(12, 100), case_id(12, 100));
  EXPECT_NE(case_id(12, 100), case_id(12, 101));
  EXPECT_EQ(case_id(12, 100).substr(0, 9), "c-000012-");
  EXPECT_EQ(case_id(12, 0x0123456789ABCDEF).find("89abcdef"), std::string::npos);
}

TEST(RemedyText, RefusalsSayWhyUntilWhenAndHowToObject) {
  DrySwitches on;
  all_on(on);
  const RemedySettings settings = settings_with_addresses();
  const Refusal verify = refusal_of(decide_remedy(request_of(Level::verify), settings, on), settings);
  EXPECT_EQ(verify.code, "verification_required");
  EXPECT_THAT(verify.message, HasSubstr("https://example.org/verify"));
  EXPECT_THAT(verify.message, HasSubstr("https://example.org/appeal"));
  const RenderedRefusal rendered = render(verify, ErrorDialect::openai, "req_1");
  EXPECT_EQ(rendered.status, 403);
  EXPECT_THAT(rendered.body, HasSubstr(R"("stillwatch":{"level":"verify","rule":"campaign.member","scope":"account")"));
  EXPECT_THAT(rendered.body, HasSubstr(R"("expires":"2026-04-23T08:15:30Z","verify":"https://example.org/verify")"));
  const Refusal suspend = refusal_of(decide_remedy(request_of(Level::clear, Level::suspend), settings, on), settings);
  EXPECT_EQ(suspend.code, "suspended");
  EXPECT_THAT(suspend.message, HasSubstr("this end user"));
  const Remedy throttle = decide_remedy(verified(request_of(Level::throttle)), settings, on);
  EXPECT_EQ(throttle_limits(throttle).requests_per_minute, 2U);
  EXPECT_TRUE(throttle_limits(decide_remedy(request_of(Level::throttle), settings, DrySwitches())).none());
  const Refusal slowed = throttled(throttle, settings, 12'300'000);
  EXPECT_THAT(slowed.message, HasSubstr("are limited to 2 a minute until"));
  RemedySettings by_day = settings;
  by_day.throttle_requests_per_day = 5;
  const Remedy daily = decide_remedy(verified(request_of(Level::throttle)), by_day, on);
  EXPECT_EQ(throttle_limits(daily).requests_per_day, 5U);
  EXPECT_THAT(throttled(daily, by_day, 1).message, HasSubstr("are limited to 2 a minute and 5 a day until"));
  EXPECT_EQ(render(slowed, ErrorDialect::anthropic, "").status, 429);
  EXPECT_EQ(value_of(render(slowed, ErrorDialect::anthropic, "").fields, "retry-after"), "13");
}

}  // namespace
}  // namespace stillwatch::policy
