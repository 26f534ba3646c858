// What holds for every baseline: no look-ahead, and the same log gives the same steps.
#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "quality/event_stream.h"

namespace stillwatch::quality {
namespace {

constexpr MakeBaseline* kAll[] = {make_rate_limit, make_velocity, make_synchrotrap,    make_prada,
                                  make_seat,       make_mmd,      make_coverage,       make_isolation_forest,
                                  make_evilcohort, make_fraudar,  make_stream_clusters};

constexpr double kFar = std::numeric_limits<double>::infinity();

struct Request {
  LightEvent event;
  TextVector vector;
};

// 40 accounts, of which ten do other things from day 7 on, in every respect that a baseline reads.
std::vector<Request> requests() {
  base::Random random(21);
  std::vector<TextVector> topics;
  for (int i = 0; i < 6; ++i) topics.push_back(TextVector::random(random));
  std::vector<Request> out;
  for (int slot = 0; slot < 11 * 40; ++slot) {
    for (std::uint32_t account = 0; account < 40; ++account) {
      const bool changed = slot >= 7 * 40 && account < 10;
      const std::uint64_t repeats = changed ? 1 + random.below(3) : random.below(3);
      for (std::uint64_t i = 0; i < repeats; ++i) {
        Request request;
        request.event = at(slot * 0.6 + 0.001 * account + 1e-5 * static_cast<double>(i), account);
        request.event.network = changed ? 900 + random.below(4) : 1 + account / 2 * 2 + random.below(2);
        request.event.payment = changed ? 77 : 100 + account / 2;
        request.event.client = 1 + account % 7;
        request.event.prompt = changed ? 5000 + static_cast<std::uint64_t>(slot % 9) : 1 + random.below(500);
        request.event.prefix = changed ? 6000 + random.below(5) : 1 + random.below(500);
        request.event.skeleton = request.event.prefix + 1;
        request.event.text_bytes = static_cast<std::uint32_t>(40 + random.below(changed ? 4000 : 400));
        request.event.turns = static_cast<std::uint32_t>(1 + random.below(changed ? 1 : 6));
        request.event.output_tokens = static_cast<std::uint32_t>(random.below(changed ? 4000 : 500));
        request.event.weak_score = static_cast<float>(random.below(3)) + (changed ? 1.5F : 0);
        request.vector = near(topics[changed ? 0 : random.below(6)], changed ? 0.2 : 0.5, random);
        out.push_back(request);
      }
    }
  }
  return out;
}

BaselineOptions options_of() {
  BaselineOptions options;
  options.account_error = 0.1;
  return options;
}

void feed(Baseline& baseline, const std::vector<Request>& all, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    LightEvent event = all[i].event;
    event.vector = &all[i].vector;
    baseline.add(event);
  }
}

Detector run(MakeBaseline* make, const std::vector<Request>& all, std::size_t count) {
  const auto baseline = make(options_of());
  feed(*baseline, all, count);
  return baseline->finish();
}

// Steps before a time, by account: the campaign's name may still change, when groups grow together.
std::vector<std::pair<std::int64_t, std::uint32_t>> before(const Detector& detector, std::int64_t time_us) {
  std::vector<std::pair<std::int64_t, std::uint32_t>> out;
  for (const Step& step : detector.steps) {
    if (step.time_us < time_us) out.emplace_back(step.time_us, step.account);
  }
  return out;
}

TEST(AllBaselines, ALogCutShortGivesTheStepsUpToThere) {
  const auto all = requests();
  std::size_t acting = 0;
  for (MakeBaseline* make : kAll) {
    const Detector whole = run(make, all, all.size());
    SCOPED_TRACE(whole.name);
    acting += !whole.steps.empty();
    for (const double share : {0.7, 0.83, 0.95}) {
      const auto count = static_cast<std::size_t>(share * static_cast<double>(all.size()));
      const std::int64_t last_us = all[count - 1].event.time_us;
      EXPECT_EQ(before(run(make, all, count), last_us), before(whole, last_us)) << share;
    }
    for (const Step& step : whole.steps) EXPECT_GE(step.time_us, at(7 * 24, 0).time_us);
  }
  EXPECT_GE(acting, std::size(kAll) - 2);  // or the comparison would say little
}

TEST(AllBaselines, TheSameLogGivesTheSame) {
  const auto all = requests();
  for (MakeBaseline* make : kAll) {
    const Detector a = run(make, all, all.size()), b = run(make, all, all.size());
    SCOPED_TRACE(a.name);
    EXPECT_EQ(before(a, INT64_MAX), before(b, INT64_MAX));
    EXPECT_EQ(a.left_out, b.left_out);
    EXPECT_EQ(a.peaks, b.peaks);
    ASSERT_EQ(a.campaigns.size(), b.campaigns.size());
    for (std::uint32_t i = 0; i < a.campaigns.size(); ++i) EXPECT_EQ(a.campaigns.name(i), b.campaigns.name(i));
    ASSERT_EQ(a.tests.size(), b.tests.size());
    for (std::size_t i = 0; i < a.tests.size(); ++i) EXPECT_EQ(a.tests[i].threshold, b.tests[i].threshold);
  }
}

// Two roads to what another threshold would have done: judged again afterwards, and from the first event on.
TEST(AllBaselines, JudgedAgainIsAsIfTheThresholdHadAlwaysBeenThat) {
  const auto all = requests();
  std::size_t compared = 0, acting = 0;
  for (MakeBaseline* make : kAll) {
    BaselineOptions recording = options_of();
    recording.oracle = true;
    const auto seen = make(recording);
    if (seen->reads_thresholds()) continue;
    feed(*seen, all, all.size());
    const Detector calibrated = seen->finish();
    for (const double shift : {-kFar, -1.0, -0.02, 0.0, 0.02, 1.0, kFar}) {
      SCOPED_TRACE(calibrated.name + " " + std::to_string(shift));
      const auto given = make(options_of());
      const auto tests = seen->tests(), given_tests = given->tests();
      for (std::size_t test = 0; test < tests.size(); ++test) {
        const double threshold = std::isinf(shift) ? shift : calibrated.tests[test].threshold + shift;
        tests[test]->judge_again(threshold);
        given_tests[test]->set_threshold(threshold);
      }
      feed(*given, all, all.size());
      const Detector again = seen->finish(), expected = given->finish();
      EXPECT_EQ(before(again, INT64_MAX), before(expected, INT64_MAX));
      for (std::size_t test = 0; test < tests.size(); ++test)
        EXPECT_EQ(again.tests[test].threshold, expected.tests[test].threshold);
      ++compared;
      acting += !expected.steps.empty();
    }
  }
  EXPECT_EQ(compared, 7U * 7);
  EXPECT_GE(acting, 20U);  // or the comparison would say little
}

}  // namespace
}  // namespace stillwatch::quality
