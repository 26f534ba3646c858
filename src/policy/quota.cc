#include "policy/quota.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "policy/quota_table.h"

namespace stillwatch::policy {
namespace {

constexpr std::array<std::string_view, kScopeKinds> kScopeNames{"end_user",     "key",  "account",
                                                                "organisation", "tier", "remedy"};
constexpr std::array<std::string_view, kLimitKinds> kLimitNames{"requests_per_minute", "tokens_per_minute",
                                                                "tokens_per_day", "streams", "requests_per_day"};
// What waits for other requests to end can say no time: ask again soon.
constexpr std::int64_t kRetryWhenHeldUs = base::kSecondUs;
constexpr std::int64_t kNoTime = INT64_MIN;  // before every entry's time: leaks nothing

struct Part {
  std::uint64_t key = 0;
  const QuotaScope* scope = nullptr;
  QuotaEntry* entry = nullptr;
  bool shared = false;
};

// The scopes of one request that have limits, in the order of their shards: the order in which shards are locked.
class Parts {
 public:
  explicit Parts(std::span<const QuotaScope> scopes) {
    STILLWATCH_ASSERT(scopes.size() <= kQuotaScopesMax);
    for (const QuotaScope& scope : scopes) {
      if (!scope.limits.none()) add({quota_key(scope.kind, scope.subject), &scope, nullptr, false});
    }
  }
  std::span<Part> all() { return {parts_.data(), size_}; }
  bool empty() const { return size_ == 0; }

 private:
  void add(const Part& part) {
    const auto before = [](const Part& a, const Part& b) {
      return std::pair(shard_of(a.key), a.key) < std::pair(shard_of(b.key), b.key);
    };
    std::size_t at = size_;
    for (; at > 0 && before(part, parts_[at - 1]); --at) {
    }
    if (at > 0 && parts_[at - 1].key == part.key) return;
    for (std::size_t i = size_; i > at; --i) parts_[i] = parts_[i - 1];
    parts_[at] = part;
    ++size_;
  }

  std::array<Part, kQuotaScopesMax> parts_;
  std::size_t size_ = 0;
};

// Locks of all shards that the parts lie in, held together.
class ShardLocks {
 public:
  ShardLocks(std::array<QuotaShard, kQuotaShards>& shards, std::span<const Part> parts) {
    for (const Part& part : parts) {
      QuotaShard* shard = &shards[shard_of(part.key)];
      if (size_ > 0 && locked_[size_ - 1] == shard) continue;
      shard->mutex.lock();
      locked_[size_++] = shard;
    }
  }
  ~ShardLocks() {
    while (size_ > 0) locked_[--size_]->mutex.unlock();
  }
  ShardLocks(const ShardLocks&) = delete;
  ShardLocks& operator=(const ShardLocks&) = delete;

 private:
  std::array<QuotaShard*, kQuotaScopesMax> locked_{};
  std::size_t size_ = 0;
};

struct Limits40 : Limits {
  explicit Limits40(const Limits& limits) : Limits(limits) {
    requests_per_minute = std::min(requests_per_minute, kQuotaLimitMax);
    tokens_per_minute = std::min(tokens_per_minute, kQuotaLimitMax);
    tokens_per_day = std::min(tokens_per_day, kQuotaLimitMax);
    requests_per_day = std::min(requests_per_day, kQuotaLimitMax);
  }
};

// Collects what stands against a reservation; of several reasons the one that takes longest is told.
class Denial {
 public:
  template <class B>
  void check(ScopeKind scope, LimitKind kind, const B& bucket, std::uint64_t held, std::uint64_t ask,
             std::uint64_t limit) {
    if (limit == 0 || bucket.charged + held + ask <= limit) return;
    if (ask > limit) return note({scope, kind, true, INT64_MAX, limit, {}});
    const bool held_alone = held + ask > limit;
    const std::int64_t wait = held_alone ? kRetryWhenHeldUs : bucket.time_until(limit, held + ask, limit);
    note({scope, kind, false, std::max<std::int64_t>(wait, 1), limit, {}});
  }
  void check_streams(ScopeKind scope, std::uint32_t streams, std::uint32_t limit) {
    if (limit != 0 && streams >= limit) {
      note({scope, LimitKind::streams, false, kRetryWhenHeldUs, limit, {}});
    }
  }
  bool any() const { return any_; }
  QuotaDenied& reason() { return reason_; }

 private:
  void note(const QuotaDenied& reason) {
    if (!any_ || reason.retry_after_us > reason_.retry_after_us) reason_ = reason;
    any_ = true;
  }
  bool any_ = false;
  QuotaDenied reason_;
};

// Finds the scope that leaves least; only that one's reset is worked out.
class Tightest {
 public:
  template <class B>
  void see(const B& bucket, std::uint64_t held, std::uint64_t limit) {
    if (limit == 0) return;
    const std::uint64_t taken = bucket.charged + held;
    const std::uint64_t remaining = taken >= limit ? 0 : limit - taken;
    if (seen_ && remaining >= allowance_.remaining) return;
    seen_ = true;
    allowance_.limit = limit;
    allowance_.remaining = remaining;
    taken_ = taken;
    rest_ = bucket.rest;
    window_us_ = B::kWindowUs;
  }
  Allowance allowance() const {
    Allowance result = allowance_;
    if (taken_ > 0) {
      const WideCount us = (static_cast<WideCount>(taken_) * window_us_ - rest_ + result.limit - 1) / result.limit;
      result.reset_us = us > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(us);
    }
    return result;
  }

 private:
  bool seen_ = false;
  Allowance allowance_;
  std::uint64_t taken_ = 0, rest_ = 0, window_us_ = 1;
};

Allowances allowances_of(std::span<const Part> parts) {
  Tightest requests, tokens;
  for (const Part& part : parts) {
    const QuotaEntry& entry = *part.entry;
    const Limits40 limits(part.scope->limits);
    requests.see(entry.requests, 0, limits.requests_per_minute);
    requests.see(entry.requests_day, 0, limits.requests_per_day);
    tokens.see(entry.tokens, entry.held, limits.tokens_per_minute);
    tokens.see(entry.day, entry.held, limits.tokens_per_day);
  }
  return {requests.allowance(), tokens.allowance()};
}

}  // namespace

std::string_view name(ScopeKind kind) { return kScopeNames[static_cast<std::size_t>(kind)]; }
std::string_view name(LimitKind kind) { return kLimitNames[static_cast<std::size_t>(kind)]; }

QuotaGrant::QuotaGrant(QuotaGrant&& other) noexcept { *this = std::move(other); }

QuotaGrant& QuotaGrant::operator=(QuotaGrant&& other) noexcept {
  if (this == &other) return *this;
  if (quota_ != nullptr) quota_->finish(*this, tokens_, kNoTime, true);
  quota_ = std::exchange(other.quota_, nullptr);
  keys_ = other.keys_;
  kinds_ = other.kinds_;
  shared_ = other.shared_;
  scopes_ = other.scopes_;
  stream_ = other.stream_;
  tokens_ = other.tokens_;
  allowances_ = other.allowances_;
  return *this;
}

QuotaGrant::~QuotaGrant() {
  if (quota_ != nullptr) quota_->finish(*this, tokens_, kNoTime, true);
}

Quota::Quota(QuotaSettings settings) : shards_(std::make_unique<Shards>()) {
  const std::size_t each = std::max<std::size_t>(settings.entries_max / kQuotaShards, 1);
  for (QuotaShard& shard : shards_->all) shard.set_capacity(each);
}

Quota::~Quota() = default;

QuotaReserved Quota::reserve(std::span<const QuotaScope> scopes, const QuotaAsk& ask, std::int64_t now_us) {
  Parts parts(scopes);
  QuotaGrant grant;
  if (parts.empty()) return grant;
  const std::uint64_t tokens = std::min(ask.tokens, kQuotaLimitMax + 1);
  auto& shards = shards_->all;
  const ShardLocks locks(shards, parts.all());

  for (const Part& part : parts.all()) shards[shard_of(part.key)].prefetch(part.key);
  bool moved = false;
  for (Part& part : parts.all()) {
    QuotaShard& shard = shards[shard_of(part.key)];
    const QuotaScope scope{part.scope->kind, part.scope->subject, Limits40(part.scope->limits)};
    part.entry = &shard.find_or_make(part.key, scope, now_us, shards_->crash, moved);
    part.shared = part.entry == &shard.shared(scope.kind);
    ++part.entry->grants;  // an entry that the next one's room might be made from stays
  }
  Denial denial;
  for (Part& part : parts.all()) {
    if (moved && !part.shared) part.entry = shards[shard_of(part.key)].find(part.key);
    const QuotaEntry& entry = *part.entry;
    const Limits40 limits(part.scope->limits);
    const ScopeKind kind = part.scope->kind;
    denial.check(kind, LimitKind::requests_per_minute, entry.requests, 0, ask.requests, limits.requests_per_minute);
    denial.check(kind, LimitKind::tokens_per_minute, entry.tokens, entry.held, tokens, limits.tokens_per_minute);
    denial.check(kind, LimitKind::tokens_per_day, entry.day, entry.held, tokens, limits.tokens_per_day);
    denial.check(kind, LimitKind::requests_per_day, entry.requests_day, 0, ask.requests, limits.requests_per_day);
    if (ask.stream) denial.check_streams(kind, entry.streams, limits.streams_max);
  }
  QuotaCounters& counters = shards[shard_of(parts.all()[0].key)].counters;
  if (denial.any()) {
    for (const Part& part : parts.all()) --part.entry->grants;
    ++counters.denied[static_cast<std::size_t>(denial.reason().limit)];
    denial.reason().allowances = allowances_of(parts.all());
    return tl::unexpected<QuotaDenied>(denial.reason());
  }
  grant.quota_ = this;
  grant.stream_ = ask.stream;
  grant.tokens_ = tokens;
  for (const Part& part : parts.all()) {
    QuotaEntry& entry = *part.entry;
    if (part.scope->limits.requests_per_minute != 0) entry.requests.charge(ask.requests);
    if (part.scope->limits.requests_per_day != 0) entry.requests_day.charge(ask.requests);
    entry.held += tokens;
    entry.streams += ask.stream ? 1 : 0;
    grant.keys_[grant.scopes_] = part.key;
    grant.kinds_[grant.scopes_] = part.scope->kind;
    grant.shared_[grant.scopes_++] = part.shared;
  }
  grant.allowances_ = allowances_of(parts.all());
  ++counters.granted;
  return grant;
}

void Quota::settle(QuotaGrant grant, std::uint64_t tokens_used, std::int64_t now_us) {
  if (!grant.active()) return;
  STILLWATCH_ASSERT(grant.quota_ == this);
  finish(grant, tokens_used, now_us, false);
}

void Quota::finish(QuotaGrant& grant, std::uint64_t tokens_used, std::int64_t now_us, bool dropped) {
  for (std::uint32_t i = 0; i < grant.scopes_; ++i) {
    QuotaShard& shard = shards_->all[shard_of(grant.keys_[i])];
    const std::lock_guard lock(shard.mutex);
    QuotaEntry* entry = grant.shared_[i] ? &shard.shared(grant.kinds_[i]) : shard.find(grant.keys_[i]);
    STILLWATCH_ASSERT(entry != nullptr && entry->grants > 0 && entry->held >= grant.tokens_);
    entry->leak_to(now_us);
    entry->held -= grant.tokens_;
    if (entry->limits.tokens_per_minute != 0) entry->tokens.charge(tokens_used);
    if (entry->limits.tokens_per_day != 0) entry->day.charge(tokens_used);
    if (grant.stream_) {
      STILLWATCH_ASSERT(entry->streams > 0);
      --entry->streams;
    }
    --entry->grants;
    if (i == 0) {
      ++(dropped ? shard.counters.dropped : shard.counters.settled);
      shard.counters.tokens_charged += tokens_used;
      shard.counters.debt_tokens += tokens_used > grant.tokens_ ? tokens_used - grant.tokens_ : 0;
    }
  }
  grant.quota_ = nullptr;
}

QuotaCounters Quota::counters() const {
  QuotaCounters sum;
  for (QuotaShard& shard : shards_->all) {
    const std::lock_guard lock(shard.mutex);
    const QuotaCounters& part = shard.counters;
    sum.granted += part.granted;
    for (std::size_t i = 0; i < kLimitKinds; ++i) sum.denied[i] += part.denied[i];
    sum.settled += part.settled;
    sum.dropped += part.dropped;
    sum.tokens_charged += part.tokens_charged;
    sum.debt_tokens += part.debt_tokens;
    sum.evicted += part.evicted;
    sum.shared_entries_used += part.shared_entries_used;
    sum.entries += shard.size();
  }
  return sum;
}

}  // namespace stillwatch::policy
