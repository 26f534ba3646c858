// The logs of one shard, one a month: opened, continued, and closed by the next.
//
// Invariants: the first leaf of a log is `open` (its origin, and the hash of the final checkpoint of the log before);
// the last two are `key` (the next log's vkey) and `close`; no key is used for two origins; a seed is destroyed when
// the next log has its `open` leaf. Every step can be repeated after a crash; open() goes on where it stopped. Time is
// given, never read. It never goes back: an earlier time counts as the last one, and is counted. Threads: one user.
// Cost: LogStore's; a rotation about 15 syncs. Layout: `<ledger>/logs/<prefix>-<period>/`,
// `<ledger>/keys/<prefix>-<period>.seed` (mode 0600).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/log_store.h"

namespace stillwatch::ledger {

struct LogChainOptions {
  std::string folder;         // of the ledger
  std::string folder_prefix;  // "shard-s00": [a-z0-9-]
  std::string origin_prefix;  // "audit.provider.example/audit/s00"; the origin is this, "/", and the period
  std::string signed_folder;  // of the `signed` files; empty: beside each log
  /// Seed of a new log by its origin; empty: 32 random bytes. For runs that must give the same bytes again.
  std::function<KeySeed(std::string_view origin)> seed_of;
};

/// "2026-11" of a time.
std::string month_of(std::int64_t time_ms);

class LogChain {
 public:
  /// Continues the newest log of the prefix, or opens the first one.
  static base::Result<LogChain> open(const LogChainOptions& options, std::int64_t now_ms);
  LogChain(LogChain&&) noexcept;
  LogChain& operator=(LogChain&&) noexcept;
  ~LogChain();

  /// Rotates when `now_ms` is in a later month than the present log.
  base::Status roll(std::int64_t now_ms);
  /// Appends leaves whose ledger time is `now_ms`: roll(), then log().append().
  base::Result<std::uint64_t> append(std::span<const std::string_view> leaves, std::int64_t now_ms);
  /// Closes the present log and opens the next, also within a month (which is then called "2026-11-2").
  base::Status rotate(std::int64_t now_ms, std::string_view why);
  base::Result<std::string> sign() { return log().sign(); }
  /// After an error of append() or rotate(): recovers, and goes on with a rotation that was under way.
  base::Status reopen();
  /// Closes the present log for good, without a next one: its last leaf is `close`, its seed is destroyed.
  base::Status finish(std::int64_t now_ms, std::string_view why);

  LogStore& log();
  const LogStore& log() const;
  /// The time to put into a leaf: `now_ms`, or the last time when that is later.
  std::int64_t leaf_time(std::int64_t now_ms);

  std::int64_t last_time() const;
  /// `<ledger>/logs/<prefix>.running`: there while a sequencer writes, so that a start can tell a crash before it.
  std::string running_path() const;

  struct Counters {
    std::uint64_t rotations = 0, clock_backwards = 0, seeds_destroyed = 0;
  };
  const Counters& counters() const;

 private:
  struct Impl;
  explicit LogChain(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stillwatch::ledger
