#include "policy/scope.h"

#include <gtest/gtest.h>

namespace stillwatch::policy {
namespace {

EndUserEvidence service() {
  EndUserEvidence evidence;
  evidence.hits = 100;
  evidence.hits_of_few = 97;
  evidence.others = 900;
  evidence.others_named = 880;
  evidence.others_distinct = 60;
  evidence.few_unknown = 1;
  return evidence;
}

TEST(Scope, OneHarvesterAmongManyCustomersIsNarrow) { EXPECT_TRUE(looks_narrow(service(), {})); }

// Each condition alone makes the account the scope.
TEST(Scope, ForgingHasToPayForEachCondition) {
  const Settings settings;
  auto evidence = service();
  evidence.hits_of_few = 89;
  EXPECT_FALSE(looks_narrow(evidence, settings)) << "the work is spread over made-up users, or over none";
  evidence = service();
  evidence.others = 250;
  evidence.others_named = 250;
  EXPECT_FALSE(looks_narrow(evidence, settings)) << "too little cover";
  evidence = service();
  evidence.others_distinct = 12;
  EXPECT_FALSE(looks_narrow(evidence, settings)) << "too few other users";
  evidence = service();
  evidence.others_named = 400;
  EXPECT_FALSE(looks_narrow(evidence, settings)) << "most requests name nobody";
  evidence = service();
  evidence.acted_on = 3;
  EXPECT_FALSE(looks_narrow(evidence, settings)) << "the fourth name in a month";
  evidence.few_unknown = 0;
  EXPECT_TRUE(looks_narrow(evidence, settings)) << "those known already are no new names";
  EXPECT_FALSE(looks_narrow({}, settings));
}

TEST(Scope, AHydraThatForgesEverywhereIsNotNarrowed) {
  EXPECT_TRUE(may_narrow({.members_standing = 10, .members_narrow = 1}));
  EXPECT_TRUE(may_narrow({.members_standing = 10, .members_narrow = 5}));
  EXPECT_FALSE(may_narrow({.members_standing = 10, .members_narrow = 6}));
  EXPECT_FALSE(may_narrow({.members_standing = 1, .members_narrow = 1}));
  EXPECT_FALSE(may_narrow({.handed_off = true, .members_standing = 10, .members_narrow = 1}))
      << "hand-offs: one operator runs the accounts";
  EXPECT_TRUE(may_narrow({.handed_off = true, .same_few = true, .members_standing = 10, .members_narrow = 10}))
      << "one customer of a reseller, on all its accounts";
}

TEST(Scope, PassingEndUsersMeansNearlyAlwaysAndSeveral) {
  EXPECT_TRUE(passes_end_users(100, 95, 30));
  EXPECT_FALSE(passes_end_users(100, 80, 30));
  EXPECT_FALSE(passes_end_users(100, 100, 1)) << "one made-up user for the whole account";
  EXPECT_FALSE(passes_end_users(0, 0, 0));
}

}  // namespace
}  // namespace stillwatch::policy
