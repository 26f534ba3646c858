#include "engine/verdict_table.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <map>
#include <mutex>
#include <unordered_map>

#include "base/assert.h"
#include "base/byte_stream.h"
#include "base/random.h"

namespace stillwatch::engine {
namespace {

constexpr std::size_t kSlotsMin = 1'024;
constexpr std::uint64_t kMagic = 0x3130'4C42'5457'53;  // "SWTBL01"

// The word: level 3 bits, class 2, dry run 1, rule 10, campaign 24, expiry 22 (hours until the year 2448).
constexpr unsigned kClassAt = 3, kDryRunAt = 5, kRuleAt = 6, kCampaignAt = 16, kExpiryAt = 40;
constexpr std::uint64_t kExpiryMax = (1U << 22) - 1;

std::uint64_t pack(const PublishedLevel& level) {
  return static_cast<std::uint64_t>(level.level) | static_cast<std::uint64_t>(level.class_) << kClassAt |
         static_cast<std::uint64_t>(level.dry_run) << kDryRunAt | static_cast<std::uint64_t>(level.rule) << kRuleAt |
         static_cast<std::uint64_t>(level.campaign) << kCampaignAt |
         static_cast<std::uint64_t>(level.expires_h) << kExpiryAt;
}

PublishedLevel unpack(std::uint64_t word) {
  if (word == 0) return {};
  PublishedLevel out;
  out.level = static_cast<event::Level>(word & 7U);
  out.class_ = static_cast<event::Class>(word >> kClassAt & 3U);
  out.dry_run = (word >> kDryRunAt & 1U) != 0;
  out.rule = static_cast<std::uint16_t>(word >> kRuleAt & 0x3FFU);
  out.campaign = static_cast<std::uint32_t>(word >> kCampaignAt & 0xFFFFFFU);
  out.expires_h = static_cast<std::uint32_t>(word >> kExpiryAt & kExpiryMax);
  return out;
}

/// Readers inside a look-up, counted in cache lines of their own so that threads do not share one.
class Readers {
 public:
  static constexpr std::size_t kLines = 64;
  class Inside {
   public:
    explicit Inside(Readers& readers) : count_(readers.lines_[line_of_thread()].count) {
      count_.fetch_add(1, std::memory_order_seq_cst);
    }
    ~Inside() { count_.fetch_sub(1, std::memory_order_release); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    std::atomic<std::uint64_t>& count_;
  };
  bool is_empty(std::size_t line) const { return lines_[line].count.load(std::memory_order_seq_cst) == 0; }

 private:
  struct alignas(64) Line {
    std::atomic<std::uint64_t> count{0};
  };
  static std::size_t line_of_thread() {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t line = next.fetch_add(1, std::memory_order_relaxed) % kLines;
    return line;
  }
  std::array<Line, kLines> lines_;
};

/// Open addressing, at most half of the slots used.
struct Slots {
  struct Slot {
    std::atomic<Token> subject{0};
    std::atomic<std::uint64_t> word{0};
  };
  explicit Slots(std::size_t size)
      : shift(static_cast<unsigned>(64 - std::countr_zero(size))), slots(std::make_unique<Slot[]>(size)), count(size) {}

  std::size_t first(Token subject) const { return static_cast<std::size_t>(subject * 0x9E3779B97F4A7C15ULL >> shift); }
  std::size_t after(std::size_t at) const { return (at + 1) & (count - 1); }
  /// The subject's slot, or the empty one where it belongs.
  Slot& find(Token subject) const {
    for (std::size_t at = first(subject);; at = after(at)) {
      const Token there = slots[at].subject.load(std::memory_order_acquire);
      if (there == subject || there == 0) return slots[at];
    }
  }

  unsigned shift;
  std::unique_ptr<Slot[]> slots;
  std::size_t count, used = 0;
};

/// A table that readers may still hold: freed when each line of readers was seen empty once after it was replaced.
struct Retired {
  std::unique_ptr<Slots> slots;
  std::bitset<Readers::kLines> unseen = std::bitset<Readers::kLines>().set();
};

struct Entry {
  event::SubjectKind kind = event::SubjectKind::account;
  event::Level level = event::Level::clear;
  event::Class class_ = event::Class::unknown;
  bool dry_run = true;
  std::uint16_t rule = 0;
  std::uint32_t campaign = 0;
  std::int64_t since_us = 0, expires_us = 0;
};
using Key = std::pair<Token, Token>;  // account, end user

Token subject_of(const Key& key) { return key.second == 0 ? key.first : end_user_subject(key.first, key.second); }

}  // namespace

Token end_user_subject(Token account, Token end_user) {
  const Token mixed = base::mix64(account ^ base::mix64(end_user + 0x9E3779B97F4A7C15ULL));
  return mixed == 0 ? 1 : mixed;
}

struct VerdictTable::State {
  explicit State(std::size_t subjects_max_) : subjects_max(std::min(subjects_max_, kSubjectsMax)) {
    owned = std::make_unique<Slots>(kSlotsMin);
    current.store(owned.get());
  }

  const std::size_t subjects_max;
  mutable Readers readers;
  std::atomic<Slots*> current{nullptr};
  std::array<std::atomic<const std::string*>, kRulesMax + 1> rules{};
  // The writer's, and list()'s under the mutex.
  mutable std::mutex mutex;
  std::unique_ptr<Slots> owned;
  std::vector<Retired> retired;
  std::map<Key, Entry> entries;
  std::map<std::string, std::uint16_t, std::less<>> rule_numbers;
  Counters counters;

  std::uint16_t rule_number(std::string_view name) {
    if (name.empty()) return 0;
    const auto found = rule_numbers.find(name);
    if (found != rule_numbers.end()) return found->second;
    if (rule_numbers.size() >= kRulesMax) {
      ++counters.rules_shed;
      return 0;
    }
    const auto number = static_cast<std::uint16_t>(rule_numbers.size() + 1);
    const auto placed = rule_numbers.emplace(name, number).first;
    rules[number].store(&placed->first, std::memory_order_release);  // keys of a map stay where they are
    return number;
  }

  void collect() {
    for (Retired& table : retired) {
      for (std::size_t line = 0; line < Readers::kLines; ++line) {
        if (table.unseen[line] && readers.is_empty(line)) table.unseen.reset(line);
      }
    }
    retired.erase(
        std::remove_if(retired.begin(), retired.end(), [](const Retired& table) { return table.unseen.none(); }),
        retired.end());
    counters.tables_waiting = retired.size();
  }

  /// A table for the entries there are, twice over; without the slots of subjects that became clear.
  void rebuild() {
    const std::size_t size = std::bit_ceil(std::max(kSlotsMin, 4 * (entries.size() + 1)));
    auto larger = std::make_unique<Slots>(size);
    for (std::size_t at = 0; at < owned->count; ++at) {
      const std::uint64_t word = owned->slots[at].word.load(std::memory_order_relaxed);
      if (word == 0) continue;
      const Token subject = owned->slots[at].subject.load(std::memory_order_relaxed);
      Slots::Slot& slot = larger->find(subject);
      slot.word.store(word, std::memory_order_relaxed);
      slot.subject.store(subject, std::memory_order_relaxed);
      ++larger->used;
    }
    current.store(larger.get(), std::memory_order_seq_cst);
    Retired old;
    old.slots = std::exchange(owned, std::move(larger));
    retired.push_back(std::move(old));
    ++counters.rebuilt;
  }

  void publish(Token subject, std::uint64_t word) {
    Slots::Slot* slot = &owned->find(subject);
    if (slot->subject.load(std::memory_order_relaxed) == subject) {
      slot->word.store(word, std::memory_order_release);
      return;
    }
    if (word == 0) return;
    if (2 * (owned->used + 1) > owned->count) {
      rebuild();
      slot = &owned->find(subject);
    }
    slot->word.store(word, std::memory_order_relaxed);
    slot->subject.store(subject, std::memory_order_release);
    ++owned->used;
  }

  void set(const Key& key, const Entry& entry) {
    const auto found = entries.find(key);
    if (found != entries.end()) --counters.by_level[static_cast<std::size_t>(found->second.level)];
    if (entry.level == event::Level::clear) {
      if (found == entries.end()) return;
      entries.erase(found);
      publish(subject_of(key), 0);
      return;
    }
    if (found == entries.end() && entries.size() >= subjects_max) {
      ++counters.not_published;
      return;
    }
    entries[key] = entry;
    ++counters.by_level[static_cast<std::size_t>(entry.level)];
    PublishedLevel level;
    level.level = entry.level;
    level.class_ = entry.class_;
    level.dry_run = entry.dry_run;
    level.rule = entry.rule;
    level.campaign = std::min(entry.campaign, PublishedLevel::kCampaignUnknown);
    const std::int64_t hours =
        entry.expires_us <= 0 ? 0 : entry.expires_us / base::kHourUs + (entry.expires_us % base::kHourUs != 0 ? 1 : 0);
    level.expires_h = static_cast<std::uint32_t>(std::min<std::int64_t>(hours, kExpiryMax));
    publish(subject_of(key), pack(level));
  }
};

VerdictTable::VerdictTable(std::size_t subjects_max) : state_(std::make_unique<State>(subjects_max)) {}
VerdictTable::~VerdictTable() = default;

PublishedLevel VerdictTable::look_up(Token subject) const {
  if (subject == 0) return {};
  const Readers::Inside inside(state_->readers);
  const Slots& slots = *state_->current.load(std::memory_order_seq_cst);
  const Slots::Slot& slot = slots.find(subject);
  if (slot.subject.load(std::memory_order_acquire) != subject) return {};
  return unpack(slot.word.load(std::memory_order_acquire));
}

std::string_view VerdictTable::rule_name(std::uint16_t rule) const {
  if (rule == 0 || rule > kRulesMax) return {};
  const std::string* const name = state_->rules[rule].load(std::memory_order_acquire);
  return name == nullptr ? std::string_view{} : std::string_view(*name);
}

void VerdictTable::apply(const event::Verdict& verdict) {
  if (verdict.kind == event::SubjectKind::campaign) return;
  const bool is_end_user = verdict.kind == event::SubjectKind::end_user;
  const std::lock_guard lock(state_->mutex);
  Entry entry;
  entry.kind = verdict.kind;
  entry.level = verdict.level;
  entry.class_ = verdict.class_;
  entry.dry_run = verdict.dry_run;
  entry.rule = state_->rule_number(verdict.rule);
  entry.campaign = verdict.campaign;
  entry.since_us = verdict.time_us;
  entry.expires_us = verdict.expires_us;
  ++state_->counters.applied;
  state_->set(is_end_user ? Key{verdict.account, verdict.subject} : Key{verdict.subject, 0}, entry);
  state_->collect();
}

void VerdictTable::move_expiry(Token account, Token end_user, std::int64_t expires_us) {
  const std::lock_guard lock(state_->mutex);
  const Key key{account, end_user};
  const auto found = state_->entries.find(key);
  if (found == state_->entries.end() || found->second.expires_us == expires_us) return;
  Entry entry = found->second;
  entry.expires_us = expires_us;
  state_->set(key, entry);
}

void VerdictTable::drop_expired(std::int64_t now_us) {
  const std::lock_guard lock(state_->mutex);
  std::vector<Key> gone;
  for (const auto& [key, entry] : state_->entries) {
    if (entry.expires_us <= now_us) gone.push_back(key);
  }
  for (const Key& key : gone) state_->set(key, Entry{});
}

std::vector<ListedLevel> VerdictTable::list(std::size_t count_max, const ListedLevel* after) const {
  std::vector<ListedLevel> out;
  const std::lock_guard lock(state_->mutex);
  auto at = after == nullptr ? state_->entries.begin() : state_->entries.upper_bound({after->account, after->end_user});
  for (; at != state_->entries.end() && out.size() < count_max; ++at) {
    const auto& [key, entry] = *at;
    out.push_back({entry.kind, key.first, key.second, entry.level, entry.class_, entry.dry_run, entry.campaign,
                   std::string(rule_name(entry.rule)), entry.since_us, entry.expires_us});
  }
  return out;
}

std::string VerdictTable::save() const {
  const std::lock_guard lock(state_->mutex);
  base::ByteWriter out;
  out.put(kMagic);
  out.put<std::uint64_t>(state_->rule_numbers.size());
  for (std::uint16_t rule = 1; rule <= state_->rule_numbers.size(); ++rule) out.put_bytes(rule_name(rule));
  out.put<std::uint64_t>(state_->entries.size());
  for (const auto& [key, entry] : state_->entries) {
    out.put(key.first), out.put(key.second);
    out.put(entry.kind), out.put(entry.level), out.put(entry.class_);
    out.put<std::uint8_t>(entry.dry_run ? 1 : 0);
    out.put(entry.rule), out.put(entry.campaign), out.put(entry.since_us), out.put(entry.expires_us);
  }
  return out.take();
}

bool VerdictTable::restore(std::string_view bytes) {
  base::ByteReader in(bytes);
  if (in.get<std::uint64_t>() != kMagic) return false;
  const auto rule_count = in.get<std::uint64_t>();
  if (!in.ok() || rule_count > kRulesMax) return false;
  std::vector<std::string> names{""};
  for (std::uint64_t i = 0; i < rule_count; ++i) names.emplace_back(in.get_bytes());
  const auto count = in.get<std::uint64_t>();
  std::vector<std::pair<Key, Entry>> entries;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Key key;
    Entry entry;
    key.first = in.get<Token>();
    key.second = in.get<Token>();
    const auto kind = in.get<std::uint8_t>(), level = in.get<std::uint8_t>(), class_ = in.get<std::uint8_t>();
    entry.dry_run = in.get<std::uint8_t>() != 0;
    entry.rule = in.get<std::uint16_t>();
    entry.campaign = in.get<std::uint32_t>();
    entry.since_us = in.get<std::int64_t>();
    entry.expires_us = in.get<std::int64_t>();
    if (kind > static_cast<std::uint8_t>(event::SubjectKind::end_user) || entry.rule >= names.size() || key.first == 0)
      return false;
    if (level == 0 || level > static_cast<std::uint8_t>(event::Level::suspend) ||
        class_ > static_cast<std::uint8_t>(event::Class::distiller))
      return false;
    entry.kind = static_cast<event::SubjectKind>(kind);
    entry.level = static_cast<event::Level>(level);
    entry.class_ = static_cast<event::Class>(class_);
    entries.emplace_back(key, entry);
  }
  if (!in.ok() || !in.at_end()) return false;
  const std::lock_guard lock(state_->mutex);
  std::vector<Key> old;
  for (const auto& item : state_->entries) old.push_back(item.first);
  for (const Key& key : old) state_->set(key, Entry{});
  for (auto& [key, entry] : entries) {
    entry.rule = state_->rule_number(names[entry.rule]);
    state_->set(key, entry);
  }
  state_->collect();
  return true;
}

VerdictTable::Counters VerdictTable::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counters;
}

}  // namespace stillwatch::engine
