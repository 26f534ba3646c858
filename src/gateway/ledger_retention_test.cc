// What a gateway's ledger lets go of when its time is over: states that decisions rest on, and entries of old logs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "gateway/ledger_link_fixture.h"
#include "ledger/ended_logs.h"
#include "ledger/hold_book.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;
using test::ledger_in;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kDayMs = 86'400'000;

/// A ledger of eight months, January to August 2026, with a record, a state and a decision in each but the last.
struct Ledger {
  Folder folder;
  settings::Ledger settings = ledger_in(folder);
  std::atomic<std::int64_t> now_ms{*base::parse_time("2026-01-10T00:00:00Z") / 1'000};
  std::unique_ptr<LedgerLink> link;
  std::vector<ledger::Hash32> states;

  Ledger() {
    auto opened = LedgerLink::open(settings, test::kPolicy, [this] { return now_ms.load(); });
    if (!opened || !(*opened)->recall("", false)) throw std::runtime_error("cannot open the ledger");
    link = std::move(*opened);
    for (int month = 0; month < 8; ++month, now_ms += 31 * kDayMs) {
      if (month > 0) keep();
      std::vector<audit::Record> records(1);
      records[0].time_us = now_ms * 1'000;
      records[0].account = "acct_1";
      records[0].line = "line " + std::to_string(month);
      link->lines(records, true);
      audit::Decision decision;
      decision.time_us = now_ms * 1'000;
      decision.account = "acct_1";
      decision.rule = "campaign.member", decision.level = "throttle", decision.class_ = "distiller";
      decision.line = "verdict " + std::to_string(month);
      link->verdict(std::move(decision), true);
      if (!link->settle()) throw std::runtime_error("cannot write the ledger");
    }
    now_ms -= 31 * kDayMs;
  }
  void keep() {
    audit::KeptState state;
    state.first_us = *base::parse_time("2026-01-10T00:00:00Z");
    state.time_us = now_ms * 1'000;
    state.engine = std::to_string(now_ms.load());
    states.push_back(crypto::sha256(audit::write_state(state)));
    if (!link->wants_state() || !link->keep(state, "names")) throw std::runtime_error("cannot keep a state");
  }
  base::Status apply(const ledger::RetentionProfile& profile, std::string_view time) {
    return apply_retention(*link->feed(), settings.folder, profile, *base::parse_time(time));
  }
  std::vector<ledger::Hash32> kept() const {
    std::vector<ledger::Hash32> out;
    const auto list = audit::KeptStates(settings.folder).list();
    for (const auto& entry : *list) out.push_back(entry.hash);
    return out;
  }
  /// Of leaves that are still there.
  std::vector<ledger::EraseLeaf> erasures() const {
    std::vector<ledger::EraseLeaf> out;
    const auto logs = audit::logs_of_shard(settings.folder, settings.shard);
    for (const audit::ShardLog& log : *logs) {
      const auto reader = ledger::LogReader::open(log.folder);
      EXPECT_TRUE(reader->scan(reader->index_min(), reader->size(), [&](std::uint64_t, std::string_view bytes) {
        const auto leaf = ledger::read_leaf(bytes);
        if (const auto* one = std::get_if<ledger::EraseLeaf>(&*leaf)) out.push_back(*one);
        return true;
      }));
    }
    return out;
  }
  /// Months whose entries are there.
  std::vector<std::string> readable() const {
    std::vector<std::string> out;
    const auto logs = audit::logs_of_shard(settings.folder, settings.shard);
    for (const audit::ShardLog& log : *logs) {
      if (ledger::LogReader::open(log.folder)->entry(0)) out.push_back(log.origin.substr(log.origin.size() - 2));
    }
    return out;
  }
};

ledger::RetentionProfile long_profile() {
  ledger::RetentionProfile profile;
  profile.days.fill(3'650);
  return profile;
}

TEST(LedgerRetention, AStateGoesWhenTheLastDecisionThatCanRestOnItIsDue) {
  Ledger ledger;
  ASSERT_EQ(ledger.kept(), ledger.states);
  EXPECT_FALSE(ledger.link->wants_state());
  ledger::RetentionProfile profile = long_profile();
  profile.of(ledger::RetentionClass::evidence) = 30;
  // The second state was kept on 2026-03-13: the first one's last day, and 30 days more.
  ASSERT_TRUE(ledger.apply(profile, "2026-04-12T12:00:00Z"));
  EXPECT_EQ(ledger.kept(), ledger.states);
  ASSERT_TRUE(ledger.apply(profile, "2026-04-13T12:00:00Z"));
  EXPECT_EQ(ledger.kept(), (std::vector(ledger.states.begin() + 1, ledger.states.end())));
  // However late it is, decisions of today rest on the newest.
  ledger.now_ms = *base::parse_time("2030-01-01T00:00:00Z") / 1'000;
  ASSERT_TRUE(ledger.apply(profile, "2030-01-01T00:00:00Z"));
  EXPECT_EQ(ledger.kept(), std::vector{ledger.states.back()});
  ASSERT_TRUE(ledger.apply(profile, "2030-01-02T00:00:00Z"));
  std::set<ledger::Name12> told;
  for (const ledger::EraseLeaf& leaf : ledger.erasures()) {
    if (leaf.why == "states: retention") told.insert(leaf.keys.begin(), leaf.keys.end());
  }
  EXPECT_EQ(told.size(), ledger.states.size() - 1);
  EXPECT_EQ(ledger.erasures().size(), 4U) << "a leaf of each order and one of its states; nothing when nothing is due";
  ASSERT_TRUE(ledger.link->stop());
  const auto check = audit::check_kept_states(ledger.settings.folder);
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->findings.empty());
  EXPECT_EQ(check->erased, ledger.states.size() - 1);
}

TEST(LedgerRetention, EntriesOfEndedLogsGoAndTheLogSaysSo) {
  Ledger ledger;
  ledger::RetentionProfile profile = long_profile();
  profile.of(ledger::RetentionClass::entries) = 183;
  ASSERT_TRUE(ledger.apply(profile, "2026-08-12T12:00:00Z"));
  EXPECT_THAT(ledger.readable(), ElementsAre("01", "02", "03", "04", "05", "06", "07", "08"));
  EXPECT_THAT(ledger.erasures(), IsEmpty());
  // January's log ended on 2026-02-10.
  ASSERT_TRUE(ledger.apply(profile, "2026-08-13T12:00:00Z"));
  EXPECT_THAT(ledger.readable(), ElementsAre("02", "03", "04", "05", "06", "07", "08"));
  const auto erasures = ledger.erasures();
  ASSERT_EQ(erasures.size(), 1U);
  EXPECT_EQ(erasures[0].why, "retention");
  EXPECT_TRUE(erasures[0].log->ends_with("/2026-01"));
  EXPECT_EQ(erasures[0].index_min, erasures[0].records);
  EXPECT_THAT(erasures[0].keys, IsEmpty());
  ASSERT_TRUE(ledger.apply(profile, "2026-08-14T12:00:00Z"));
  EXPECT_EQ(ledger.erasures().size(), 1U);
  // Never the one that is written to, and a writer starts on what is left.
  ASSERT_TRUE(ledger.apply(profile, "2030-01-01T00:00:00Z"));
  EXPECT_THAT(ledger.readable(), ElementsAre("08"));
  ASSERT_TRUE(ledger.link->stop());
  ledger.link.reset();
  auto again = LedgerLink::open(ledger.settings, test::kPolicy, [&] { return ledger.now_ms.load(); });
  ASSERT_TRUE(again) << again.error().message;
  const auto known = (*again)->recall("", false);
  ASSERT_TRUE(known) << known.error().message;
  ASSERT_TRUE((*again)->stop());
}

TEST(LedgerRetention, AHoldOnAnyDayOfThemKeepsLogAndState) {
  Ledger ledger;
  ledger::RetentionProfile profile = long_profile();
  profile.of(ledger::RetentionClass::entries) = 183;
  profile.of(ledger::RetentionClass::evidence) = 30;
  {
    auto holds = ledger::HoldBook::open(audit::holds_path(ledger.settings.folder), ledger.link->feed()->keys());
    ASSERT_TRUE(holds);
    const auto day = [](std::string_view time) { return ledger::day_of(*base::parse_time(time)); };
    ASSERT_TRUE(holds->place(
        {"h1", "7", "counsel", "letter", {"somebody"}, day("2026-03-20T00:00:00Z"), day("2026-04-01T00:00:00Z")}));
  }
  ASSERT_TRUE(ledger.apply(profile, "2030-01-01T00:00:00Z"));
  // March's log ends on 2026-04-13 and has a record of 2026-03-13.
  EXPECT_THAT(ledger.readable(), ElementsAre("03", "08"));
  // All states know of records since January; those kept before the hold's first day know nothing of its days, but
  // were in use until the next one.
  EXPECT_EQ(ledger.kept().size(), ledger.states.size() - 1);
  {
    auto holds = ledger::HoldBook::open(audit::holds_path(ledger.settings.folder), ledger.link->feed()->keys());
    ASSERT_TRUE(holds && holds->release("h1", "counsel", "settled"));
  }
  ledger.now_ms = *base::parse_time("2030-01-02T00:00:00Z") / 1'000;
  ASSERT_TRUE(ledger.apply(profile, "2030-01-02T00:00:00Z"));
  EXPECT_THAT(ledger.readable(), ElementsAre("08", "01")) << "the last of them is of today, and has the leaves";
  EXPECT_EQ(ledger.kept().size(), 1U);
  ASSERT_TRUE(ledger.link->stop());
}

TEST(LedgerRetention, WhatACrashLeftHalfDoneIsFinishedAndTold) {
  Ledger ledger;
  ledger::RetentionProfile profile = long_profile();
  const auto ended = ledger::ended_logs(ledger.settings.folder);
  ASSERT_TRUE(ended && ended->size() == 7);
  ASSERT_TRUE(ledger::raise_minimum(ended->front()));
  ASSERT_TRUE(ledger.apply(profile, "2026-08-20T00:00:00Z"));
  EXPECT_EQ(ledger.erasures().size(), 1U);
  EXPECT_EQ(ledger::ended_logs(ledger.settings.folder)->size(), 6U);
  ASSERT_TRUE(ledger.apply(profile, "2026-08-21T00:00:00Z"));
  EXPECT_EQ(ledger.erasures().size(), 1U);
  ASSERT_TRUE(ledger.link->stop());
}

}  // namespace
}  // namespace stillwatch::gateway
