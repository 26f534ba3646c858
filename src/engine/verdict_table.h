// The levels in force, for whoever serves requests: subject token -> one 64-bit word.
//
// Invariant: a look-up takes no lock, does no I/O and allocates nothing; it gives the subject's last published standing
// or none, never a mixture and never that of another subject. A slot belongs to one subject for the table's life; a
// subject that became clear keeps its slot with an empty word until the table is rebuilt.
// Threads: apply() and the others that change it by one writer; look-ups and list() from any number of threads. Cost: a
// look-up is two counter updates and one or two cache lines, under 200 ns with a million subjects; see
// verdict_table_bench.cc. Memory: 16 bytes a slot at most half full, and about 100 a subject for list(). Growing
// publishes a larger table; the old one is freed once every reader that might hold it has left. Bounds: kSubjectsMax;
// further subjects are not published, counted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_time.h"
#include "event/verdict.h"

namespace stillwatch::engine {

using base::Token;

/// The subject of an end user within an account. An account's subject is its token.
Token end_user_subject(Token account, Token end_user);

/// One subject's standing, as it is read on the request path.
struct PublishedLevel {
  event::Level level = event::Level::clear;
  event::Class class_ = event::Class::unknown;
  bool dry_run = true;
  std::uint16_t rule = 0;       // for VerdictTable::rule_name(); 0: none, or no room for its name
  std::uint32_t campaign = 0;   // 0: none; kCampaignUnknown: its number is too large for the word
  std::uint32_t expires_h = 0;  // hours since 1970, rounded up

  static constexpr std::uint32_t kCampaignUnknown = (1U << 24) - 1;
  bool is_clear() const { return level == event::Level::clear; }
  bool is_expired(std::int64_t now_us) const { return now_us >= static_cast<std::int64_t>(expires_h) * base::kHourUs; }
  bool operator==(const PublishedLevel&) const = default;
};

/// What list() tells of a subject.
struct ListedLevel {
  event::SubjectKind kind = event::SubjectKind::account;
  Token account = 0, end_user = 0;
  event::Level level = event::Level::clear;
  event::Class class_ = event::Class::unknown;
  bool dry_run = true;
  std::uint32_t campaign = 0;
  std::string rule;
  std::int64_t since_us = 0, expires_us = 0;
};

class VerdictTable {
 public:
  static constexpr std::size_t kSubjectsMax = 16'000'000;  // as limits::kAccountsMax
  static constexpr std::size_t kRulesMax = 1'023;          // rules are a few dozen names of ours

  explicit VerdictTable(std::size_t subjects_max = kSubjectsMax);
  ~VerdictTable();
  VerdictTable(const VerdictTable&) = delete;
  VerdictTable& operator=(const VerdictTable&) = delete;

  /// The standing of a subject; clear when there is none. Whether it has expired is for the caller to ask.
  PublishedLevel look_up(Token subject) const;
  /// The same, and clear when it has expired by the clock.
  PublishedLevel look_up(Token subject, std::int64_t now_us) const {
    const PublishedLevel found = look_up(subject);
    return found.is_expired(now_us) ? PublishedLevel{} : found;
  }
  /// Lives as long as the table. Empty for 0.
  std::string_view rule_name(std::uint16_t rule) const;

  /// Publishes a verdict. Campaign subjects are passed over: their members have verdicts of their own.
  void apply(const event::Verdict& verdict);

  /// A level's expiry moves without a verdict when there is fresh work. `end_user` 0: of the account.
  void move_expiry(Token account, Token end_user, std::int64_t expires_us);
  /// Forgets levels that ended before `now_us`, of subjects that no verdict will clear any more.
  void drop_expired(std::int64_t now_us);

  /// Subjects above clear in the order of (account, end user) that come after `after`, at most count_max.
  std::vector<ListedLevel> list(std::size_t count_max, const ListedLevel* after = nullptr) const;

  /// All subjects above clear as bytes, and back; restore() replaces the contents. False when the bytes are damaged.
  std::string save() const;
  bool restore(std::string_view bytes);

  struct Counters {
    std::uint64_t applied = 0, rebuilt = 0, not_published = 0, rules_shed = 0, tables_waiting = 0;
    std::array<std::uint64_t, 7> by_level{};  // subjects; [clear] stays 0
  };
  Counters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::engine
