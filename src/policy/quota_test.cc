#include "policy/quota.h"

#include <gtest/gtest.h>

#include "base/event_time.h"
#include "base/random.h"
#include "policy/quota_model.h"

namespace stillwatch::policy {
namespace {

using base::kDayUs;
using base::kMinuteUs;
using base::kSecondUs;
using test::SlowQuota;

constexpr std::int64_t kStart = 1'776'800'000'000'000;

QuotaScope scope(ScopeKind kind, base::Token subject, Limits limits) { return {kind, subject, limits}; }

struct Open {
  QuotaGrant grant;
  SlowQuota::Hold hold;
};

// Traffic at random against Quota and the model; what Quota decides happens.
class Traffic {
 public:
  Traffic(std::uint64_t seed, std::uint64_t subjects) : random_(seed), subjects_(subjects) {}

  void restart(Quota& quota) { quota_ = &quota; }
  /// All that is in flight is lost, and counts as used.
  void crash() {
    for (Open& open : open_) model_.settle(open.hold, open.hold.ask.tokens, now_us_);
    open_.clear();  // the grants end in the quota that is about to go
  }
  void pass(std::int64_t us) { now_us_ += us; }
  std::int64_t now_us() const { return now_us_; }

  /// `exact`: Quota must admit whatever the model admits; else only nothing that it does not.
  void step(bool exact) {
    now_us_ += random_.chance(0.02) ? static_cast<std::int64_t>(random_.below(2 * kMinuteUs))
                                    : static_cast<std::int64_t>(random_.below(kSecondUs));
    std::int64_t now_us = now_us_;
    if (!open_.empty() && random_.chance(0.45)) return finish(now_us);
    SlowQuota::Hold hold;
    for (std::size_t kind = 0; kind < 3; ++kind) {
      if (!random_.chance(0.7)) continue;
      const base::Token subject = 1 + random_.below(subjects_);
      // The limits of a subject stay what they are.
      base::Random own(subject * 8 + kind);
      const Limits limits{own.below(12), own.below(400), own.below(4'000), static_cast<std::uint32_t>(own.below(4)),
                          own.chance(0.5) ? 0 : 5 + own.below(200)};
      hold.scopes.push_back(scope(static_cast<ScopeKind>(kind), subject, limits));
    }
    hold.ask = {static_cast<std::uint32_t>(1 + random_.below(2)), random_.below(80), random_.chance(0.5)};
    const bool expected = model_.admits(hold.scopes, hold.ask, now_us);
    auto reserved = quota_->reserve(hold.scopes, hold.ask, now_us);
    if (exact) {
      ASSERT_EQ(reserved.has_value(), expected);
    } else {
      ASSERT_TRUE(expected || !reserved.has_value());
    }
    if (!reserved) {
      ++denied_;
      check_wait(hold, reserved.error());
      return;
    }
    ++granted_;
    model_.grant(hold, now_us);
    open_.push_back({std::move(*reserved), std::move(hold)});
  }
  int granted() const { return granted_; }
  int denied() const { return denied_; }

 private:
  void finish(std::int64_t now_us) {
    std::swap(open_[random_.below(open_.size())], open_.back());
    Open open = std::move(open_.back());
    open_.pop_back();
    const std::uint64_t used = random_.below(open.hold.ask.tokens + 1);
    quota_->settle(std::move(open.grant), used, now_us);
    model_.settle(open.hold, used, now_us);
  }
  // Told to wait for a bucket of known limits: just before it the same is denied still, by the model as well.
  void check_wait(const SlowQuota::Hold& hold, const QuotaDenied& denied) const {
    if (denied.never || denied.retry_after_us <= kSecondUs || !exact_waits_) return;
    ASSERT_FALSE(model_.admits(hold.scopes, hold.ask, now_us_ + denied.retry_after_us - 1));
  }

  base::Random random_;
  std::uint64_t subjects_;
  bool exact_waits_ = true;
  Quota* quota_ = nullptr;
  SlowQuota model_;
  std::vector<Open> open_;
  std::int64_t now_us_ = kStart;
  int granted_ = 0, denied_ = 0;

 public:
  void without_waits() { exact_waits_ = false; }
};

TEST(Quota, DecidesAsTheSlowModelDoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Quota quota;
    Traffic traffic(seed, 12);
    traffic.restart(quota);
    for (int i = 0; i < 600 && !HasFatalFailure(); ++i) traffic.step(true);
    EXPECT_GT(traffic.granted(), 50);
    EXPECT_GT(traffic.denied(), 50);
    traffic.crash();
  }
}

TEST(Quota, ATableThatIsFullGrantsLessAndNeverMore) {
  std::uint64_t evicted = 0, shared = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Quota quota({64});  // one entry a shard
    Traffic traffic(seed, 300);
    traffic.without_waits();
    traffic.restart(quota);
    for (int i = 0; i < 2'000 && !HasFatalFailure(); ++i) traffic.step(false);
    EXPECT_GT(traffic.granted(), 100);
    traffic.crash();
    evicted += quota.counters().evicted;
    shared += quota.counters().shared_entries_used;
    EXPECT_LE(quota.counters().entries, 64U);
  }
  EXPECT_GT(evicted, 0U);
  EXPECT_GT(shared, 0U);
}

TEST(Quota, AStopLosesNothingAndACrashGrantsNothing) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    auto quota = std::make_unique<Quota>();
    Traffic traffic(seed, 12);
    traffic.without_waits();
    traffic.restart(*quota);
    for (int round = 0; round < 6 && !HasFatalFailure(); ++round) {
      // After a crash Quota knows less than the model, and may only deny more.
      for (int i = 0; i < 150; ++i) traffic.step(round == 0);
      const bool stopped = seed % 2 == 0;
      const std::string early = quota->save(traffic.now_us(), false);
      if (!stopped) {
        for (int i = 0; i < 60; ++i) traffic.step(false);
      }
      const std::string state = stopped ? quota->save(traffic.now_us(), true) : early;
      traffic.crash();
      auto next = std::make_unique<Quota>();
      ASSERT_TRUE(next->load(state, traffic.now_us()));
      quota = std::move(next);
      traffic.restart(*quota);
      traffic.pass(static_cast<std::int64_t>(seed) * kSecondUs);
    }
    EXPECT_GT(traffic.granted(), 100);
    traffic.crash();
  }
}

TEST(Quota, AfterAStopDecisionsAreThoseWithoutOne) {
  Quota before;
  Traffic traffic(7, 12);
  traffic.restart(before);
  for (int i = 0; i < 400; ++i) traffic.step(true);
  const std::string state = before.save(traffic.now_us(), true);
  EXPECT_EQ(state, before.save(traffic.now_us(), true));
  traffic.crash();
  Quota after;
  ASSERT_TRUE(after.load(state, traffic.now_us()));
  EXPECT_EQ(after.save(traffic.now_us(), true), state);
  traffic.restart(after);
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) traffic.step(true);
  traffic.crash();
}

TEST(Quota, ACrashChargesWhoTheStateDoesNotKnow) {
  const Limits limits{10, 1'000, 100'000, 2};
  const auto one = {scope(ScopeKind::account, 5, limits)};
  Quota empty, quota;
  ASSERT_TRUE(quota.load(empty.save(kStart, false), kStart + kMinuteUs));
  const auto denied = quota.reserve(one, {1, 10, false}, kStart + kMinuteUs);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().allowances.requests.remaining, 0U);
  // Of the day only what the minutes of the gap can have used, and a minute's limit twice.
  const auto later = quota.reserve(one, {1, 10, false}, kStart + 2 * kMinuteUs);
  ASSERT_TRUE(later);
  EXPECT_EQ(quota.counters().entries, 1U);

  Quota unknown;
  unknown.assume_used(kStart);
  EXPECT_TRUE(Quota().load(unknown.save(kStart - 1, true), kStart));
  EXPECT_FALSE(unknown.reserve(one, {1, 0, false}, kStart));
  EXPECT_TRUE(unknown.reserve(one, {1, 0, false}, kStart + kDayUs));
}

TEST(Quota, DamagedStatesAreRefused) {
  Quota quota;
  (void)quota.reserve({{scope(ScopeKind::key, 1, {5, 5, 5, 1})}}, {1, 1, false}, kStart);
  const std::string state = quota.save(kStart, true);
  for (std::size_t size = 0; size < state.size(); ++size) EXPECT_FALSE(Quota().load(state.substr(0, size), kStart));
  EXPECT_FALSE(Quota().load(state + "x", kStart));
  base::Random random(3);
  for (int i = 0; i < 2'000; ++i) {
    std::string changed = state;
    changed[random.below(changed.size())] = static_cast<char>(random.next());
    Quota other;
    if (!other.load(changed, kStart)) continue;  // what passes must be usable
    (void)other.reserve({{scope(ScopeKind::key, 1, {5, 5, 5, 1})}}, {1, 1, false}, kStart + 1);
    (void)other.save(kStart + 2, true);
  }
}

// The promise itself, without the model: every span between two events is looked at.
TEST(Quota, InAnySpanNoMoreThanTheLimitAndWhatFillsMeanwhile) {
  struct Event {
    std::int64_t time_us;
    std::uint64_t amount;
  };
  const Limits limits{20, 700, 0, 0};
  const auto holds = [](const std::vector<Event>& events, std::uint64_t limit) {
    for (std::size_t first = 0; first < events.size(); ++first) {
      std::uint64_t sum = 0;
      for (std::size_t last = first; last < events.size(); ++last) {
        sum += events[last].amount;
        const auto span_us = static_cast<std::uint64_t>(events[last].time_us - events[first].time_us);
        if (sum * kMinuteUs > limit * (kMinuteUs + span_us)) return false;
      }
    }
    return true;
  };
  Quota quota;
  base::Random random(31);
  std::vector<Event> requests, tokens;
  std::vector<QuotaGrant> open;
  std::int64_t now_us = kStart;
  for (int i = 0; i < 4'000; ++i) {
    now_us += static_cast<std::int64_t>(random.below(random.chance(0.01) ? 3 * kMinuteUs : kSecondUs));
    if (!open.empty() && random.chance(0.5)) {
      std::swap(open[random.below(open.size())], open.back());
      const std::uint64_t used = random.below(open.back().tokens_held() + 1);
      quota.settle(std::move(open.back()), used, now_us);
      open.pop_back();
      tokens.push_back({now_us, used});
      continue;
    }
    auto reserved = quota.reserve({{scope(ScopeKind::account, 1, limits)}}, {1, random.below(200), false}, now_us);
    if (!reserved) continue;
    requests.push_back({now_us, 1});
    open.push_back(std::move(*reserved));
  }
  EXPECT_GT(requests.size(), 500U);
  EXPECT_TRUE(holds(requests, 20));
  EXPECT_TRUE(holds(tokens, 700));
  EXPECT_FALSE(holds(requests, 15));  // the bounds are near: the test would see a leak
  EXPECT_FALSE(holds(tokens, 300));
}

TEST(Quota, AllScopesOrNone) {
  Quota quota;
  const QuotaScope wide = scope(ScopeKind::account, 1, {100, 1'000, 0, 0});
  const QuotaScope narrow = scope(ScopeKind::key, 1, {1, 0, 0, 0});
  auto first = quota.reserve({{wide, narrow}}, {1, 10, false}, kStart);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->allowances().requests.limit, 1U);
  EXPECT_EQ(first->allowances().requests.remaining, 0U);
  EXPECT_EQ(first->allowances().requests.reset_us, kMinuteUs);
  EXPECT_EQ(first->allowances().tokens.remaining, 990U);
  const auto second = quota.reserve({{wide, narrow}}, {1, 10, false}, kStart);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().scope, ScopeKind::key);
  EXPECT_EQ(second.error().limit, LimitKind::requests_per_minute);
  EXPECT_EQ(second.error().retry_after_us, kMinuteUs);
  const auto third = quota.reserve({{wide}}, {1, 0, false}, kStart);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->allowances().requests.remaining, 98U);  // the denied one took nothing
  EXPECT_EQ(third->allowances().tokens.remaining, 990U);
}

TEST(Quota, WhatCanNeverFitSaysSo) {
  Quota quota;
  const auto denied = quota.reserve({{scope(ScopeKind::account, 1, {0, 100, 0, 0})}}, {1, 101, false}, kStart);
  ASSERT_FALSE(denied);
  EXPECT_TRUE(denied.error().never);
  EXPECT_EQ(denied.error().limit_value, 100U);
}

TEST(Quota, AGrantEndsOnce) {
  Quota quota;
  const auto scopes = {scope(ScopeKind::account, 1, {0, 1'000, 0, 1})};
  {
    auto held = quota.reserve(scopes, {1, 400, true}, kStart);
    ASSERT_TRUE(held);
    EXPECT_FALSE(quota.reserve(scopes, {1, 1, true}, kStart));  // one stream at a time
    QuotaGrant moved = std::move(*held);
    EXPECT_FALSE(held->active());
    QuotaGrant again;
    again = std::move(moved);
    EXPECT_TRUE(again.active());
  }
  EXPECT_EQ(quota.counters().dropped, 1U);
  EXPECT_EQ(quota.counters().tokens_charged, 400U);
  auto next = quota.reserve(scopes, {1, 600, true}, kStart);
  ASSERT_TRUE(next);
  quota.settle(std::move(*next), 100, kStart);
  EXPECT_FALSE(next->active());
  quota.settle(std::move(*next), 100, kStart);  // of nothing: nothing
  EXPECT_EQ(quota.counters().settled, 1U);
  const auto rest = quota.reserve(scopes, {1, 500, false}, kStart);
  EXPECT_TRUE(rest);
}

TEST(Quota, WhatExceedsItsEstimateIsDebt) {
  Quota quota;
  const auto scopes = {scope(ScopeKind::account, 1, {0, 60, 0, 0})};
  auto grant = quota.reserve(scopes, {1, 10, false}, kStart);
  ASSERT_TRUE(grant);
  quota.settle(std::move(*grant), 130, kStart);
  EXPECT_EQ(quota.counters().debt_tokens, 120U);
  const auto denied = quota.reserve(scopes, {1, 1, false}, kStart);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().retry_after_us, 71 * kSecondUs);
  EXPECT_TRUE(quota.reserve(scopes, {1, 1, false}, kStart + 71 * kSecondUs));
}

TEST(Quota, TimeThatGoesBackRefillsNothing) {
  Quota quota;
  const auto scopes = {scope(ScopeKind::account, 1, {1, 0, 0, 0})};
  ASSERT_TRUE(quota.reserve(scopes, {}, kStart));
  EXPECT_FALSE(quota.reserve(scopes, {}, kStart - kDayUs));
  EXPECT_FALSE(quota.reserve(scopes, {}, kStart + kMinuteUs - 1));
  EXPECT_TRUE(quota.reserve(scopes, {}, kStart + kMinuteUs));
}

TEST(Quota, WithoutLimitsNothingIsKept) {
  Quota quota;
  EXPECT_TRUE(quota.reserve({}, {}, kStart));
  EXPECT_TRUE(quota.reserve({{scope(ScopeKind::tier, 1, {})}}, {1, 1'000'000, true}, kStart));
  EXPECT_EQ(quota.counters().entries, 0U);
}

}  // namespace
}  // namespace stillwatch::policy
