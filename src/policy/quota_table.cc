#include "policy/quota_table.h"

#include <algorithm>
#include <bit>

namespace stillwatch::policy {
namespace {

constexpr std::size_t kSlotsFirst = 64;
constexpr std::size_t kSweepSlots = 16;  // looked at for an idle entry before a newcomer has to share one

std::uint64_t smaller(std::uint64_t a, std::uint64_t b) { return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b); }

// Of a shared entry: leaks as slowly as for the least of those who share it.
Limits least(const Limits& a, const Limits& b) {
  return {smaller(a.requests_per_minute, b.requests_per_minute), smaller(a.tokens_per_minute, b.tokens_per_minute),
          smaller(a.tokens_per_day, b.tokens_per_day),
          static_cast<std::uint32_t>(smaller(a.streams_max, b.streams_max)),
          smaller(a.requests_per_day, b.requests_per_day)};
}

void begin(QuotaEntry& entry, const QuotaScope& scope, std::int64_t now_us, const std::optional<QuotaCrash>& crash) {
  entry.used = true;
  entry.kind = scope.kind;
  entry.limits = scope.limits;
  if (crash) {
    crash->charge(entry);
  } else {
    entry.as_of_us = now_us;
  }
  entry.leak_to(now_us);
}

}  // namespace

void QuotaEntry::leak_to(std::int64_t now_us) {
  if (now_us <= as_of_us) return;
  // As unsigned numbers the difference is right even from the start of time.
  const std::uint64_t elapsed = static_cast<std::uint64_t>(now_us) - static_cast<std::uint64_t>(as_of_us);
  requests.leak(limits.requests_per_minute, elapsed);
  tokens.leak(limits.tokens_per_minute, elapsed);
  day.leak(limits.tokens_per_day, elapsed);
  requests_day.leak(limits.requests_per_day, elapsed);
  as_of_us = now_us;
}

void QuotaEntry::adopt(const Limits& now) {
  if (limits == now) return;
  limits = now;
  // Without a limit nothing leaks; what was charged under one is forgotten with it.
  if (now.requests_per_minute == 0) requests = {};
  if (now.tokens_per_minute == 0) tokens = {};
  if (now.tokens_per_day == 0) day = {};
  if (now.requests_per_day == 0) requests_day = {};
}

void QuotaCrash::charge(QuotaEntry& entry) const {
  const Limits& limits = entry.limits;
  entry.leak_to(granted_until_us);
  entry.requests.charged = std::max(entry.requests.charged, limits.requests_per_minute);
  entry.tokens.charged = std::max(entry.tokens.charged, limits.tokens_per_minute);
  // A bucket gives its whole content and what leaks: one minute's limit more than the gap has minutes.
  const std::uint64_t minutes = static_cast<std::uint64_t>(std::max<std::int64_t>(gap_us, 0)) / base::kMinuteUs + 2;
  const auto charge_day = [&](DayBucket& day, std::uint64_t per_day, std::uint64_t per_minute) {
    std::uint64_t most = per_day;
    if (per_minute != 0) {
      const WideCount sum = static_cast<WideCount>(per_minute) * minutes + day.charged;
      most = static_cast<std::uint64_t>(std::min<WideCount>(most, sum));
    }
    day.charged = std::max(day.charged, most);
  };
  charge_day(entry.day, limits.tokens_per_day, limits.tokens_per_minute);
  charge_day(entry.requests_day, limits.requests_per_day, limits.requests_per_minute);
}

QuotaEntry* QuotaShard::find(std::uint64_t key) {
  if (slots_.empty()) return nullptr;
  for (std::size_t slot = home(key); slots_[slot].used; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].key == key) return &slots_[slot];
  }
  return nullptr;
}

QuotaEntry& QuotaShard::find_or_make(std::uint64_t key, const QuotaScope& scope, std::int64_t now_us,
                                     const std::optional<QuotaCrash>& crash, bool& moved) {
  if (QuotaEntry* found = find(key)) {
    found->leak_to(now_us);
    found->adopt(scope.limits);
    return *found;
  }
  QuotaEntry& common = shared(scope.kind);
  common.leak_to(now_us);
  if (common.used && common.idle()) common = {};
  // While grants of the shared entry go on, one of them may be the newcomer's own: it stays with them.
  if (common.grants > 0 || !make_room(scope.kind, now_us, moved)) {
    if (!common.used) begin(common, scope, now_us, crash);
    common.adopt(least(common.limits, scope.limits));
    ++counters.shared_entries_used;
    return common;
  }
  moved = true;
  QuotaEntry& entry = insert(key);
  begin(entry, scope, now_us, crash);
  end_users_ += scope.kind == ScopeKind::end_user ? 1 : 0;
  if (common.used) {
    // The newcomer may be one of those who shared: what all of them used counts against it, as far as its limit.
    const auto inherit = [](auto& own, std::uint64_t charged, std::uint64_t limit) {
      own.charged = std::max(own.charged, std::min(charged, limit));
    };
    inherit(entry.requests, common.requests.charged, scope.limits.requests_per_minute);
    inherit(entry.tokens, common.tokens.charged, scope.limits.tokens_per_minute);
    inherit(entry.day, common.day.charged, scope.limits.tokens_per_day);
    inherit(entry.requests_day, common.requests_day.charged, scope.limits.requests_per_day);
  }
  return entry;
}

bool QuotaShard::has_room(ScopeKind kind) const {
  // Callers name end users as they like: those never crowd out keys, accounts and tiers.
  if (kind == ScopeKind::end_user && end_users_ >= capacity_ - capacity_ / 4) return false;
  return size_ < capacity_;
}

bool QuotaShard::make_room(ScopeKind kind, std::int64_t now_us, bool& moved) {
  if (!has_room(kind)) {
    moved = true;
    sweep(now_us, kSweepSlots);
    if (!has_room(kind)) return false;
  }
  if ((size_ + 1) * 4 > slots_.size() * 3) {
    moved = true;
    sweep(now_us, slots_.size());
    if ((size_ + 1) * 8 > slots_.size() * 3) resize(std::max(kSlotsFirst, slots_.size() * 2));
  }
  return true;
}

void QuotaShard::sweep(std::int64_t now_us, std::size_t slots_seen_max) {
  for (std::size_t seen = 0; seen < slots_seen_max && !slots_.empty(); ++seen) {
    hand_ &= slots_.size() - 1;
    QuotaEntry& entry = slots_[hand_];
    if (entry.used && entry.grants == 0) {
      entry.leak_to(now_us);
      if (entry.idle()) {
        erase(hand_);  // another entry may move here: look again
        ++counters.evicted;
        continue;
      }
    }
    ++hand_;
  }
}

void QuotaShard::resize(std::size_t slots) {
  std::vector<QuotaEntry> old(slots);
  old.swap(slots_);
  for (const QuotaEntry& entry : old) {
    if (!entry.used) continue;
    std::size_t slot = home(entry.key);
    while (slots_[slot].used) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = entry;
  }
}

QuotaEntry& QuotaShard::insert(std::uint64_t key) {
  std::size_t slot = home(key);
  while (slots_[slot].used) slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = {};
  slots_[slot].used = true;
  slots_[slot].key = key;
  ++size_;
  return slots_[slot];
}

// Entries behind the hole move up as far as their home allows, so that no probe ends too early.
void QuotaShard::erase(std::size_t slot) {
  const std::size_t mask = slots_.size() - 1;
  end_users_ -= slots_[slot].kind == ScopeKind::end_user ? 1 : 0;
  std::size_t hole = slot;
  for (std::size_t next = (hole + 1) & mask; slots_[next].used; next = (next + 1) & mask) {
    const std::size_t distance_home = (next - home(slots_[next].key)) & mask;
    if (distance_home < ((next - hole) & mask)) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole] = {};
  --size_;
}

}  // namespace stillwatch::policy
