#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "engine/query_fixture.h"
#include "event/json_lines.h"

namespace stillwatch::engine {
namespace {

using base::Random;
using event::Level;
using event::Query;
using event::Verdict;

constexpr std::int64_t kStart = 1'775'001'600'000'000;  // a midnight

struct TokenWorld {
  int strangers = 600;
  int days = 12;
  int campaign_accounts = 60;  // from day 8
  int class_accounts = 40;     // one assignment, one network, working hours, from day 8
  double attack_share = 0.5;
  double handoff_chance = 0.05;
  bool declared = false;
};

Query make_query(Token account, std::int64_t time_us, Random& random) {
  Query query = test::make_query(account, time_us, random);
  query.client_version = base::mix64(910 + account % 5);
  return query;
}

/// Tokens only: what the engine sees after intake. The same seed gives the same world.
std::vector<Query> make_world(const TokenWorld& world, std::uint64_t seed) {
  Random random(seed);
  std::vector<Query> queries;
  for (int stranger = 0; stranger < world.strangers; ++stranger) {
    const double rate = std::exp(random.normal() * 0.8) * 6;
    const std::uint64_t night = random.below(24);
    for (int day = 0; day < world.days; ++day) {
      for (int hour = 0; hour < 24; ++hour) {
        if ((hour + night) % 24 < 9) continue;
        double left = rate / 15 - random.uniform();
        for (; left > 0; --left) {
          const std::int64_t at = kStart + day * base::kDayUs + hour * base::kHourUs +
                                  static_cast<std::int64_t>(random.below(base::kHourUs));
          Query query = make_query(1000 + stranger, at, random);
          // Phrases that everybody uses.
          if (random.chance(0.3)) query.fingerprint.templates[0] = base::mix64(7'000'000 + random.below(300));
          if (random.chance(0.3)) query.fingerprint.turns = 3;
          queries.push_back(query);
        }
      }
    }
  }
  for (int pupil = 0; pupil < world.class_accounts; ++pupil) {
    for (int day = 8; day < world.days; ++day) {
      const auto requests = random.below(12);
      for (std::uint64_t i = 0; i < requests; ++i) {
        const std::int64_t at = kStart + day * base::kDayUs + 9 * base::kHourUs +
                                static_cast<std::int64_t>(random.below(3 * base::kHourUs));
        Query query = make_query(100'000 + pupil, at, random);
        query.egress = base::mix64(60'000);
        query.fingerprint.turns = 2;
        if (random.chance(0.6))
          query.fingerprint.templates[0] = base::mix64(8'000'000 + static_cast<std::uint64_t>(day));
        if (random.chance(0.3)) query.fingerprint.prompt = base::mix64(8'100'000 + static_cast<std::uint64_t>(day));
        queries.push_back(query);
      }
    }
  }

  for (int day = 8; day < world.days; ++day) {
    for (int account = 0; account < world.campaign_accounts; ++account) {
      for (int i = 0; i < 26; ++i) {
        const std::int64_t at = kStart + day * base::kDayUs + static_cast<std::int64_t>(random.below(base::kDayUs));
        Query query = make_query(200'000 + static_cast<Token>(account), at, random);
        query.client = base::mix64(999);
        query.client_version = base::mix64(998);
        if (random.chance(world.attack_share)) {
          query.fingerprint.templates[0] = base::mix64(9'000'000 + random.below(100));
          query.output_tokens = 900;
        }
        queries.push_back(query);
      }
    }
  }
  std::sort(queries.begin(), queries.end(),
            [](const Query& a, const Query& b) { return std::tie(a.time_us, a.id) < std::tie(b.time_us, b.id); });
  // A relay fails over: now and then the next turn of a campaign conversation arrives on another account of the pool.
  Query* before = nullptr;
  const auto is_campaign = [](const Query& query) { return query.client == base::mix64(999); };
  for (Query& query : queries) {
    if (!is_campaign(query)) continue;
    if (before != nullptr && before->account != query.account && random.chance(world.handoff_chance)) {
      query.fingerprint.prefixes[0] = before->fingerprint.conversation;
      query.fingerprint.prefix_bytes = 300;
      query.fingerprint.turns = 2;
    }
    before = &query;
  }
  return queries;
}

Settings test_settings() {
  Settings settings;
  settings.detect.first_seen_slots = 1U << 20;
  settings.detect.conversation_slots = 1U << 18;
  return settings;
}

struct Outcome {
  std::vector<std::string> lines;
  std::set<Token> actioned;
};

class Replayer {
 public:
  explicit Replayer(unsigned workers, Settings settings = test_settings())
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
  std::vector<std::string> alarms() {
    std::vector<std::string> lines;
    for (const event::Alarm& alarm : engine_.alarm().alarms())
      lines.push_back(event::to_json(alarm, "sha256:test", [this](Token token) { return open(token); }));
    return lines;
  }
  Outcome run;

 private:
  std::string_view open(Token token) { return ids_.try_emplace(token, std::to_string(token)).first->second; }
  base::Status keep(std::span<const Verdict> verdicts) {
    for (const Verdict& verdict : verdicts) {
      run.lines.push_back(event::to_json(verdict, "sha256:test", [this](Token token) { return open(token); }));
      if (verdict.kind == event::SubjectKind::account && verdict.level >= Level::verify)
        run.actioned.insert(verdict.subject);
    }
    return {};
  }
  std::map<Token, std::string> ids_;
  Engine engine_;
};

Outcome replay(std::span<const Query> queries, unsigned workers = 1, std::size_t batch_size = 5000) {
  Replayer replayer(workers);
  replayer.feed(queries, batch_size);
  return std::move(replayer.run);
}

bool hostile(Token account) {
  for (Token i = 0; i < 1000; ++i) {
    if (account == base::mix64(200'000 + i)) return true;
  }
  return false;
}

TEST(Engine, FindsTheCampaignAndNobodyElse) {
  const auto queries = make_world({}, 1);
  const Outcome run = replay(queries);
  EXPECT_GE(run.actioned.size(), 54U) << "of 60";
  for (const Token account : run.actioned) EXPECT_TRUE(hostile(account));
}

TEST(Engine, AttackFreeWorldHasNoVerdictAboveObserve) {
  TokenWorld world;
  world.campaign_accounts = 0;
  EXPECT_TRUE(replay(make_world(world, 2)).actioned.empty());
}

TEST(Engine, WorkersAndBatchesChangeNoByte) {
  const auto queries = make_world({}, 3);
  const Outcome one = replay(queries);
  ASSERT_FALSE(one.lines.empty());
  EXPECT_EQ(replay(queries, 2, 5000).lines, one.lines);
  EXPECT_EQ(replay(queries, 4, 777).lines, one.lines);
  EXPECT_EQ(replay(queries, 3, 100'000).lines, one.lines);
}

TEST(Engine, NoLookAhead) {
  const auto queries = make_world({}, 4);
  const Outcome whole = replay(queries);
  Random random(5);
  for (int round = 0; round < 6; ++round) {
    const std::int64_t cut = kStart + 8 * base::kDayUs + static_cast<std::int64_t>(random.below(4 * base::kDayUs));
    const auto end =
        std::find_if(queries.begin(), queries.end(), [&](const Query& query) { return query.time_us > cut; });
    const Outcome part = replay(std::span(queries).first(static_cast<std::size_t>(end - queries.begin())));
    std::vector<std::string> expected;
    for (const std::string& line : whole.lines) {
      const auto at = line.find("\"time\":\"") + 8;
      if (base::parse_time(line.substr(at, line.find('"', at) - at)).value() <= cut) expected.push_back(line);
    }
    EXPECT_EQ(part.lines, expected) << "cut at " << base::format_time(cut);
  }
}

TEST(Engine, SnapshotAndRestoreGiveTheSameBytes) {
  const auto queries = make_world({}, 6);
  const Outcome whole = replay(queries);
  for (const double share : {0.1, 0.5, 0.73, 0.9}) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(queries.size()));
    Replayer first(1);
    first.feed(std::span(queries).first(at), 5000);
    const std::string snapshot = first.engine().snapshot();
    Replayer second(2);
    ASSERT_TRUE(second.engine().restore(snapshot));
    second.feed(std::span(queries).subspan(at), 3000);
    std::vector<std::string> lines = first.run.lines;
    lines.insert(lines.end(), second.run.lines.begin(), second.run.lines.end());
    EXPECT_EQ(lines, whole.lines) << "stopped at " << share;
    EXPECT_FALSE(Replayer(1).engine().restore(std::string_view(snapshot).substr(0, snapshot.size() / 2)));
  }
}

TEST(Engine, AlarmsAreTheSameForAnyWorkersAndAfterAStop) {
  const auto queries = make_world({}, 10);
  Replayer one(1);
  one.feed(queries, 5000);
  const auto expected = one.alarms();
  ASSERT_FALSE(expected.empty()) << "sixty accounts of one client version in a day";
  EXPECT_NE(expected[0].find(std::to_string(base::mix64(998))), std::string::npos) << expected[0];
  EXPECT_EQ(expected[0].find("held_until"), std::string::npos) << "fresh accounts are not sheltered";
  Replayer many(4);
  many.feed(queries, 777);
  EXPECT_EQ(many.alarms(), expected);
  for (const double share : {0.5, 0.75, 0.85}) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(queries.size()));
    Replayer first(1), second(2);
    first.feed(std::span(queries).first(at), 5000);
    ASSERT_TRUE(second.engine().restore(first.engine().snapshot()));
    second.feed(std::span(queries).subspan(at), 3000);
    EXPECT_EQ(second.alarms(), expected) << share;
    // What was raised before the stop is what a log cut there has.
    const auto before = first.alarms();
    EXPECT_TRUE(before.size() <= expected.size() && std::equal(before.begin(), before.end(), expected.begin()));
  }
}

TEST(Engine, DeclaredUseIsNeverActioned) {
  const auto queries = make_world({}, 7);
  Replayer replayer(1);
  std::vector<event::AccountUpdate> updates;
  for (Token i = 0; i < 30; ++i) {
    event::AccountUpdate update;
    update.account = base::mix64(200'000 + i);
    update.time_us = kStart;
    update.fields = event::kFieldDeclared;
    update.declared.push_back({event::Purpose::synthetic_data, 0, INT64_MAX});
    updates.push_back(update);
  }
  replayer.engine().set_accounts(updates);
  replayer.feed(queries, 5000);
  for (const auto& update : updates) EXPECT_FALSE(replayer.run.actioned.contains(update.account));
  EXPECT_GE(replayer.run.actioned.size(), 20U);
}

TEST(Engine, AccountsThatSignUpWhileItRunsAreAsIfKnownFromTheStart) {
  const auto queries = make_world({}, 7);
  std::vector<event::AccountUpdate> early, late;
  for (Token i = 0; i < 30; ++i) {
    event::AccountUpdate update;
    update.account = base::mix64(200'000 + i);
    update.time_us = kStart + static_cast<std::int64_t>(i % 3) * base::kDayUs;
    update.fields = event::kFieldDeclared;
    update.declared.push_back({event::Purpose::synthetic_data, 0, INT64_MAX});
    (i % 3 == 0 ? early : late).push_back(update);
  }
  std::stable_sort(late.begin(), late.end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  std::vector<event::AccountUpdate> all = early;
  all.insert(all.end(), late.begin(), late.end());
  Replayer known(1), told(1);
  known.engine().set_accounts(all);
  known.feed(queries, 5000);
  const auto first_day = std::find_if(queries.begin(), queries.end(),
                                      [](const Query& query) { return query.time_us >= kStart + base::kDayUs / 2; });
  const auto split = static_cast<std::size_t>(first_day - queries.begin());
  told.engine().set_accounts(early);
  told.feed(std::span(queries).first(split), 5000);
  told.engine().add_accounts({late.begin() + 10, late.end()});
  told.engine().add_accounts({late.begin(), late.begin() + 10});
  told.feed(std::span(queries).subspan(split), 5000);
  EXPECT_EQ(told.run.lines, known.run.lines);
  for (const auto& update : all) EXPECT_FALSE(told.run.actioned.contains(update.account));
  EXPECT_GE(told.run.actioned.size(), 20U);
}

TEST(Engine, AccountsOfOneOwnerAreNoCampaign) {
  const auto queries = make_world({}, 8);
  Replayer replayer(1);
  std::vector<event::AccountUpdate> updates;
  for (Token i = 0; i < 60; ++i) {
    event::AccountUpdate update;
    update.account = base::mix64(200'000 + i);
    update.time_us = kStart;
    update.fields = event::kFieldOrg;
    update.org = base::mix64(4711);
    updates.push_back(update);
  }
  replayer.engine().set_accounts(updates);
  replayer.feed(queries, 5000);
  EXPECT_TRUE(replayer.run.actioned.empty());
}

std::string field(const std::string& line, const std::string& key) {
  const auto at = line.find('"' + key + "\":\"");
  if (at == std::string::npos) return "";
  const auto begin = at + key.size() + 4;
  return line.substr(begin, line.find('"', begin) - begin);
}

TEST(Engine, VerdictsAreOrderedAndEachIsAChange) {
  // A campaign that stops after four days: its members' levels must expire, each with a line of its own.
  TokenWorld world;
  world.days = 22;
  auto queries = make_world(world, 9);
  std::erase_if(queries, [](const Query& query) {
    return query.client == base::mix64(999) && query.time_us > kStart + 12 * base::kDayUs;
  });
  const Outcome run = replay(queries);
  std::map<std::string, std::string> state_of;
  std::string before;
  std::size_t expired = 0;
  for (const std::string& line : run.lines) {
    const std::string order = field(line, "time") + field(line, "kind") + field(line, "id");
    EXPECT_LE(before, order);
    before = order;
    const std::string state = field(line, "level") + "/" + field(line, "class") + "/" + field(line, "campaign");
    std::string& known = state_of[field(line, "kind") + field(line, "id")];
    EXPECT_NE(known, state) << "a line without a change: " << line;
    known = state;
    expired += field(line, "level") == "clear" ? 1 : 0;
  }
  EXPECT_GE(expired, 54U);
  for (const auto& [subject, state] : state_of) {
    if (subject.rfind("account", 0) == 0) {
      EXPECT_EQ(state.rfind("clear", 0), 0U) << subject << " " << state;
    }
  }
}

}  // namespace
}  // namespace stillwatch::engine
