// For tests of this module only: a ledger on the disk as a feed writes it, over the end of a month, with two campaigns
// in it, anchored; and the other road to what is in it.
//
// Invariant: times are event time, so that it is the same ledger on any day; only its keys are drawn at random.
// Threads: one user. Cost: about 640 leaves, the first log's more than a bundle, and some 200 syncs.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/commitments.h"
#include "audit/feed_fixture.h"
#include "base/event_time.h"
#include "ledger/log_fixture.h"

namespace stillwatch::report::test {

inline constexpr int kLedgerRecords = 600;  // two an hour from 22 November 2026 on
inline constexpr int kBeforeDecember = 432;
inline constexpr int kRecordsADecision = 25;
inline constexpr int kLedgerAccounts = 7;
inline constexpr const char* kLedgerCase = "c-000001";
inline constexpr const char* kNovember = "shard-s00-2026-11";
inline constexpr const char* kDecember = "shard-s00-2026-12";

inline std::string account_number(int number) { return audit::test::record_number(number).account; }

inline audit::Record timed_record(int number) {
  return audit::test::record_number(number, audit::test::kStartUs + number * base::kHourUs / 2);
}
/// About the account of that record, at its time.
inline audit::Decision timed_decision(int number, std::string campaign) {
  audit::Decision decision = audit::test::decision_number(number, audit::test::kStartUs + number * base::kHourUs / 2);
  decision.campaign = std::move(campaign);
  return decision;
}

inline std::unique_ptr<audit::RecordFeed> open_replay_feed(const std::string& folder) {
  audit::FeedOptions options = audit::test::options_in(folder);
  options.is_replay = true;
  options.begin_us = audit::test::kStartUs;
  return audit::test::open_feed(std::move(options));
}

/// Records [from, to), with a decision after every 25: of kLedgerCase, of c-000002, of no campaign, in turn.
inline void give_records(audit::RecordFeed& feed, int from, int to) {
  for (int number = from; number < to; ++number) {
    feed.give(audit::Given(timed_record(number)));
    if (number % kRecordsADecision != kRecordsADecision - 1) continue;
    const std::string campaigns[] = {kLedgerCase, "c-000002", ""};
    feed.give(audit::Given(timed_decision(number, campaigns[number / kRecordsADecision % 3])));
  }
}

/// Leaves that nobody but a command writes, into the log of this moment.
inline void append_leaf(audit::RecordFeed& feed, const ledger::Leaf& leaf) {
  ASSERT_TRUE(feed.settle(10'000));
  std::string bytes;
  ASSERT_TRUE(ledger::write_leaf(leaf, bytes));
  ASSERT_TRUE(feed.log().append(bytes));
  ASSERT_TRUE(feed.log().flush());
}

/// Deployment, records, one loss; anchored at the end.
inline void write_small_ledger(const std::string& folder) {
  const auto feed = open_replay_feed(folder);
  feed->give(audit::Given(audit::test::deployment()));
  give_records(*feed, 0, 100);
  feed->give(audit::Given(audit::Loss{audit::test::kStartUs + 49 * base::kHourUs,
                                      audit::test::kStartUs + 50 * base::kHourUs, 17, "queue_full"}));
  give_records(*feed, 100, kLedgerRecords);
  const auto stopped = feed->stop();
  ASSERT_TRUE(stopped) << stopped.error().message;
}

/// The keys of a ledger that no feed has open.
class LedgerKeys {
 public:
  explicit LedgerKeys(const std::string& folder) : master_(audit::test::master_of(folder)) {
    ledger::KeyBookOptions options;
    options.now_us = [] { return audit::test::kStartUs + 100 * base::kDayUs; };
    book_ = std::move(*ledger::KeyBook::open(audit::key_book_folder(folder), *master_, std::move(options)));
  }
  ledger::KeyBook& book() { return *book_; }
  ledger::Pseudonyms names(const std::string& account, std::int64_t time_us) {
    return std::move(*ledger::Pseudonyms::look_up(*book_, audit::tenant_of(account), time_us));
  }

 private:
  std::unique_ptr<ledger::KeyWrapper> master_;
  std::unique_ptr<ledger::KeyBook> book_;
};

inline void copy_folder(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

}  // namespace stillwatch::report::test
