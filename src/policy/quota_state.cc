// Quota's state as bytes, and what a crash costs.
#include <algorithm>

#include "base/byte_stream.h"
#include "policy/quota_table.h"

namespace stillwatch::policy {
namespace {

constexpr std::uint32_t kMagic = 0x31'51'57'53;  // "SWQ1"

// Far beyond the day after which nothing of a gap is left; keeps the sums small.
constexpr std::int64_t kGapUsMax = 366 * base::kDayUs;

struct SavedEntry {
  std::uint64_t key;
  std::int64_t as_of_us;
  std::uint64_t requests, requests_rest, tokens, tokens_rest, day, day_rest, requests_day, requests_day_rest;
  std::uint64_t requests_per_minute, tokens_per_minute, tokens_per_day, requests_per_day;
  std::uint32_t streams_max;
  std::uint8_t kind, shared;
  std::uint16_t shard;
};
static_assert(std::has_unique_object_representations_v<SavedEntry>);  // no padding: the same state, the same bytes

SavedEntry saved(QuotaEntry entry, bool shared, std::size_t shard, std::int64_t now_us) {
  entry.leak_to(now_us);
  // Whether the streams that hold them go on nobody knows: they count as used.
  if (entry.limits.tokens_per_minute != 0) entry.tokens.charge(entry.held);
  if (entry.limits.tokens_per_day != 0) entry.day.charge(entry.held);
  return {entry.key,
          entry.as_of_us,
          entry.requests.charged,
          entry.requests.rest,
          entry.tokens.charged,
          entry.tokens.rest,
          entry.day.charged,
          entry.day.rest,
          entry.requests_day.charged,
          entry.requests_day.rest,
          entry.limits.requests_per_minute,
          entry.limits.tokens_per_minute,
          entry.limits.tokens_per_day,
          entry.limits.requests_per_day,
          entry.limits.streams_max,
          static_cast<std::uint8_t>(entry.kind),
          static_cast<std::uint8_t>(shared),
          static_cast<std::uint16_t>(shard)};
}

// Times far from any that a clock gives are damage, and their differences would not fit.
constexpr std::int64_t kTimeUsMax = std::int64_t{1} << 61;
bool is_time(std::int64_t time_us) { return time_us >= 0 && time_us <= kTimeUsMax; }

bool is_entry_sound(const SavedEntry& entry) {
  constexpr std::uint64_t kChargedMax = MinuteBucket::kChargedMax;
  return is_time(entry.as_of_us) && entry.kind < kScopeKinds && entry.shared <= 1 && entry.shard < kQuotaShards &&
         (entry.shared == 1 || shard_of(entry.key) == entry.shard) && entry.requests <= kChargedMax &&
         entry.tokens <= kChargedMax && entry.day <= kChargedMax && entry.requests_day <= kChargedMax &&
         entry.requests_rest < MinuteBucket::kWindowUs && entry.tokens_rest < MinuteBucket::kWindowUs &&
         entry.day_rest < DayBucket::kWindowUs && entry.requests_day_rest < DayBucket::kWindowUs &&
         entry.requests_per_minute <= kQuotaLimitMax && entry.tokens_per_minute <= kQuotaLimitMax &&
         entry.tokens_per_day <= kQuotaLimitMax && entry.requests_per_day <= kQuotaLimitMax;
}

bool is_sound(const QuotaCrash& crash, std::int64_t saved_us) {
  if (crash.granted_until_us == INT64_MIN) return crash.gap_us == 0;
  return is_time(crash.granted_until_us) && crash.granted_until_us <= saved_us && crash.gap_us >= 0 &&
         crash.gap_us <= kGapUsMax;
}

// What stands against subjects that the state does not know. One from before an earlier crash may not have come since:
// it was unknown from then on.
std::optional<QuotaCrash> of_unknown(const QuotaCrash& earlier, std::optional<QuotaCrash> crash,
                                     std::int64_t saved_us) {
  if (earlier.granted_until_us == INT64_MIN || saved_us - earlier.granted_until_us >= base::kDayUs) return crash;
  if (!crash) return earlier;
  const std::int64_t since_earlier_us = saved_us - earlier.granted_until_us + earlier.gap_us;
  crash->gap_us = std::min(crash->gap_us + since_earlier_us, kGapUsMax);
  return crash;
}

base::Status damaged() {
  return base::fail(base::Fault::environment,
                    "the saved quotas are damaged; remove the file to start with every limit counted as used up");
}

void restore(QuotaEntry& entry, const SavedEntry& from) {
  const auto larger = [](auto& bucket, std::uint64_t charged, std::uint64_t rest) {
    if (charged >= bucket.charged) bucket.rest = charged == bucket.charged ? std::min(rest, bucket.rest) : rest;
    bucket.charged = std::max(bucket.charged, charged);
  };
  entry.as_of_us = std::max(entry.as_of_us, from.as_of_us);
  larger(entry.requests, from.requests, from.requests_rest);
  larger(entry.tokens, from.tokens, from.tokens_rest);
  larger(entry.day, from.day, from.day_rest);
  larger(entry.requests_day, from.requests_day, from.requests_day_rest);
}

}  // namespace

std::string Quota::save(std::int64_t now_us, bool stopped) const {
  std::vector<SavedEntry> entries;
  for (std::size_t i = 0; i < kQuotaShards; ++i) {
    QuotaShard& shard = shards_->all[i];
    const std::lock_guard lock(shard.mutex);
    shard.visit([&](const QuotaEntry& entry) {
      const SavedEntry one = saved(entry, &entry == &shard.shared(entry.kind), i, now_us);
      if (one.requests != 0 || one.tokens != 0 || one.day != 0 || one.requests_day != 0) entries.push_back(one);
    });
  }
  std::sort(entries.begin(), entries.end(), [](const SavedEntry& a, const SavedEntry& b) {
    return std::tuple(a.shared, a.shard, a.kind, a.key) < std::tuple(b.shared, b.shard, b.kind, b.key);
  });
  base::ByteWriter out;
  out.put(kMagic);
  out.put(static_cast<std::uint8_t>(stopped));
  const QuotaCrash crash = shards_->crash.value_or(QuotaCrash{INT64_MIN, 0});
  out.put(std::max(now_us, crash.granted_until_us));  // a clock that went back since makes no state that is refused
  out.put(crash.granted_until_us);
  out.put(crash.gap_us);
  out.put_all(entries);
  return out.take();
}

base::Status Quota::load(std::string_view bytes, std::int64_t granted_until_us) {
  base::ByteReader in(bytes);
  const auto magic = in.get<std::uint32_t>();
  const auto stopped = in.get<std::uint8_t>();
  const auto saved_us = in.get<std::int64_t>();
  const QuotaCrash earlier{in.get<std::int64_t>(), in.get<std::int64_t>()};
  const auto entries = in.get_all<SavedEntry>();
  if (!in.ok() || !in.at_end() || magic != kMagic || stopped > 1) return damaged();
  if (!is_time(saved_us) || !is_sound(earlier, saved_us) ||
      !std::all_of(entries.begin(), entries.end(), is_entry_sound))
    return damaged();
  std::optional<QuotaCrash> crash;
  if (stopped == 0) {
    const std::int64_t until_us = std::clamp(granted_until_us, saved_us, kTimeUsMax);
    crash = QuotaCrash{until_us, std::min(until_us - saved_us, kGapUsMax)};
  }
  for (const SavedEntry& from : entries) {
    QuotaShard& shard = shards_->all[from.shard];
    const std::lock_guard lock(shard.mutex);
    const Limits limits{from.requests_per_minute, from.tokens_per_minute, from.tokens_per_day, from.streams_max,
                        from.requests_per_day};
    const QuotaScope scope{static_cast<ScopeKind>(from.kind), 0, limits};
    bool moved = false;
    QuotaEntry* entry = &shard.shared(scope.kind);
    if (from.shared == 0) {
      entry = &shard.find_or_make(from.key, scope, from.as_of_us, std::nullopt, moved);
    } else {
      entry->used = true;
      entry->kind = scope.kind;
      entry->limits = limits;
    }
    restore(*entry, from);
    if (crash) crash->charge(*entry);
  }
  shards_->crash = of_unknown(earlier, crash, saved_us);
  return {};
}

void Quota::assume_used(std::int64_t granted_until_us) { shards_->crash = QuotaCrash{granted_until_us, base::kDayUs}; }

}  // namespace stillwatch::policy
