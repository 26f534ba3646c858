// Epochs that close early, what calibration learns, and what set-up may do: through the whole detector.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "detect/detector.h"

namespace stillwatch::detect {
namespace {

using event::Query;

constexpr std::int64_t kStart = 1'775'001'600'000'000;
constexpr std::int64_t kQuarterUs = base::kHourUs / 4;

Settings small_settings() {
  Settings settings;
  settings.first_seen_slots = 1U << 16;
  settings.conversation_slots = 1U << 16;
  return settings;
}

class Log {
 public:
  /// Twice as many requests: each text is sent by two accounts, which makes two links.
  void share(int texts) {
    for (int i = 0; i < texts; ++i) {
      const Token text = base::mix64(1'000'000 + next_text_++);
      for (int k = 0; k < 2; ++k) add(next_account_++ % 3'000, text);
    }
  }
  Query& add(Token account, Token text) {
    Query query;
    query.account = base::mix64(account + 1);
    query.output_tokens = 100;
    query.fingerprint.templates[0] = text;
    quarter_.push_back(query);
    return quarter_.back();
  }
  /// The requests since the last call, spread over the quarter of an hour.
  std::vector<Query> quarter(int number) {
    for (std::size_t i = 0; i < quarter_.size(); ++i) {
      quarter_[i].time_us = kStart + number * kQuarterUs +
                            static_cast<std::int64_t>(i) * (kQuarterUs / static_cast<std::int64_t>(quarter_.size()));
    }
    return std::exchange(quarter_, {});
  }

 private:
  std::vector<Query> quarter_;
  Token next_text_ = 0, next_account_ = 0;
};

void observe(Detector& detector, std::span<const Query> queries, unsigned workers = 1, std::size_t cut = 1'000,
             std::span<const event::AccountUpdate> updates = {}) {
  while (!queries.empty()) {
    const auto batch = queries.first(std::min(cut, queries.size()));
    std::vector<Observation> seen(batch.size());
    for (unsigned i = 0; i < workers; ++i) detector.observe_accounts({i, workers}, batch, updates, seen);
    for (unsigned i = 0; i < workers; ++i) detector.observe_tokens({i, workers}, batch, seen);
    queries = queries.subspan(batch.size());
    updates = {};
  }
}

Detector make_calibrated() {
  Detector detector(small_settings());
  detector.open_log(kStart);
  detector.adopt_calibration(Calibration{}, {}, 10'000, 5'000);
  return detector;
}

constexpr int kWarmUp = 4 * 24 * 5;  // quarters of an hour until the usual rate is known

/// Five days of the same traffic, `texts` a quarter of an hour, each shared by two.
void warm_up(Detector& detector, Log& log, int texts, unsigned workers = 1, std::size_t cut = 1'000) {
  for (int number = 0; number < kWarmUp; ++number) {
    log.share(texts);
    observe(detector, log.quarter(number), workers, cut);
    const bool early = !detector.close(kStart + (number + 1) * kQuarterUs).deferred && (number + 1) % 4 != 0;
    // At the very start there is nothing to compare with.
    EXPECT_FALSE(early && number > kWarmUp / 2) << number;
  }
}

/// Whether a quarter of an hour with so many texts is closed at once, when 100 are usual.
bool closes_early(Detector& detector, int texts) {
  Log log;
  warm_up(detector, log, 100);
  log.share(texts);
  observe(detector, log.quarter(kWarmUp));
  return !detector.close(kStart + (kWarmUp + 1) * kQuarterUs).deferred;
}

TEST(Surge, EpochClosesEarlyFromOneAndAHalfTimesTheUsualLinks) {
  for (const auto& [texts, early] : {std::pair{100, false}, {140, false}, {160, true}, {400, true}}) {
    Detector detector = make_calibrated();
    EXPECT_EQ(closes_early(detector, texts), early) << texts;
  }
}

TEST(Surge, NobodyIsHurriedDuringCalibration) {
  Detector detector(small_settings());
  detector.open_log(kStart);
  EXPECT_FALSE(closes_early(detector, 400));
}

TEST(Surge, FewLinksAreNoSurge) {
  Detector detector = make_calibrated();
  Log log;
  warm_up(detector, log, 1);
  log.share(20);
  observe(detector, log.quarter(kWarmUp));
  EXPECT_TRUE(detector.close(kStart + (kWarmUp + 1) * kQuarterUs).deferred) << "twenty times as many as usual";
}

/// What a run shows of itself: when epochs closed, and what was found.
std::vector<std::uint8_t> run_with_campaign(unsigned workers, std::size_t cut) {
  Detector detector = make_calibrated();
  Log log;
  base::ByteWriter out;
  warm_up(detector, log, 60, workers, cut);
  for (int number = kWarmUp; number < kWarmUp + 12; ++number) {
    log.share(60);
    if (number > kWarmUp) {
      for (Token account = 5'000; account < 5'030; ++account) {
        for (Token i = 0; i < 3; ++i)
          log.add(account, base::mix64(7 + (account + i * static_cast<Token>(number)) % 20)).client = 4711;
      }
    }
    observe(detector, log.quarter(number), workers, cut);
    const Detector::Epoch epoch = detector.close(kStart + (number + 1) * kQuarterUs);
    out.put(epoch.deferred);
    for (const GroupFinding& finding : epoch.findings) {
      // Field by field: structs may have padding.
      out.put(finding.group);
      out.put(finding.formed_us);
      out.put(finding.measures.value);
      out.put(finding.score);
      out.put(finding.operator_log10_e);
      out.put(finding.strength.log10_e);
      out.put(finding.channels.bits());
      out.put(finding.base_rate);
      out.put(finding.watched);
      out.put(finding.hits_total);
      for (const Trait& trait : finding.traits) {
        out.put(trait.token);
        out.put(trait.members);
        out.put(trait.outsiders);
      }
      for (const MemberFinding& member : finding.members) {
        out.put(member.account);
        out.put(member.hits_exclusive);
        out.put(member.stands);
      }
    }
  }
  EXPECT_FALSE(detector.groups().groups().empty());
  return {out.bytes().begin(), out.bytes().end()};
}

TEST(Surge, SameFindingsForAnyNumberOfWorkersAndCuts) {
  const std::vector<std::uint8_t> one = run_with_campaign(1, 1'000);
  EXPECT_GT(one.size(), 1'000U);
  EXPECT_TRUE(run_with_campaign(1, 1) == one);
  EXPECT_TRUE(run_with_campaign(3, 7) == one);
  EXPECT_TRUE(run_with_campaign(5, 100) == one);
}

TEST(Surge, CampaignIsAGroupBeforeTheHourEnds) {
  Detector detector = make_calibrated();
  Log log;
  warm_up(detector, log, 60);
  ASSERT_TRUE(detector.groups().groups().empty());
  std::int64_t formed_us = 0;
  for (int number = kWarmUp; number < kWarmUp + 12; ++number) {
    log.share(60);
    if (number > kWarmUp) {
      for (Token account = 5'000; account < 5'030; ++account) {
        for (Token i = 0; i < 4; ++i) log.add(account, base::mix64(7 + i)).client = 4711;
      }
    }
    observe(detector, log.quarter(number));
    detector.close(kStart + (number + 1) * kQuarterUs);
    if (formed_us == 0 && !detector.groups().groups().empty()) formed_us = detector.groups().groups()[0].formed_us;
  }
  EXPECT_EQ(formed_us, kStart + (kWarmUp + 2) * kQuarterUs) << "at the first look after it began, not at the hour";
}

// A customer who told of his evaluation looks like a harvest and is none; as an example of honest life he would make
// the tail so wide that campaigns pass.
std::uint32_t groups_learned(bool declared) {
  Settings settings = small_settings();
  settings.calibration_us = 2 * base::kDayUs;
  Detector detector(settings);
  detector.open_log(kStart);
  std::vector<event::AccountUpdate> updates;
  for (Token account = 5'000; account < 5'012 && declared; ++account) {
    event::AccountUpdate update;
    update.account = base::mix64(account + 1);
    update.time_us = kStart;
    update.fields = event::kFieldDeclared;
    update.declared.push_back({event::Purpose::synthetic_data, kStart, kStart + 100 * base::kDayUs});
    updates.push_back(update);
  }
  Log log;
  for (int number = 0; number < 4 * 50; ++number) {
    log.share(100);
    for (Token account = 5'000; account < 5'012; ++account) {
      if (number % static_cast<int>(1 + account % 4) != 0) continue;
      log.add(account, base::mix64(7 + (account + static_cast<Token>(number)) % 3)).client = 4711;
    }
    observe(detector, log.quarter(number), 1, 1'000, updates);
    updates.clear();
    detector.close(kStart + (number + 1) * kQuarterUs);
  }
  EXPECT_FALSE(detector.calibrating());
  return detector.calibration().group_count();
}

TEST(Examples, DeclaredGroupsTeachNothing) {
  EXPECT_GT(groups_learned(false), 0U);
  EXPECT_EQ(groups_learned(true), 0U);
}

TEST(Examples, GroupIsOneUnlessAQuarterIsDeclared) {
  Group group;
  group.members.resize(8);
  EXPECT_FALSE(group.is_example()) << "never testable: nothing to learn from";
  group.samples.emplace_back();
  EXPECT_TRUE(group.is_example());
  group.declared = 1;
  EXPECT_TRUE(group.is_example());
  group.declared = 2;
  EXPECT_FALSE(group.is_example());
}

// Two in thousands are no public.
TEST(Examples, KnownIsWhatAShareOfTrustedAccountsHas) {
  Settings settings = small_settings();
  settings.calibration_us = 2 * base::kDayUs;
  Detector detector(settings);
  detector.open_log(kStart);
  const Token two = base::mix64(7), many = base::mix64(8);
  Log log;
  for (int number = 0; number < 4 * 50; ++number) {
    log.share(40);  // all 3,000 accounts within the first day, and so trusted
    for (Token account = 0; account < 2 && number == 1; ++account) log.add(account, two);
    for (Token account = 0; account < 8 && number == 1; ++account) log.add(account, many);
    observe(detector, log.quarter(number));
    detector.close(kStart + (number + 1) * kQuarterUs);
  }
  ASSERT_FALSE(detector.calibrating());
  ASSERT_EQ(detector.population().trusted_accounts, 3'000U);
  EXPECT_EQ(detector.population().known_actors_min, 3U);
  EXPECT_FALSE(detector.tokens().find(two)->known);
  EXPECT_TRUE(detector.tokens().find(many)->known);
  const std::vector<Token>& known = detector.known_tokens();
  EXPECT_TRUE(std::binary_search(known.begin(), known.end(), many));
  EXPECT_FALSE(std::binary_search(known.begin(), known.end(), two));
}

/// Groups of thirty accounts with rare software that share three texts, or three set-ups.
std::size_t groups_of(bool as_setup) {
  Detector detector = make_calibrated();
  Log log;
  for (int number = 0; number < 8; ++number) {
    log.share(20);
    for (Token account = 5'000; account < 5'030; ++account) {
      for (Token i = 0; i < 3; ++i) {
        Query& query = log.add(account, as_setup ? 0 : base::mix64(7 + i));
        query.client = 4711;
        if (as_setup) query.fingerprint.system = base::mix64(7 + i);
      }
    }
    observe(detector, log.quarter(number));
    detector.close(kStart + (number + 1) * kQuarterUs);
  }
  return detector.groups().groups().size();
}

TEST(Setup, FormsNoGroup) {
  EXPECT_EQ(groups_of(false), 1U);
  EXPECT_EQ(groups_of(true), 0U);
}

}  // namespace
}  // namespace stillwatch::detect
