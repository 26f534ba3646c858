// What people decided about single subjects: overrides of the engine's level, with who, why and until when.
//
// Invariants: at most kOverridesMax, a full book refuses and says so; an expired override is never found. Lines name
// account and end user as people wrote them, not tokens: a rotation of the deployment secret loses no decision.
// Threads: OverrideBook is written under a lock by any thread; each reading thread has its OverrideReader, which costs
// one load and a hash look-up (15 ns, no lock) until the book changes. A change copies the map: milliseconds for many.
// Format: docs/operate/remedies.md, one JSON object a line.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_map.h"
#include "base/result.h"
#include "base/token.h"
#include "event/verdict.h"

namespace stillwatch::policy {

inline constexpr std::size_t kOverridesMax = 65'536;  // people make them one at a time; 100 MiB at the very most
inline constexpr std::size_t kOverrideWhoBytesMax = 128;
inline constexpr std::size_t kOverrideNoteBytesMax = 1'000;

struct Override {
  std::string account;   // as the provider names it; limits::kIdBytesMax
  std::string end_user;  // empty: the account itself
  event::Level level = event::Level::clear;
  std::int64_t set_us = 0;
  std::int64_t until_us = 0;
  std::string who, note;

  bool operator==(const Override&) const = default;
};

/// The subject's token in the verdict table.
using TokenOfSubject = std::function<base::Token(std::string_view account, std::string_view end_user)>;
using OverrideMap = base::FlatMap<base::Token, Override>;

/// An Error names what is wrong with the override and how it should be.
base::Status check_override(const Override& decided);

/// One line with its newline; parse_override reads it back equal.
void append_override_line(std::string& out, const Override& decided);
base::Result<Override> parse_override(std::string_view line);

class OverrideBook {
 public:
  OverrideBook() : map_(std::make_shared<const OverrideMap>()) {}

  /// Adds or replaces. Expired ones make room (now_us).
  base::Status put(base::Token subject, Override decided, std::int64_t now_us);
  /// False: there was none.
  bool remove(base::Token subject);
  /// Replaces all by the lines of a file; an error names the line, and the book stays as it was.
  base::Status load(std::string_view lines, const TokenOfSubject& token_of, std::int64_t now_us);
  /// All that are not expired, by account and end user: what a file of them holds.
  std::string lines(std::int64_t now_us) const;
  std::size_t size() const { return map()->size(); }

  std::shared_ptr<const OverrideMap> map() const;
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  void publish(std::shared_ptr<const OverrideMap> map);

  mutable std::mutex mutex_;  // guards map_
  std::mutex writing_;        // one writer at a time; taken before mutex_
  std::shared_ptr<const OverrideMap> map_;
  std::atomic<std::uint64_t> generation_{1};
};

/// One thread's view. What find() returned stays valid until the next find() of the same reader after refresh().
class OverrideReader {
 public:
  explicit OverrideReader(const OverrideBook& book) : book_(&book) {}
  /// Once a request, before find(): takes the newest map when there is one.
  void refresh() {
    const std::uint64_t generation = book_->generation();
    if (generation == generation_) return;
    map_ = book_->map();
    generation_ = generation;
  }
  /// Nothing for 0, without an override, or when it is expired.
  const Override* find(base::Token subject, std::int64_t now_us) const;

 private:
  const OverrideBook* book_;
  std::uint64_t generation_ = 0;
  std::shared_ptr<const OverrideMap> map_;
};

}  // namespace stillwatch::policy
