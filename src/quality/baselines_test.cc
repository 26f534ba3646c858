#include "quality/baselines.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "quality/evaluation.h"
#include "quality/event_stream.h"
#include "quality/shared_pairs.h"

namespace stillwatch::quality {
namespace {

TEST(Threshold, LetsAtMostTheAllowedShareExceed) {
  EXPECT_EQ(threshold_for({}, 0.1, 50), INFINITY);
  EXPECT_EQ(threshold_for({5, 1, 9}, 1e-4, 3), 9);           // none of three may exceed
  EXPECT_EQ(threshold_for({0.5, 0.1}, 0.1, 10), 0.1);        // one of ten, of whom eight have no value
  EXPECT_EQ(threshold_for({0.5, 0.1}, 0.1, 20), -INFINITY);  // both may
  base::Random random(1);
  for (int i = 0; i < 500; ++i) {
    std::vector<double> values(1 + random.below(300));
    for (auto& value : values) value = static_cast<double>(random.below(50));
    const double error = random.uniform() * 0.5;
    const double threshold = threshold_for(values, error, values.size());
    const auto above = [&](double limit) {
      return static_cast<double>(std::count_if(values.begin(), values.end(), [&](double v) { return v > limit; }));
    };
    EXPECT_LE(above(threshold), error * static_cast<double>(values.size()));
    EXPECT_GT(above(threshold - 1), error * static_cast<double>(values.size()) - 1);
  }
}

// Values of the period set the threshold, later ones do not; the oracle reads all.
TEST(Calibration, FreezesAndStillTellsTheOracle) {
  Truth truth;
  truth.accounts.resize(3);
  truth.accounts[2].hostile = true;
  truth.benign = 2;
  BaselineOptions options;
  options.oracle = true;
  Calibration calibration(options);
  const auto hours = [](double h) { return at(h, 0).time_us; };
  calibration.see(hours(0));
  calibration.judge(0, -0.5, hours(0));
  EXPECT_FALSE(calibration.ends_at(hours(24 * 7 - 1)));
  EXPECT_TRUE(calibration.ends_at(hours(24 * 7)));
  calibration.see(hours(24 * 7));
  EXPECT_FALSE(calibration.ends_at(hours(24 * 7)));
  EXPECT_EQ(calibration.threshold(), -0.5);
  calibration.judge(1, 0.25, hours(24 * 8));
  calibration.judge(2, 3, hours(24 * 9));
  calibration.judge(2, 4, hours(24 * 9));
  EXPECT_EQ(calibration.threshold(), -0.5);
  EXPECT_EQ(calibration.honest_threshold(truth), 0.25);
  const Detector detector = calibration.detector("x", "y");
  EXPECT_EQ(actioned(detector), (std::set<std::uint32_t>{1, 2}));
  EXPECT_EQ(detector.steps.size(), 2U);
  EXPECT_EQ(detector.tests[0].calibration_accounts, 1U);
}

// 20 accounts at 10 requests a day; from day 8 on account 3 sends 11, then account 4 sends 10 as ever.
TEST(RateLimit, ActsOnTheEleventhRequestOfADay) {
  BaselineOptions options;
  const auto baseline = make_rate_limit(options);
  for (int day = 0; day < 10; ++day) {
    for (int request = 0; request < 11; ++request) {
      for (std::uint32_t account = 0; account < 20; ++account) {
        if (request < 10 || (day == 8 && account == 3)) baseline->add(at(day * 24 + request, account));
      }
    }
  }
  const Detector detector = baseline->finish();
  ASSERT_EQ(detector.steps.size(), 1U);
  EXPECT_EQ(detector.steps[0].account, 3U);
  EXPECT_EQ(detector.steps[0].time_us, at(8 * 24 + 10, 3).time_us);
}

// Calibration sees at most three accounts a network and two a payment.
TEST(Velocity, ActsOnNetworksAndPaymentsThatGrow) {
  const auto baseline = make_velocity({});
  for (int day = 0; day < 10; ++day) {
    for (std::uint32_t account = 0; account < 30; ++account) {
      LightEvent event = at(day * 24 + account * 0.1, account);
      event.network = 1 + account / 3;
      event.payment = 1 + account / 2;
      if (day == 8 && account >= 10 && account < 14) event.network = 99;  // four accounts behind one network
      if (day == 9 && account == 20) event.payment = 1;                   // a third account on payment 1
      baseline->add(event);
    }
  }
  EXPECT_EQ(actioned(baseline->finish()), (std::set<std::uint32_t>{0, 1, 10, 11, 12, 13, 20}));
}

// Honest accounts meet at random; from day 7 on six accounts fetch the same objects in the same hours.
TEST(SynchroTrap, FindsTheLockstepGroupOnly) {
  const auto baseline = make_synchrotrap({});
  base::Random random(2);
  for (int hour = 0; hour < 12 * 24; ++hour) {
    for (std::uint32_t account = 0; account < 60; ++account) {
      LightEvent event = at(hour + 0.001 * account, account);
      event.prompt = 1 + random.below(400);
      if (hour >= 7 * 24 + 1 && account < 6) event.prompt = 1000 + static_cast<std::uint64_t>(hour);
      event.network = 7;  // one carrier for all: popular, carries nothing
      if (static_cast<int>(account % 4) == hour % 4 || account < 6) baseline->add(event);
    }
  }
  const Detector detector = baseline->finish();
  EXPECT_EQ(actioned(detector), (std::set<std::uint32_t>{0, 1, 2, 3, 4, 5}));
  std::set<std::uint32_t> campaigns;
  for (const Step& step : detector.steps) {
    campaigns.insert(step.campaign);
    EXPECT_GE(step.time_us, at(8 * 24, 0).time_us);  // the day must be over
  }
  EXPECT_EQ(campaigns.size(), 1U);
  EXPECT_EQ(detector.campaigns.name(0), "prompt-0");
}

TEST(SynchroTrap, LeavesPopularTuplesOut) {
  const auto baseline = make_synchrotrap({});
  for (int day = 0; day < 9; ++day) {
    for (std::uint32_t account = 0; account < 2 * kPostingsMax; ++account) {
      for (int hour = 0; hour < 5; ++hour) {
        LightEvent event = at(day * 24 + hour + 0.001 * account, account);
        event.client = day < 7 ? 1 + account : 5;  // then everybody runs one client
        baseline->add(event);
      }
    }
  }
  const Detector detector = baseline->finish();
  EXPECT_TRUE(detector.steps.empty());
  EXPECT_EQ(detector.left_out.at("popular tuples"), 2U * 5U);
}

class BaselineFiles : public ::testing::Test, protected SmallWorld {};

TEST_F(BaselineFiles, RunOverARawLog) {
  std::string log, accounts;
  for (int i = 0; i < 100; ++i)
    accounts += fmt::format("{{\"v\":1,\"account\":\"b{}\",\"time\":\"{}\",\"payment\":\"pay_{}\"}}\n", i, hour(0), i);
  for (int i = 0; i < 10; ++i)
    accounts += fmt::format("{{\"v\":1,\"account\":\"h{}\",\"time\":\"{}\",\"payment\":\"pay_h\"}}\n", i, hour(0));
  for (int day = 0; day < 4; ++day) {
    for (int i = 0; i < 100; ++i) {
      log += fmt::format(
          "{{\"v\":1,\"id\":\"x{}-{}\",\"time\":\"{}\",\"account\":\"b{}\",\"dialect\":\"text\",\"client\":{{\"ip\":"
          "\"10.0.{}.9\"}},\"request\":{{\"model\":\"m\",\"prompt\":\"p{}\"}}}}\n",
          day, i, hour(day * 24 + i * 0.1), i, i, i);
    }
    if (day < 2) continue;
    for (int i = 0; i < 10; ++i) {
      log += fmt::format(
          "{{\"v\":1,\"id\":\"y{}-{}\",\"time\":\"{}\",\"account\":\"h{}\",\"dialect\":\"openai.chat\",\"request\":{{"
          "\"messages\":[{{\"role\":\"user\",\"content\":\"q\"}}]}}}}\n",
          day, i, hour(day * 24 + 20 + i * 0.1), i);
    }
  }
  const auto truth = read_truth(folder());
  BaselineOptions options;
  options.calibrate_days = 2;
  const auto detectors =
      run_baselines(*truth, write("queries.ndjson", log), write("accounts.ndjson", accounts), options);
  ASSERT_TRUE(detectors) << detectors.error().message;
  ASSERT_EQ(detectors->size(), baseline_names().size());
  EXPECT_TRUE((*detectors)[0].steps.empty());        // nobody sends more than one a day
  EXPECT_EQ(actioned((*detectors)[1]).size(), 10U);  // ten accounts on one payment
  // With the oracle's thresholds: honest accounts share no payment and send at most one request a day.
  options.oracle = true;
  options.only = {"network-and-payment", "rate-limit"};
  const auto four = run_baselines(*truth, folder() + "/queries.ndjson", folder() + "/accounts.ndjson", options);
  ASSERT_TRUE(four) << four.error().message;
  ASSERT_EQ(four->size(), 4U);
  EXPECT_EQ((*four)[3].name, "network and payment, oracle");
  EXPECT_EQ(actioned((*four)[3]).size(), 10U);
  EXPECT_TRUE((*four)[2].steps.empty());
  // Programs get the thresholds and what the bounds left out.
  const std::string json = evaluation_json(*evaluate(*truth, *four));
  EXPECT_NE(
      json.find(
          R"("tests":[{"name":"requests a day","threshold":1,"calibration_accounts":100}],"left_out":{},"peaks":{})"),
      std::string::npos);
  EXPECT_NE(json.find(R"("left_out":{"requests beyond the accounts held":0},"peaks":{"accounts held":110}})"),
            std::string::npos);
  options.only = {"astrology"};
  const auto unknown = run_baselines(*truth, folder() + "/queries.ndjson", "", options);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("stream-clusters"), std::string::npos);
  options.only.clear();
  // Errors that a user can act on.
  options.calibrate_days = 7;
  const auto short_log = run_baselines(*truth, folder() + "/queries.ndjson", "", options);
  ASSERT_FALSE(short_log);
  EXPECT_NE(short_log.error().message.find("--calibrate-days"), std::string::npos);
  EXPECT_FALSE(run_baselines(*truth, folder() + "/accounts.ndjson.none", "", options));
}

}  // namespace
}  // namespace stillwatch::quality
