// What `simulate` says of honest accounts arrives in the figures of `evaluate`.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/folder_fixture.h"
#include "quality/evaluation.h"
#include "sim/simulate.h"

namespace stillwatch::app {
namespace {

const quality::ErrorResult* named(const std::vector<quality::ErrorResult>& all, std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  return at == all.end() ? nullptr : &*at;
}

TEST(SimulatedTruth, UnitsAndLanguagesReachTheEvaluation) {
  const base::test::Folder folder;
  const auto world = sim::parse_world(
      "[world]\ndays = 1\n[benign.chat_single]\naccounts = 30\n[benign.saas_tenant]\naccounts = 40\ngroups = 4\n"
      "late_share = 0\n[benign.minority_language]\naccounts = 40\n[campaign.a]\naccounts = 5\nstart_day = 0.1\n",
      "test.toml");
  ASSERT_TRUE(world) << world.error().message;
  sim::SimulateOptions options;
  options.world = *world;
  options.out = folder.path();
  ASSERT_TRUE(sim::simulate(options));
  const auto truth = quality::read_truth(folder.path());
  ASSERT_TRUE(truth) << truth.error().message;
  quality::Detector silent;
  silent.name = "silent";
  const auto evaluation = quality::evaluate(*truth, {silent});
  ASSERT_TRUE(evaluation) << evaluation.error().message;
  const quality::Scores& scores = evaluation->detectors.front();
  // Members of a vendor err together; people alone are their own unit.
  const quality::ErrorResult* tenants = named(scores.strata, "saas_tenant");
  ASSERT_NE(tenants, nullptr);
  EXPECT_EQ(tenants->accounts, 40U);
  EXPECT_EQ(tenants->units, 4U);
  const quality::ErrorResult* people = named(scores.strata, "chat_single");
  ASSERT_NE(people, nullptr);
  EXPECT_EQ(people->units, 30U);
  EXPECT_EQ(scores.benign.units, 30U + 4U + 40U);
  std::uint64_t with_language = 0;
  for (const quality::ErrorResult& language : scores.languages) {
    EXPECT_EQ(language.name.size(), 2U) << language.name;
    with_language += language.accounts;
  }
  EXPECT_EQ(with_language, 110U);
  const quality::ErrorResult* welsh = named(scores.languages, "cy");
  ASSERT_NE(welsh, nullptr);
  EXPECT_GT(welsh->accounts, 0U);
  EXPECT_LT(welsh->accounts, 40U);
  const std::string table = quality::evaluation_table(*evaluation);
  EXPECT_NE(table.find("cy"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::app
