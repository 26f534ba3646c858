#include "policy/policy.h"

#include <gtest/gtest.h>

namespace stillwatch::policy {
namespace {

using event::Channel;
using event::Class;
using event::Level;

GroupEvidence evidence(double operator_log10_e, double harvest_log10_e, bool handed_off = false) {
  return {operator_log10_e, harvest_log10_e, 4, handed_off, true};
}

MemberEvidence member(std::initializer_list<Channel> channels, bool stands = true) {
  MemberEvidence out{{}, stands, 0, false};
  for (const Channel channel : channels) out.channels.add(channel);
  return out;
}

TEST(Policy, TwoQuestionsAreKeptApart) {
  EXPECT_EQ(classify(evidence(5, 5)), Class::distiller);
  EXPECT_EQ(classify(evidence(5, 1)), Class::unknown);
  EXPECT_EQ(classify(evidence(5, 1, true)), Class::reseller);
  EXPECT_EQ(classify(evidence(1, 5)), Class::automation);
  EXPECT_EQ(classify(evidence(1, 1, true)), Class::unknown);
  GroupEvidence early = evidence(9, 9);
  early.testable = false;
  EXPECT_EQ(classify(early), Class::unknown);
  early.handed_off = true;
  EXPECT_EQ(classify(early), Class::reseller) << "one operator shows before harvest can be tested";
}

TEST(Policy, OnlyStandingMembersOfDistillersAreActioned) {
  const Settings settings;
  const auto two = member({Channel::template_, Channel::handoff});
  EXPECT_EQ(decide(Class::distiller, evidence(5, 5), two, false, settings).level, Level::verify);
  EXPECT_EQ(decide(Class::reseller, evidence(9, 9), two, false, settings).level, Level::observe);
  EXPECT_EQ(decide(Class::automation, evidence(9, 9), two, false, settings).level, Level::observe);
  EXPECT_EQ(decide(Class::distiller, evidence(9, 9), two, true, settings).level, Level::observe) << "declared use";
  EXPECT_EQ(
      decide(Class::distiller, evidence(9, 9), member({Channel::template_, Channel::handoff}, false), false, settings)
          .level,
      Level::observe);
  EXPECT_EQ(
      decide(Class::distiller, evidence(9, 9), member({Channel::template_, Channel::prompt}), false, settings).level,
      Level::observe)
      << "two channels of one group are one";
}

// What an honest relay gets instead of a ban: it is observed, then asked, and never more, whatever the evidence.
TEST(Policy, AResellerIsAskedAndNeverRefused) {
  const Settings settings;
  auto relay = member({Channel::template_, Channel::handoff, Channel::payment});
  const auto level = [&](bool declared = false) {
    return decide(Class::reseller, evidence(40, 40, true), relay, declared, settings).level;
  };
  EXPECT_EQ(level(), Level::observe) << "first it is only observed";
  relay.observed_us = settings.notice_after_us - 1;
  EXPECT_EQ(level(), Level::observe);
  relay.observed_us = settings.notice_after_us;
  EXPECT_EQ(level(), Level::notice);
  EXPECT_EQ(level(true), Level::observe) << "resale was declared";
  relay.passes_end_users = true;
  EXPECT_EQ(level(), Level::observe) << "it says for whom it sends";
  relay.passes_end_users = false;
  relay.observed_us = INT64_MAX;
  const Decision decision = decide(Class::reseller, evidence(300, 300, true), relay, false, settings);
  EXPECT_EQ(decision.level, Level::notice) << "never above";
  EXPECT_STREQ(decision.rule, "campaign.reseller");
  EXPECT_TRUE(asks_to_declare(decision));
  EXPECT_FALSE(asks_to_declare({Level::observe, Class::reseller, ""}));
}

TEST(Policy, LadderRisesWithEvidenceAndNeverSuspends) {
  Settings settings;
  const auto two = member({Channel::template_, Channel::client});
  Level before = Level::clear;
  for (int halves = 8; halves < 80; ++halves) {
    const double log10_e = halves / 2.0;
    const Level level = decide(Class::distiller, evidence(log10_e, log10_e), two, false, settings).level;
    EXPECT_GE(level, before);
    EXPECT_LE(level, Level::restrict);
    before = level;
  }
  EXPECT_EQ(before, Level::restrict);
  settings.automatic_level_max = Level::suspend;
  EXPECT_EQ(decide(Class::distiller, evidence(40, 40), two, false, settings).level, Level::restrict)
      << "suspend needs a human";
}

TEST(Policy, WatchedGroupIsObservedUntilItCanBeTested) {
  const Settings settings;
  GroupEvidence young = evidence(5, 0);
  young.testable = false;
  const auto two = member({Channel::template_, Channel::handoff});
  EXPECT_EQ(decide(Class::unknown, young, two, false, settings).level, Level::clear);
  young.watched = true;
  EXPECT_EQ(classify(young), Class::unknown) << "a look, no finding";
  const Decision decision = decide(Class::unknown, young, two, false, settings);
  EXPECT_EQ(decision.level, Level::observe);
  EXPECT_EQ(decision.class_, Class::unknown);
  EXPECT_STREQ(decision.rule, "campaign.watched");
  young.operator_log10_e = 300;
  young.harvest_log10_e = 300;
  EXPECT_EQ(decide(Class::unknown, young, two, false, settings).level, Level::observe) << "never more";
  EXPECT_EQ(decide(Class::unknown, young, two, true, settings).level, Level::clear) << "a declared use";
  young.operator_log10_e = young.threshold_log10_e - 0.1;
  EXPECT_EQ(decide(Class::unknown, young, two, false, settings).level, Level::clear) << "no one operator";
}

TEST(Policy, DeclaredUseIsAutomation) {
  const auto two = member({Channel::template_, Channel::handoff});
  const Decision decision = decide(Class::distiller, evidence(300, 300), two, true, Settings{});
  EXPECT_EQ(decision.level, Level::observe);
  EXPECT_EQ(decision.class_, Class::automation) << "what a contract allows is nobody's distillation";
  EXPECT_STREQ(decision.rule, "declared.use");
}

TEST(Policy, DeclaredUseHasBounds) {
  const event::DeclaredUse use{event::Purpose::synthetic_data, 100, 200};
  EXPECT_FALSE(is_declared({&use, 1}, 99));
  EXPECT_TRUE(is_declared({&use, 1}, 100));
  EXPECT_TRUE(is_declared({&use, 1}, 199));
  EXPECT_FALSE(is_declared({&use, 1}, 200));
  EXPECT_FALSE(is_declared({}, 100));
}

}  // namespace
}  // namespace stillwatch::policy
