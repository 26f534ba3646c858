#include "engine/verdict_table.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/random.h"

namespace stillwatch::engine {
namespace {

using base::Random;
using event::Level;
using event::SubjectKind;
using event::Verdict;

Verdict verdict_of(Token account, Level level, std::uint32_t campaign = 7) {
  Verdict verdict;
  verdict.time_us = 1'776'000'000'000'000;
  verdict.subject = account;
  verdict.level = level;
  verdict.class_ = event::Class::distiller;
  verdict.campaign = campaign;
  verdict.rule = "campaign.member";
  verdict.expires_us = verdict.time_us + base::kDayUs;
  return verdict;
}

TEST(VerdictTable, GivesWhatWasApplied) {
  VerdictTable table;
  EXPECT_TRUE(table.look_up(5).is_clear());
  EXPECT_TRUE(table.look_up(0).is_clear());
  Verdict verdict = verdict_of(5, Level::restrict);
  verdict.dry_run = false;
  verdict.expires_us += 1;
  table.apply(verdict);
  const PublishedLevel found = table.look_up(5);
  EXPECT_EQ(found.level, Level::restrict);
  EXPECT_EQ(found.class_, event::Class::distiller);
  EXPECT_FALSE(found.dry_run);
  EXPECT_EQ(found.campaign, 7U);
  EXPECT_EQ(table.rule_name(found.rule), "campaign.member");
  EXPECT_FALSE(found.is_expired(verdict.expires_us)) << "rounded up to the hour";
  EXPECT_TRUE(found.is_expired(verdict.expires_us + base::kHourUs));
  EXPECT_TRUE(table.look_up(5, verdict.expires_us + base::kHourUs).is_clear());
  table.apply(verdict_of(5, Level::clear));
  EXPECT_TRUE(table.look_up(5).is_clear());
  EXPECT_TRUE(table.list(10).empty());
}

TEST(VerdictTable, EndUsersAreSubjectsOfTheirOwn) {
  VerdictTable table;
  Verdict verdict = verdict_of(31, Level::verify);
  verdict.kind = SubjectKind::end_user;
  verdict.account = 5;
  table.apply(verdict);
  verdict.kind = SubjectKind::campaign;
  verdict.subject = 7;
  table.apply(verdict);
  EXPECT_EQ(table.look_up(end_user_subject(5, 31)).level, Level::verify);
  for (const Token subject : {Token{5}, Token{31}, Token{7}, end_user_subject(31, 5), end_user_subject(6, 31)})
    EXPECT_TRUE(table.look_up(subject).is_clear());
  const auto listed = table.list(10);
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].account, 5U);
  EXPECT_EQ(listed[0].end_user, 31U);
  EXPECT_EQ(listed[0].rule, "campaign.member");
}

TEST(VerdictTable, EqualsASimpleMapThroughGrowthAndChurn) {
  Random random(1);
  VerdictTable table;
  std::map<Token, Level> model;
  for (int i = 0; i < 60'000; ++i) {
    // Subjects come and go: the slots of those that became clear must not fill the table.
    const Token account = 1 + static_cast<Token>(i / 20) + random.below(300);
    const auto level = static_cast<Level>(random.below(7));
    table.apply(verdict_of(account, level));
    if (level == Level::clear) {
      model.erase(account);
    } else {
      model[account] = level;
    }
  }
  for (Token account = 1; account < 4'000; ++account) {
    const auto expected = model.find(account);
    ASSERT_EQ(table.look_up(account).level, expected == model.end() ? Level::clear : expected->second) << account;
  }
  // In pages, in order.
  std::vector<ListedLevel> all;
  for (auto page = table.list(100); !page.empty(); page = table.list(100, &all.back()))
    all.insert(all.end(), page.begin(), page.end());
  ASSERT_EQ(all.size(), model.size());
  auto expected = model.begin();
  for (const ListedLevel& listed : all) {
    EXPECT_EQ(listed.account, expected->first);
    EXPECT_EQ(listed.level, (expected++)->second);
  }
  EXPECT_GT(table.counters().rebuilt, 1U);
  EXPECT_EQ(table.counters().tables_waiting, 0U) << "nobody reads";

  VerdictTable other;
  other.apply(verdict_of(1'000'000, Level::suspend));
  ASSERT_TRUE(other.restore(table.save()));
  EXPECT_TRUE(other.look_up(1'000'000).is_clear());
  EXPECT_EQ(other.save(), table.save());
  for (const auto& [account, level] : model) ASSERT_EQ(other.look_up(account).level, level);
  const std::string bytes = table.save();
  for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 97)
    EXPECT_FALSE(other.restore(std::string_view(bytes).substr(0, size)));
  EXPECT_EQ(other.save(), table.save()) << "damaged bytes change nothing";
}

TEST(VerdictTable, ExpiriesMoveAndEnd) {
  VerdictTable table;
  const Verdict verdict = verdict_of(5, Level::verify);
  table.apply(verdict);
  table.apply(verdict_of(6, Level::verify));
  table.move_expiry(5, 0, verdict.expires_us + base::kDayUs);
  table.move_expiry(7, 0, verdict.expires_us + base::kDayUs);
  EXPECT_FALSE(table.look_up(5, verdict.expires_us + base::kHourUs).is_clear());
  EXPECT_TRUE(table.look_up(6, verdict.expires_us + base::kHourUs).is_clear());
  EXPECT_TRUE(table.look_up(7).is_clear()) << "an expiry makes no level";
  table.drop_expired(verdict.expires_us + base::kHourUs);
  ASSERT_EQ(table.list(10).size(), 1U);
  EXPECT_EQ(table.list(10)[0].account, 5U);
  EXPECT_EQ(table.counters().by_level[static_cast<std::size_t>(Level::verify)], 1U);
}

TEST(VerdictTable, BoundsAreCounted) {
  VerdictTable table(10);
  for (Token account = 1; account <= 12; ++account) table.apply(verdict_of(account, Level::notice));
  EXPECT_EQ(table.counters().not_published, 2U);
  table.apply(verdict_of(3, Level::verify));
  EXPECT_EQ(table.look_up(3).level, Level::verify) << "those that are there still change";
  for (int i = 0; i < 1'100; ++i) {
    Verdict verdict = verdict_of(4, Level::notice, 1U << 30);
    verdict.rule = "rule" + std::to_string(i);
    table.apply(verdict);
  }
  EXPECT_GT(table.counters().rules_shed, 0U);
  EXPECT_EQ(table.look_up(4).rule, 0U);
  EXPECT_EQ(table.look_up(4).campaign, PublishedLevel::kCampaignUnknown);
  EXPECT_EQ(table.counters().by_level[static_cast<std::size_t>(Level::verify)], 1U);
}

// Each subject has one campaign for ever and a level that only alternates: what a reader sees must be one of its own
// two states, or none before it was published, at any moment of growth. Meaningful under the thread sanitizer too.
TEST(VerdictTable, ReadersNeverSeeAMixtureWhileItGrows) {
  constexpr Token kSubjects = 30'000;
  const auto campaign_of = [](Token account) {
    return static_cast<std::uint32_t>(base::mix64(account) % 1'000'000 + 1);
  };
  VerdictTable table;
  std::atomic<Token> published{0};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0}, missing{0}, reads{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      Random random(static_cast<std::uint64_t>(reader));
      while (!stop.load()) {
        const Token known = published.load();
        const Token account = 1 + random.below(kSubjects);
        const PublishedLevel found = table.look_up(account);
        reads.fetch_add(1, std::memory_order_relaxed);
        if (found.is_clear()) {
          missing.fetch_add(account <= known && account % 3 != 0 ? 1 : 0);
        } else if (found.campaign != campaign_of(account) ||
                   (found.level != Level::verify && found.level != Level::restrict)) {
          wrong.fetch_add(1);
        }
      }
    });
  }
  for (Token account = 1; account <= kSubjects; ++account) {
    table.apply(verdict_of(account, Level::verify, campaign_of(account)));
    published.store(account);
    const Token earlier = 1 + base::mix64(account) % account;
    // Every third subject is cleared now and then.
    const Level level = earlier % 3 == 0 && account % 2 == 0 ? Level::clear : Level::restrict;
    table.apply(verdict_of(earlier, level, campaign_of(earlier)));
  }
  while (reads.load() < 100'000) std::this_thread::yield();
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_EQ(missing.load(), 0U);
  table.apply(verdict_of(1, Level::verify));
  EXPECT_EQ(table.counters().tables_waiting, 0U) << "all readers have left";
}

}  // namespace
}  // namespace stillwatch::engine
