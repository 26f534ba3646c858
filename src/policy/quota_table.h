// The table behind Quota: 64 shards of entries, each entry the buckets of one subject. Internal to quota*.cc.
//
// Invariants: an entry with grants is never moved out; one is forgotten only when nothing is charged. Threads: all of
// a shard under its mutex. Cost: one probe, mostly two cache lines; a full sweep of a shard before it grows.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/random.h"
#include "policy/quota.h"
#include "policy/quota_bucket.h"

namespace stillwatch::policy {

struct QuotaEntry {
  std::uint64_t key = 0;
  std::int64_t as_of_us = INT64_MIN;  // how far the buckets have leaked
  MinuteBucket requests, tokens;
  DayBucket day, requests_day;  // tokens, requests
  std::uint64_t held = 0;       // tokens reserved and not settled; does not leak
  Limits limits;
  std::uint32_t streams = 0;
  std::uint32_t grants = 0;  // that will end here
  ScopeKind kind = ScopeKind::account;
  bool used = false;

  void leak_to(std::int64_t now_us);
  bool idle() const {
    return grants == 0 && requests.charged == 0 && tokens.charged == 0 && day.charged == 0 && requests_day.charged == 0;
  }
  /// From here on these limits hold: what leaked so far did so under the old ones.
  void adopt(const Limits& now);
};

/// A crash between the saved state and now: what a subject can have used meanwhile.
struct QuotaCrash {
  std::int64_t granted_until_us = 0;
  std::int64_t gap_us = 0;  // from the saved state to granted_until_us

  void charge(QuotaEntry& entry) const;
};

inline constexpr std::size_t kQuotaShards = 64;

class alignas(64) QuotaShard {
 public:
  std::mutex mutex;
  QuotaCounters counters;

  void set_capacity(std::size_t entries_max) { capacity_ = entries_max; }
  QuotaEntry* find(std::uint64_t key);
  /// Has the memory of the entry fetched meanwhile.
  void prefetch(std::uint64_t key) const {
    if (slots_.empty()) return;
    const auto* entry = reinterpret_cast<const char*>(&slots_[home(key)]);
    __builtin_prefetch(entry, 1);
    __builtin_prefetch(entry + 64, 1);
    __builtin_prefetch(entry + sizeof(QuotaEntry) - 1, 1);
  }
  /// The subject's entry, or the shared one of its kind when there is no room. Pointers of earlier calls are void when
  /// `moved` becomes true.
  QuotaEntry& find_or_make(std::uint64_t key, const QuotaScope& scope, std::int64_t now_us,
                           const std::optional<QuotaCrash>& crash, bool& moved);
  /// All entries with something to remember, shared ones too.
  template <class Visit>
  void visit(Visit visit) {
    for (QuotaEntry& entry : slots_) {
      if (entry.used) visit(entry);
    }
    for (QuotaEntry& entry : shared_) {
      if (entry.used) visit(entry);
    }
  }
  QuotaEntry& shared(ScopeKind kind) { return shared_[static_cast<std::size_t>(kind)]; }
  std::size_t size() const { return size_; }

 private:
  bool make_room(ScopeKind kind, std::int64_t now_us, bool& moved);
  bool has_room(ScopeKind kind) const;
  void sweep(std::int64_t now_us, std::size_t slots_seen_max);
  void resize(std::size_t slots);
  QuotaEntry& insert(std::uint64_t key);
  void erase(std::size_t slot);
  std::size_t home(std::uint64_t key) const { return (key >> 8) & (slots_.size() - 1); }

  std::size_t capacity_ = 1;
  std::size_t size_ = 0;
  std::size_t end_users_ = 0;
  std::size_t hand_ = 0;  // where the search for idle entries goes on
  std::vector<QuotaEntry> slots_;
  std::array<QuotaEntry, kScopeKinds> shared_{};
};

struct Quota::Shards {
  std::array<QuotaShard, kQuotaShards> all;
  std::optional<QuotaCrash> crash;
};

/// Keys differ for every pair of kind and subject; tokens are keyed hashes, so nobody can choose two that meet.
constexpr std::uint64_t quota_key(ScopeKind kind, base::Token subject) {
  return base::mix64(subject + 0x9E3779B97F4A7C15ULL * (static_cast<std::uint64_t>(kind) + 1));
}
constexpr std::size_t shard_of(std::uint64_t key) { return key & (kQuotaShards - 1); }

}  // namespace stillwatch::policy
