// The engine with every bound met: still the same bytes for any number of workers and across a stop, and still the same
// campaign.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "engine/engine.h"
#include "engine/query_fixture.h"
#include "event/json_lines.h"

namespace stillwatch::engine {
namespace {

using base::Random;
using event::Query;
using event::Verdict;
using test::make_query;

constexpr std::int64_t kStart = 1'775'001'600'000'000;
constexpr int kDays = 5;
constexpr Token kCampaign = 200'000;

std::int64_t some_time(int day, Random& random) {
  return kStart + day * base::kDayUs + static_cast<std::int64_t>(random.below(base::kDayUs));
}

/// People, a campaign of 60 accounts from day 2, and floods: of new accounts, of small groups with templates of their
/// own, of conversations that go on elsewhere.
std::vector<Query> make_world(std::uint64_t seed, bool flooded) {
  Random random(seed);
  std::vector<Query> queries;
  for (int day = 0; day < kDays; ++day) {
    for (Token person = 0; person < 400; ++person) {
      for (int i = 0; i < 6; ++i) queries.push_back(make_query(1000 + person, some_time(day, random), random));
    }
    for (Token account = 0; day >= 2 && account < 60; ++account) {
      for (int i = 0; i < 26; ++i) {
        Query query = make_query(kCampaign + account, some_time(day, random), random);
        query.client = base::mix64(999);
        query.fingerprint.templates[0] = base::mix64(9'000'000 + random.below(60));
        query.output_tokens = 3'000;  // a harvest of long answers; with ordinary ones it might be a fleet of devices
        queries.push_back(query);
      }
    }
    if (!flooded || day < 1) continue;
    Random flood(seed + 1, static_cast<std::uint64_t>(day));
    for (int i = 0; i < 6'000; ++i)
      queries.push_back(make_query(flood.next() | 1U << 31, some_time(day, flood), flood));
    for (Token group = 0; group < 60; ++group) {
      for (Token i = 0; i < 36; ++i) {
        const Token id = static_cast<Token>(day) * 1000 + group;
        Query query = make_query(10'000'000 + id * 10 + i % 6, some_time(day, flood), flood);
        query.egress = base::mix64(60'000'000 + id);
        query.fingerprint.templates[0] = base::mix64(70'000'000 + id * 10 + i / 6);
        queries.push_back(query);
      }
    }
    Token before = 0;
    for (int i = 0; i < 3'000; ++i) {
      Query query = make_query(80'000 + flood.below(500), some_time(day, flood), flood);
      query.time_us = kStart + day * base::kDayUs + i * (base::kDayUs / 3'000);
      query.fingerprint.prefixes[0] = before;
      query.fingerprint.prefix_bytes = 300;
      before = query.fingerprint.conversation;
      queries.push_back(query);
    }
  }
  std::sort(queries.begin(), queries.end(),
            [](const Query& a, const Query& b) { return std::tie(a.time_us, a.id) < std::tie(b.time_us, b.id); });
  return queries;
}

Settings small_bounds() {
  Settings settings;
  settings.detect.calibration_us = base::kDayUs;
  settings.detect.first_seen_slots = 1U << 18;
  settings.detect.conversation_slots = 1U << 16;
  settings.detect.accounts_max = 64 * 64;
  settings.detect.shared_tokens_max = 64 * 64;
  settings.detect.link_events_max = 64 * 16;
  settings.detect.handoff_events_max = 64;
  settings.detect.handoff_pairs_max = 150;  // about as many as an hour brings, so that idle ones do not make the room
  settings.detect.link_edges_max = 1024;
  settings.detect.groups_max = 24;
  settings.detect.close_work_per_query = 12;
  settings.detect.close_work_per_epoch = 500;
  return settings;
}

class Replayer {
 public:
  Replayer(unsigned workers, const Settings& settings)
      : engine_(
            settings, workers, [this](Token token) { return open(token); },
            [this](std::span<const Verdict> verdicts) { return keep(verdicts); }) {}
  void feed(std::span<const Query> queries, std::size_t batch_size) {
    while (!queries.empty()) {
      const auto count = std::min(batch_size, queries.size());
      std::vector<Query> batch(queries.begin(), queries.begin() + static_cast<std::ptrdiff_t>(count));
      ASSERT_TRUE(engine_.step(batch));
      queries = queries.subspan(count);
    }
  }
  Engine& engine() { return engine_; }
  std::vector<std::string> lines;
  std::set<Token> alerted;

 private:
  std::string_view open(Token token) { return ids_.try_emplace(token, std::to_string(token)).first->second; }
  base::Status keep(std::span<const Verdict> verdicts) {
    for (const Verdict& verdict : verdicts) {
      lines.push_back(event::to_json(verdict, "sha256:test", [this](Token token) { return open(token); }));
      if (verdict.kind == event::SubjectKind::account && verdict.level > event::Level::clear)
        alerted.insert(verdict.subject);
    }
    return {};
  }
  std::map<Token, std::string> ids_;
  Engine engine_;
};

std::vector<std::uint64_t> counters_of(const Engine& engine) {
  const detect::Detector& detector = engine.detector();
  const detect::TokenCounters tokens = detector.tokens().counters();
  const detect::GroupTableCounters& groups = detector.groups().counters();
  return {detector.accounts().size(),
          detector.accounts().counters().evicted,
          detector.accounts().counters().queries_shed,
          detector.epochs_deferred(),
          tokens.first_seen_overwritten,
          tokens.conversations_overwritten,
          tokens.shared_tokens_refused,
          tokens.links_sampled_out,
          tokens.handoffs_shed,
          groups.groups_refused,
          groups.groups_displaced,
          groups.dead_dropped,
          groups.pairs_refused,
          groups.links_sampled_out,
          engine.case_book().openings_refused()};
}

TEST(Flood, EveryBoundIsMetAndKept) {
  const auto queries = make_world(1, true);
  Replayer replayer(2, small_bounds());
  replayer.feed(queries, 5000);
  const detect::Detector& detector = replayer.engine().detector();
  EXPECT_EQ(detector.accounts().traffic().queries, queries.size()) << "all of it counts as traffic";
  EXPECT_LE(detector.accounts().size(), 64U * 64);
  EXPECT_GT(detector.accounts().counters().evicted, 1000U);
  EXPECT_GT(detector.accounts().counters().queries_shed, 0U);
  EXPECT_LE(detector.tokens().shared_count(), 64U * 64);
  EXPECT_GT(detector.tokens().counters().links_sampled_out, 0U);
  EXPECT_GT(detector.tokens().counters().handoffs_shed, 0U);
  EXPECT_LE(detector.groups().handoff_pairs(), 150U);
  EXPECT_GT(detector.groups().counters().pairs_refused, 0U);
  EXPECT_LE(detector.groups().groups().size(), 2U * 24);
  EXPECT_GT(detector.groups().counters().groups_refused + detector.groups().counters().groups_displaced, 0U);
  EXPECT_GT(detector.epochs_deferred(), 0U);
}

TEST(Flood, WorkersBatchesAndAStopChangeNoByte) {
  const auto queries = make_world(2, true);
  const auto run = [&](unsigned workers, std::size_t batch_size) {
    Replayer replayer(workers, small_bounds());
    replayer.feed(queries, batch_size);
    return std::pair(replayer.lines, counters_of(replayer.engine()));
  };
  const auto one = run(1, 5000);
  EXPECT_FALSE(one.first.empty());
  EXPECT_TRUE(run(3, 777) == one);
  for (const double share : {0.35, 0.6, 0.85}) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(queries.size()));
    Replayer first(1, small_bounds());
    first.feed(std::span(queries).first(at), 5000);
    const std::string snapshot = first.engine().snapshot();
    Replayer second(2, small_bounds());
    ASSERT_TRUE(second.engine().restore(snapshot));
    second.feed(std::span(queries).subspan(at), 3000);
    std::vector<std::string> lines = first.lines;
    lines.insert(lines.end(), second.lines.begin(), second.lines.end());
    EXPECT_TRUE(lines == one.first) << "stopped at " << share;
    EXPECT_EQ(counters_of(second.engine()), one.second) << "stopped at " << share;
  }
}

TEST(Flood, FormerGroupsAreForgottenToo) {
  const auto queries = make_world(4, true);
  Settings settings = small_bounds();
  settings.detect.groups_max = 3;
  settings.detect.close_work_per_epoch = 1U << 20;
  settings.detect.link_events_max = settings.detect.link_edges_max = 1U << 16;
  settings.detect.membership_idle_us = base::kHourUs;
  Replayer replayer(1, settings);
  replayer.feed(queries, 5000);
  EXPECT_LE(replayer.engine().detector().groups().groups().size(), 6U);
  EXPECT_GT(replayer.engine().detector().groups().counters().dead_dropped, 0U);
  EXPECT_GT(replayer.engine().detector().groups().counters().groups_refused, 0U);
}

// Room for the flood's best, not for all of it: the campaign is the largest group and is found as without the flood.
TEST(Flood, CampaignIsFoundBesideIt) {
  const auto found = [](const std::vector<Query>& queries) {
    Settings settings = small_bounds();
    settings.detect.accounts_max = 64 * 128;
    settings.detect.shared_tokens_max = 64 * 512;
    settings.detect.link_events_max = 64 * 512;
    settings.detect.link_edges_max = 1U << 14;
    Replayer replayer(1, settings);
    replayer.feed(queries, 5000);
    std::size_t hostile = 0;
    for (Token i = 0; i < 60; ++i) hostile += replayer.alerted.contains(base::mix64(kCampaign + i)) ? 1 : 0;
    return hostile;
  };
  EXPECT_GE(found(make_world(3, false)), 54U);
  EXPECT_GE(found(make_world(3, true)), 54U);
}

}  // namespace
}  // namespace stillwatch::engine
