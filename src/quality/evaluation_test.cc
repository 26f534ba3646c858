#include "quality/evaluation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quality/small_world.h"

namespace stillwatch::quality {
namespace {

class EvaluationTest : public ::testing::Test, protected SmallWorld {
 protected:
  Scores scores_of(const std::string& verdicts, double horizon_days = 30) {
    const auto truth = read_truth(folder());
    EXPECT_TRUE(truth) << truth.error().message;
    const auto detector = read_verdicts(write("verdicts.ndjson", verdicts), *truth);
    EXPECT_TRUE(detector) << detector.error().message;
    const auto evaluation = evaluate(*truth, {*detector}, {horizon_days});
    EXPECT_TRUE(evaluation) << evaluation.error().message;
    return evaluation->detectors.at(0);
  }
};

TEST_F(EvaluationTest, SilenceHurtsNobodyAndPreventsNothing) {
  const Scores scores = scores_of("");
  EXPECT_EQ(scores.overall.queries, 1200U);
  EXPECT_EQ(scores.overall.prevented_queries, 0U);
  EXPECT_FALSE(scores.overall.hours_to_first_alert);
  EXPECT_EQ(scores.benign.accounts, 100U);
  EXPECT_EQ(scores.actioned_benign, 0U);
  EXPECT_NEAR(scores.benign.actioned_upper_95, 1 - std::pow(0.05, 0.01), 1e-9);
  EXPECT_EQ(scores.true_campaigns, 2U);
  EXPECT_EQ(scores.true_found, 0U);
}

TEST_F(EvaluationTest, PreventedIsWhatComesAfterTheVerdict) {
  // h0 at 49.5 h: requests of hours 50-99 fall away. h1 exactly at hour 50: that request passes, 49 fall away.
  // h2 is only noticed. h3 is verified at 10.5 and cleared at 20.5: hours 11-20 fall away.
  const Scores scores = scores_of(line(10.5, "h3", "verify") + line(20.5, "h3", "clear") + line(5, "h2", "notice") +
                                  line(49.5, "h0", "restrict") + line(50, "h1", "verify"));
  EXPECT_EQ(scores.overall.prevented_queries, 50U + 49U + 10U);
  EXPECT_EQ(scores.overall.prevented_tokens, 10 * (50U + 49U + 10U));
  EXPECT_EQ(scores.actioned_hostile, 3U);
  EXPECT_EQ(scores.alerted_hostile, 4U);
  ASSERT_EQ(scores.families.size(), 2U);
  EXPECT_EQ(scores.families[0].name, "template_farm");
  EXPECT_EQ(scores.families[0].prevented_queries, 109U);
  EXPECT_EQ(scores.families[1].prevented_queries, 0U);
}

TEST_F(EvaluationTest, FirstAlertNeedsAMostlyHostileSet) {
  // c-1 begins with one hostile of two; the alert comes when 4 of 5 are.
  std::string verdicts = line(1, "b50", "observe", "c-1", "distiller") + line(2, "h0", "observe", "c-1", "distiller");
  verdicts += line(3, "h1", "observe", "c-1", "distiller") + line(4, "h2", "observe", "c-1", "distiller");
  verdicts += line(6, "h3", "observe", "c-1", "distiller");
  Scores scores = scores_of(verdicts);
  ASSERT_TRUE(scores.campaigns[0].hours_to_first_alert);
  EXPECT_EQ(*scores.campaigns[0].hours_to_first_alert, 6);
  EXPECT_FALSE(scores.campaigns[1].hours_to_first_alert);
  EXPECT_FALSE(scores.overall.hours_to_first_alert);  // one campaign was never alerted
  // When the innocent one is cleared first, three of three are enough.
  scores = scores_of(line(1, "b50", "observe", "c-1") + line(2, "b50", "clear") + line(3, "h1", "observe", "c-1"));
  EXPECT_EQ(*scores.campaigns[0].hours_to_first_alert, 3);
}

TEST_F(EvaluationTest, TimesToShareOfAccounts) {
  std::string verdicts;
  for (int i = 0; i < 9; ++i) verdicts += line(10 + i, fmt::format("h{}", i), "verify", "c-1");
  const Scores scores = scores_of(verdicts);
  EXPECT_EQ(*scores.campaigns[0].hours_to_half, 14);
  EXPECT_EQ(*scores.campaigns[0].hours_to_90, 18);
  EXPECT_FALSE(scores.campaigns[1].hours_to_half);
}

TEST_F(EvaluationTest, ErrorsByStratumUnitAndLanguage) {
  const Scores scores = scores_of(line(1, "b0", "verify") + line(2, "b0", "clear") + line(1, "b2", "suspend") +
                                  line(1, "b30", "observe"));
  EXPECT_EQ(scores.actioned_benign, 2U);
  EXPECT_EQ(scores.alerted_benign, 3U);
  ASSERT_EQ(scores.strata.size(), 2U);
  EXPECT_EQ(scores.strata[0].name, "chat_user");
  EXPECT_EQ(scores.strata[0].alerted, 1U);
  EXPECT_EQ(scores.strata[0].actioned, 0U);
  EXPECT_EQ(scores.strata[1].actioned, 2U);
  EXPECT_EQ(scores.strata[1].units, 2U);
  EXPECT_EQ(scores.strata[1].units_actioned, 1U);  // b0 and b2 are of one relay
  EXPECT_NEAR(scores.strata[1].units_upper_95, std::sqrt(0.95), 1e-9);
  ASSERT_EQ(scores.languages.size(), 2U);
  EXPECT_EQ(scores.languages[0].units, 0U);  // most of its accounts name no unit
  EXPECT_EQ(scores.languages[0].actioned, 2U);
  EXPECT_EQ(scores.languages[1].actioned, 0U);
}

TEST_F(EvaluationTest, CampaignsMatchByIntersectionOverUnion) {
  std::string verdicts;
  for (int i = 0; i < 6; ++i)
    verdicts += line(1, fmt::format("h{}", i), "verify", "c-1", "distiller");  // 6 of 10: IoU 0.6
  for (int i = 6; i < 8; ++i) verdicts += line(1, fmt::format("h{}", i), "verify", "c-2", "distiller");  // a fragment
  for (int i = 0; i < 5; ++i) verdicts += line(1, fmt::format("b{}", 30 + i), "observe", "c-3", "distiller");  // false
  for (int i = 0; i < 20; ++i) verdicts += line(1, fmt::format("b{}", i), "observe", "c-4", "reseller");
  verdicts += line(1, "b99", "observe", "c-5", "automation");
  const Scores scores = scores_of(verdicts);
  EXPECT_EQ(scores.true_found, 1U);
  EXPECT_EQ(scores.found_distillers, 3U);
  EXPECT_EQ(scores.found_matched, 1U);
  EXPECT_EQ(scores.found_false, 1U);
  EXPECT_EQ(scores.found_resellers, 1U);
  EXPECT_EQ(scores.found_resellers_benign, 1U);
  EXPECT_EQ(scores.found_others, 1U);
  EXPECT_DOUBLE_EQ(scores.campaigns[0].best_iou, 0.6);
  EXPECT_EQ(scores.campaigns[0].fragments, 2U);
  EXPECT_DOUBLE_EQ(scores.fragmentation, 2);
  EXPECT_DOUBLE_EQ(*scores.false_per_month_and_million, 1e4);  // one in 30 days among 100 accounts
  EXPECT_NEAR(*scores.false_upper_95, 4.744e4, 10);            // Poisson bound for one event
}

TEST_F(EvaluationTest, CountsWhatItCannotUse) {
  const Scores scores =
      scores_of(line(1, "h0", "verify") + line(1, "stranger", "verify") + "nonsense\n{}\n" + line(1, "h0", "severe") +
                R"({"v":1,"time":"2026-04-22T00:00:00Z","subject":{"kind":"campaign","id":"c-1"},"level":"notice"})"
                "\n");
  EXPECT_EQ(scores.bad_lines, 3U);
  EXPECT_EQ(scores.unknown_accounts, 1U);
  EXPECT_EQ(scores.other_subjects, 1U);
  EXPECT_EQ(scores.actioned_hostile, 1U);
}

TEST_F(EvaluationTest, TheSpanComesFromTheSummaryBesideIt) {
  write("summary.json", R"({"v":1,"first":"2026-04-22T00:00:00Z","last":"2026-06-06T00:00:00Z",)"
                        R"("promised_false_campaigns_per_month":0.5})");
  const Scores scores = scores_of(line(1, "h0", "verify"), 0);
  EXPECT_EQ(scores.horizon_days, 45);
  EXPECT_EQ(scores.promised_false_campaigns, 0.5);
}

TEST_F(EvaluationTest, WrongInputsSayWhatToDo) {
  const auto missing = read_truth(folder() + "/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, base::Fault::caller);
  EXPECT_NE(missing.error().message.find("truth.ndjson is missing"), std::string::npos);
  const auto truth = read_truth(folder());
  ASSERT_TRUE(truth);
  for (const std::string& text : {std::string("no verdict\n"), line(1, "stranger", "verify")}) {
    const auto detector = read_verdicts(write("other.ndjson", text), *truth);
    ASSERT_FALSE(detector);
    EXPECT_EQ(detector.error().fault, base::Fault::caller);
  }
  EXPECT_FALSE(read_verdicts(folder() + "/none.ndjson", *truth));
  write("truth.ndjson", "");
  const auto empty = read_truth(folder());
  ASSERT_FALSE(empty);
  EXPECT_NE(empty.error().message.find("no truth line"), std::string::npos);
}

TEST_F(EvaluationTest, TableAndJsonShowEveryDetector) {
  const auto truth = read_truth(folder());
  std::vector<Detector> detectors;
  for (const char* name : {"first.ndjson", "second.ndjson"})
    detectors.push_back(*read_verdicts(write(name, line(49.5, "h0", "verify")), *truth));
  const auto evaluation = evaluate(*truth, detectors);
  ASSERT_TRUE(evaluation);
  const std::string table = evaluation_table(*evaluation), json = evaluation_json(*evaluation);
  EXPECT_NE(table.find("first.ndjson      second.ndjson"), std::string::npos) << table;
  EXPECT_NE(table.find("prevented, requests                                 4.2 %              4.2 %"),
            std::string::npos)
      << table;
  EXPECT_TRUE(json.starts_with(
      R"({"v":1,"truth":{"honest_accounts":100,"hostile_accounts":12,"hostile_queries":1200,)"
      R"("hostile_output_tokens":12000,"bad_lines":0},)"
      R"("detectors":[{"name":"first.ndjson","overall":{"name":"all campaigns","family":"","accounts":12,)"
      R"("alerted":1,"actioned":1,)"
      R"("queries":1200,"prevented_queries":50,"prevented_fraction":0.041666666666666664,)"))
      << json;
}

}  // namespace
}  // namespace stillwatch::quality
