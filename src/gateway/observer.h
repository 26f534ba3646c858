// The observer: one thread that owns the engine. Finished exchanges in, verdicts out.
//
// Invariant (live equals replay): the engine is given exactly what a replay of the query log gives it. Each exchange
// becomes one line; the line is written to the log and flushed; then the record that a replay parses from that line
// goes to the engine in order of time once nothing earlier can come (in_flight.h). What comes later than that, and what
// the queue kept out, is in the log with "shed":true and in neither run.
// After any end of the process start() restores the last snapshot and reads the log's tail again; verdict lines that
// were given are not given twice, and no level is lost.
// Threads: start() and stop() by one; queue(), in_flight(), verdicts(), feed_line(), push_body(), counters(), open()
// from any. Ports are called on the observer's thread (during recovery on the caller of start()) and must not wait.
// Cost: see docs/internals/gateway.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "engine/engine.h"
#include "engine/verdict_table.h"
#include "gateway/exchange_queue.h"
#include "gateway/feed_clock.h"
#include "gateway/in_flight.h"
#include "gateway/query_log.h"
#include "gateway/record_line.h"
#include "gateway/tail_place.h"
#include "intake/line_parser.h"
#include "intake/log_reader.h"
#include "ledger/file_eraser.h"

namespace stillwatch::gateway {

class AuditPort;

struct ObserverOptions {
  std::string state_folder;   // snapshot, verdicts.ndjson, alarms.ndjson, accounts.ndjson
  std::string accounts_file;  // may be empty; read again when it changes
  QueryLogOptions log;
  Content content = Content::fingerprint;
  engine::Settings engine;
  unsigned workers = 1;     // of the engine
  std::string policy_hash;  // names the settings: another one makes the engine learn from its log anew
  QueueLimits queue;
  unsigned queue_shards = 1;  // network threads
  InFlight::Options in_flight;
  std::int64_t lateness_us = base::limits::kLatenessMinutes * base::kMinuteUs;  // that the log is replayed with
  std::int64_t flush_us = base::kSecondUs / 2;                                  // real time between flushes
  std::size_t flush_bytes = 4U << 20;                                           // or that many bytes of lines
  std::size_t order_records_max = 500'000;  // that wait for their turn, ~500 B each; half of what a replay orders
  double snapshot_seconds = 60;             // 0: only when stopped
  double accounts_seconds = 5;              // between looks at the accounts file
  /// For feed_line(): reads the lines (empty: native records), and how long after its arrival a request's line may
  /// come; 0: none are fed.
  using MakeParser =
      std::function<std::unique_ptr<intake::LineParser>(const crypto::KeyedHash&, const intake::Identities*)>;
  MakeParser make_feed_parser;
  std::int64_t feed_wait_us = 0;
  /// Another observer gives it what it takes (ObserverPorts::on_taken) and says how far its order goes (mirror_until).
  bool is_mirror = false;
  std::vector<TailPlace> tail_places;    // known from elsewhere
  std::vector<MakeParser> tail_parsers;  // for feed_tail_line(), one for each log that is tailed
};

/// A line of a log that is tailed (log_tail.h).
struct TailLine {
  std::string_view text;     // of a line over the limit its beginning
  bool is_too_long = false;  // refused, but it counts for its account
  unsigned parser = 0;       // of options.tail_parsers
  unsigned source = 0;       // of the feed clock
  TailPlace place;           // behind it
};

struct ObserverPorts {
  /// `again`: the line was already in verdicts.ndjson before a restart. `line` has no newline.
  std::function<void(const event::Verdict& verdict, std::string_view line, bool again)> on_verdict;
  std::function<void(const event::Alarm& alarm, std::string_view line, bool again)> on_alarm;
  /// What it takes, before it becomes a record; then that all before a time has been taken.
  std::function<void(const Exchange& exchange)> on_taken;
  std::function<void(std::int64_t until_us)> on_until;
  /// A record had its turn in the engine, so long after its request ended. Not in recovery.
  std::function<void(std::int64_t wait_us)> on_given;
  /// The audit log; null without one. Outlives the observer.
  AuditPort* audit = nullptr;
  /// The log or a state file cannot be written (or can again: an empty text). For a person; no raw id in it.
  std::function<void(std::string_view problem)> on_problem;
};

struct ObserverCounters {
  std::uint64_t records = 0;          // given to the engine, refused ones included
  std::uint64_t refused = 0;          // of these, lines that intake refuses (they count for their account)
  std::uint64_t late_shed = 0;        // finished after their turn: logged, not given
  std::uint64_t queue_shed = 0;       // logged without body because the queue was full
  std::uint64_t queue_dropped = 0;    // not even that
  std::uint64_t lost = 0;             // could not be written to the log, so not given
  std::uint64_t gaps = 0;             // gap lines written
  std::uint64_t gaps_log_failed = 0;  // of these, those of a log that could not be written
  std::uint64_t feed_refused = 0, feed_repeated = 0, feed_early = 0;  // lines of another log that gave no record
  std::uint64_t order_overflows = 0;
  std::uint64_t verdicts = 0, verdicts_again = 0, verdicts_waiting = 0, journal_diverged = 0, alarms = 0;
  std::uint64_t account_lines = 0, account_lines_rejected = 0;
  std::uint64_t snapshots = 0, snapshot_failures = 0, recovered_records = 0;
  std::uint64_t epochs = 0, accounts = 0;
  std::uint64_t campaigns = 0;          // with an account above clear, when the last epoch was closed
  std::uint64_t ordering = 0;           // records that wait for their turn
  std::int64_t event_us = 0;            // the engine has seen everything before
  std::int64_t snapshot_steady_us = 0;  // monotonic clock of the last snapshot; 0: none yet
  std::int64_t lag_us = 0;              // how far that is behind the gateway's time
  std::int64_t busy_us = 0;             // the current round of work has taken so long: a stalled engine shows here
  std::uint64_t remakes = 0, remakes_given_up = 0;  // engines made again after an erasure, and those that could not be
  std::uint64_t remake_records = 0;                 // read by the one that is being made; 0: none is
  bool is_erasing = false;                          // an erasure is under way: no snapshot is taken
  bool calibrating = true, calibration_drifted = false;
  bool log_failing = false;  // for the setting that refuses traffic then
  ExchangeQueue::Counters queue;
  InFlight::Counters in_flight;
  QueryLog::Counters log;
  RecordLine::Counters lines;
};

class Observer {
 public:
  /// Recovers, then starts the thread. `keyed_hash` outlives it. Environment error when a folder cannot be used.
  static base::Result<std::unique_ptr<Observer>> start(ObserverOptions options, const crypto::KeyedHash& keyed_hash,
                                                       ObserverPorts ports);
  ~Observer();  // as after kill -9, but for the thread: call stop() for an orderly end

  ExchangeQueue& queue();
  InFlight& in_flight();
  const engine::VerdictTable& verdicts() const;
  /// A body ahead of its exchange (exchange.h). False where it must stay with its request: it will be logged or kept,
  /// another observer reads it too, or the queue has no room for it now.
  bool push_body(unsigned shard, const std::shared_ptr<EarlyBody>& body);
  /// One line of another log, as options.make_feed_parser reads it. False when the queue is full.
  bool feed_line(unsigned shard, std::string_view line);
  /// The same for a log that is tailed. False, and nothing is counted, when a quarter of the queue is taken: again
  /// later.
  bool feed_tail_line(unsigned shard, const TailLine& line);
  FeedClock& feed_clock();
  /// Of a mirror: what is before this time is in its queue.
  void mirror_until(std::int64_t until_us);
  /// Where the logs that are tailed go on: what is before is in our own log. As it was found by start().
  const std::vector<TailPlace>& tail_places() const;
  /// The raw id behind a token, or "unnamed-...": for people only. Counted.
  std::string open(base::Token token);
  ObserverCounters counters() const;

  /// An erasure while it runs, in this order; each waits for the observer's thread. Environment error when a file
  /// cannot be written, or it has stopped.
  /// The snapshot goes, and none is taken until the end; the files of the query log are ended, so that others may
  /// rewrite them. Gives the paths of these and of the state folder's files that have lines of accounts. Nothing more
  /// is written about these accounts by the engine that still knows them.
  base::Result<std::vector<std::string>> begin_erasure(std::vector<base::Token> accounts);
  /// Lines out of a file that it writes itself; nothing when `path` is none.
  base::Result<std::optional<ledger::FileErasure>> erase_own_lines(const std::string& path,
                                                                   const ledger::JudgeLine& judge);
  /// The engine is made again from what the query log has now, while this one goes on, and then takes its place
  /// (counters().is_erasing ends). Raw ids that the log does not have are forgotten; levels of the accounts that went
  /// end, unless it gives them.
  base::Status end_erasure();

  /// Takes what is queued, flushes, writes a snapshot, ends the thread. Call it after the last ticket is gone.
  base::Status stop();

 private:
  struct State;
  explicit Observer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::gateway
