// Limits that hold: requests, tokens and concurrent streams of every scope a request belongs to.
//
// Each limit is a bucket that leaks at `limit` a window (GCRA's equal, in whole numbers, without rounding). Requests
// are charged when reserved. Tokens are held when reserved, and charged when settled with what was really used: a hold
// does not leak, so a long stream never gives its estimate back twice.
// Invariants: reserve takes from all scopes or from none; charged + held never exceeds a limit by a reservation; hence
// in any span of T at most limit x (1 + T / window) is used, plus what a settlement exceeded its own estimate by, which
// then is debt. A grant is settled once; one that is dropped counts as used in full. An entry is forgotten only when
// all its buckets are full again, so forgetting grants nothing. Time that goes back refills nothing.
// When a shard is full of busy entries, newcomers of one kind share one entry, counted: less for each, never more.
// Threads: any number; scopes lock their shards in one order. Cost: a reservation with its settlement over three scopes
// takes 160 ns of CPU with the entries in the cache, 500 ns with 150,000 entries; growing stops one shard of 64.
// Restart: save() and load(); docs/operate/remedies.md says what a crash costs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/token.h"

namespace stillwatch::policy {

enum class ScopeKind : std::uint8_t { end_user, key, account, organisation, tier, remedy };
inline constexpr std::size_t kScopeKinds = 6;
std::string_view name(ScopeKind kind);

enum class LimitKind : std::uint8_t {
  requests_per_minute,
  tokens_per_minute,
  tokens_per_day,
  streams,
  requests_per_day
};
inline constexpr std::size_t kLimitKinds = 5;
std::string_view name(LimitKind kind);

inline constexpr std::uint64_t kQuotaLimitMax = 1ULL << 40;  // a larger limit is no limit; keeps sums within 64 bits

/// 0: no limit.
struct Limits {
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t tokens_per_day = 0;
  std::uint32_t streams_max = 0;
  std::uint64_t requests_per_day = 0;

  bool operator==(const Limits&) const = default;
  bool none() const { return *this == Limits{}; }
};

struct QuotaScope {
  ScopeKind kind = ScopeKind::account;
  base::Token subject = 0;
  Limits limits;
};
inline constexpr std::size_t kQuotaScopesMax = 6;  // one of each kind

struct QuotaAsk {
  std::uint32_t requests = 1;
  std::uint64_t tokens = 0;  // input and the most that may come out, as far as known
  bool stream = false;       // counts against streams_max until the grant ends
};

/// How one resource stands in its tightest scope, for rate-limit fields. limit 0: nowhere limited.
struct Allowance {
  std::uint64_t limit = 0;
  std::uint64_t remaining = 0;
  std::int64_t reset_us = 0;  // from now until nothing is charged any more
};
struct Allowances {
  Allowance requests, tokens;
};

struct QuotaDenied {
  ScopeKind scope = ScopeKind::account;
  LimitKind limit = LimitKind::requests_per_minute;  // of several, the one that takes longest
  bool never = false;                                // asks for more than the limit is: waiting does not help
  std::int64_t retry_after_us = 0;
  std::uint64_t limit_value = 0;
  Allowances allowances;
};

class Quota;

/// What was reserved. Ends exactly once: by settle(), or when it is destroyed, then all of the estimate counts as used.
class QuotaGrant {
 public:
  QuotaGrant() = default;
  QuotaGrant(QuotaGrant&& other) noexcept;
  QuotaGrant& operator=(QuotaGrant&& other) noexcept;
  QuotaGrant(const QuotaGrant&) = delete;
  QuotaGrant& operator=(const QuotaGrant&) = delete;
  ~QuotaGrant();

  bool active() const { return quota_ != nullptr; }
  std::uint64_t tokens_held() const { return tokens_; }
  const Allowances& allowances() const { return allowances_; }

 private:
  friend class Quota;
  Quota* quota_ = nullptr;  // outlives its grants
  std::array<std::uint64_t, kQuotaScopesMax> keys_{};
  std::array<ScopeKind, kQuotaScopesMax> kinds_{};
  std::array<bool, kQuotaScopesMax> shared_{};  // went to the shared entry of its kind
  std::uint32_t scopes_ = 0;
  bool stream_ = false;
  std::uint64_t tokens_ = 0;
  Allowances allowances_;
};

using QuotaReserved = tl::expected<QuotaGrant, QuotaDenied>;

struct QuotaSettings {
  // 200-400 bytes each, taken as they come. Every subject with a request in the last minute, or with a limit of a day
  // in the last day.
  std::size_t entries_max = 1U << 19;
};

struct QuotaCounters {
  std::uint64_t granted = 0;
  std::array<std::uint64_t, kLimitKinds> denied{};
  std::uint64_t settled = 0;
  std::uint64_t dropped = 0;         // grants that ended without settle(): counted as used in full
  std::uint64_t tokens_charged = 0;  // of one scope a grant
  std::uint64_t debt_tokens = 0;     // used beyond the estimate
  std::uint64_t evicted = 0;
  std::uint64_t shared_entries_used = 0;  // reservations that went to a shared entry for want of room
  std::uint64_t entries = 0;              // now
};

class Quota {
 public:
  explicit Quota(QuotaSettings settings = {});
  ~Quota();

  /// All scopes or none. Scopes without limits are skipped; the same kind and subject twice counts once.
  QuotaReserved reserve(std::span<const QuotaScope> scopes, const QuotaAsk& ask, std::int64_t now_us);
  /// Charges what was used, gives back the rest of the estimate, and ends the stream.
  void settle(QuotaGrant grant, std::uint64_t tokens_used, std::int64_t now_us);

  /// All that is charged, held tokens as used. The same state gives the same bytes. `stopped`: no grant follows.
  std::string save(std::int64_t now_us, bool stopped) const;
  /// Into a fresh quota, before the first reserve(). After a stop the state goes on where it was. After a crash the
  /// state may be older than the last grant: every subject, known or not, is charged the most that it can have used
  /// until `granted_until_us` (the latest time at which a grant can have been made: the newest record of the query
  /// log, or now). Save again (stopped = false) before serving, so that a later crash is not taken for a stop.
  base::Status load(std::string_view bytes, std::int64_t granted_until_us);
  /// The same without a state: all that a day allows may be used already.
  void assume_used(std::int64_t granted_until_us);

  QuotaCounters counters() const;

 private:
  friend class QuotaGrant;
  struct Shards;
  void finish(QuotaGrant& grant, std::uint64_t tokens_used, std::int64_t now_us, bool dropped);

  std::unique_ptr<Shards> shards_;
};

}  // namespace stillwatch::policy
