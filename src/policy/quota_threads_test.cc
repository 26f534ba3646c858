#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>

#include "base/random.h"
#include "policy/quota.h"

namespace stillwatch::policy {
namespace {

constexpr std::int64_t kStart = 1'776'800'000'000'000;

QuotaScope scope(ScopeKind kind, base::Token subject, Limits limits) { return {kind, subject, limits}; }

// Many threads, one time: exactly the limit is granted, whichever scope holds.
TEST(QuotaThreads, NeverOvershoot) {
  constexpr int kThreads = 8, kTries = 4'000;
  Quota quota({4'096});
  const Limits account_limits{3'000, 50'000, 0, 5};
  const Limits tier_limits{7'001, 0, 90'000, 11};
  std::atomic<std::uint64_t> granted_of[4]{}, tokens_of[4]{}, tokens_in_all{0};
  std::atomic<int> streams_of[4]{}, streams_in_all{0};
  std::atomic<bool> overshot{false};
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      base::Random random(static_cast<std::uint64_t>(t) + 1);
      start.arrive_and_wait();
      for (int i = 0; i < kTries; ++i) {
        const std::size_t account = random.below(4);
        const bool stream = random.chance(0.3);
        const std::uint64_t estimate = random.below(40);
        auto reserved =
            quota.reserve({{scope(ScopeKind::tier, 9, tier_limits), scope(ScopeKind::account, account, account_limits),
                            scope(ScopeKind::end_user, random.next(), Limits{1, 40, 0, 1})}},
                          {1, estimate, stream}, kStart);
        if (!reserved) continue;
        ++granted_of[account];
        if (stream && (++streams_of[account] > 5 || ++streams_in_all > 11)) overshot = true;
        if (random.chance(0.2)) std::this_thread::yield();
        const std::uint64_t used = random.below(estimate + 1);
        tokens_of[account] += used;
        tokens_in_all += used;
        if (stream) {
          --streams_in_all;
          --streams_of[account];
        }
        quota.settle(std::move(*reserved), used, kStart);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(overshot);
  std::uint64_t in_all = 0;
  for (std::size_t account = 0; account < 4; ++account) {
    EXPECT_LE(granted_of[account], account_limits.requests_per_minute);
    EXPECT_LE(tokens_of[account], account_limits.tokens_per_minute);
    in_all += granted_of[account];
  }
  EXPECT_LE(in_all, tier_limits.requests_per_minute);
  EXPECT_LE(tokens_in_all, tier_limits.tokens_per_day);
  EXPECT_EQ(quota.counters().granted, in_all);
  EXPECT_EQ(quota.counters().settled, in_all);
  // What is charged in the end is what was granted: nothing was lost or counted twice.
  const auto last = quota.reserve({{scope(ScopeKind::tier, 9, tier_limits)}}, {0, 0, false}, kStart);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->allowances().requests.remaining, tier_limits.requests_per_minute - in_all);
  EXPECT_EQ(last->allowances().tokens.remaining, tier_limits.tokens_per_day - tokens_in_all);
}

TEST(QuotaThreads, GrantExactlyTheLimit) {
  constexpr int kThreads = 8, kTries = 1'500;
  Quota quota;
  std::atomic<std::uint64_t> granted{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTries; ++i) {
        auto reserved = quota.reserve(
            {{scope(ScopeKind::account, 1, {5'000, 0, 0, 0}), scope(ScopeKind::organisation, 1, {6'000, 0, 0, 0})}},
            {1, 3, false}, kStart);
        if (reserved) {
          ++granted;
          quota.settle(std::move(*reserved), 3, kStart);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted, 5'000U);
}

}  // namespace
}  // namespace stillwatch::policy
