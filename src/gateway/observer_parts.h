// The observer from within: what its thread owns, for observer.cc (rounds of work) and observer_recovery.cc (the
// start).
//
// Invariant: all of it belongs to the observer's thread, but for queue, in_flight, levels, names and what is under the
// mutex. Internal to this module. Threads: see observer.h. Cost: see observer.h.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/account_feed.h"
#include "gateway/audit_port.h"
#include "gateway/engine_remake.h"
#include "gateway/line_journal.h"
#include "gateway/observer.h"
#include "gateway/observer_state.h"
#include "gateway/short_turns.h"
#include "gateway/waiting_records.h"
#include "intake/duplicate_filter.h"
#include "intake/identities.h"

namespace stillwatch::gateway {

struct Observer::State {
  State(ObserverOptions given, const crypto::KeyedHash& hash, ObserverPorts given_ports, QueryLog opened);
  ~State();

  // From any thread.
  ObserverOptions options;
  const crypto::KeyedHash& keyed_hash;
  ObserverPorts ports;
  const bool may_take_bodies_early;
  ExchangeQueue queue;
  InFlight in_flight;
  engine::VerdictTable levels;
  FeedClock clock;
  intake::Identities identities;
  std::shared_mutex names_mutex;  // held alone while all of `identities` is exchanged, shared by other threads
  std::atomic<std::int64_t> mirrored_until_us{INT64_MIN};
  std::atomic<std::int64_t> round_started_us{0};  // steady clock; 0: between rounds

  // The thread's.
  QueryLog log;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<LineJournal> verdicts, alarms;
  std::unique_ptr<AccountFeed> accounts;
  std::map<event::Token, std::string> unnamed;
  RecordLine record_line;
  GiveWay give_way;
  std::unique_ptr<intake::LineParser> parser;
  std::vector<std::unique_ptr<intake::LineParser>> feed_parsers;  // the first for feed_line, then those of tails
  TailPlaces places;                                              // of what is in the log
  std::vector<TailPlace> staged_places;                           // of lines that were appended to it, not flushed
  std::vector<TailPlace> places_at_start;                         // not changed after the start
  intake::RawRecord fed;
  intake::DuplicateFilter fed_ids;
  intake::ParsedLine parsed;
  intake::RawRecord raw_fields;            // of the same line, when there is an audit log
  std::vector<audit::Record> audit_lines;  // of lines that were appended to the log, not flushed
  std::map<event::Token, std::string> model_names;
  std::vector<audit::Loss> audit_losses;  // of gap lines among them
  std::string line;
  std::vector<std::unique_ptr<Exchange>> taken;
  std::vector<std::shared_ptr<EarlyBody>> taken_bodies;
  std::vector<event::Query> staged;  // appended to the log, not flushed
  WaitingRecords waiting;
  std::vector<event::Query> batch;
  LogPosition recovered;  // the end of the log as it was found
  std::int64_t released_us = INT64_MIN;
  std::int64_t logged_us = INT64_MIN;
  std::int64_t fed_us = INT64_MIN;  // the latest of another log
  std::uint64_t alarms_given = 0, epochs_seen = 0;
  bool is_recovering = false, is_state_due = false;
  std::int64_t flushed_at_us = 0, accounts_at_us = 0, snapshot_at_us = 0, snapshot_cost_us = 0, gap_at_us = 0;
  // Records lost since the last gap line.
  std::uint64_t lost_untold = 0, dropped_told = 0;
  std::int64_t lost_since_us = 0;
  ObserverCounters counts;
  std::string problem;  // told last

  // Of an erasure: from begin_erasure() until the engine that was made again has the place of this one.
  bool is_erasing = false;                            // no snapshot is taken
  std::unique_ptr<EngineRemake> remake;               // nothing: none is under way
  std::string remake_until;                           // the last file of the log that it was given
  std::vector<event::AccountUpdate> remake_accounts;  // that it does not have yet
  std::vector<event::Token> accounts_gone;            // whose levels end, unless it gives them
  std::vector<std::string> remake_known;              // verdict lines that were given meanwhile

  // Under the mutex of `threads`.
  struct Visit {  // somebody waits for the thread to have done this
    std::function<base::Status()> work;
    base::Status answer;
    bool is_done = false;
  };
  struct Threads {
    std::mutex mutex;
    std::condition_variable wake, visited;
    std::thread thread;
    bool is_stopping = false, has_failed = false, has_ended = false;
    std::vector<std::shared_ptr<Visit>> visits;
    base::Status ended;
    ObserverCounters counters;
  };
  std::unique_ptr<Threads> threads;

  // observer_erasure.cc
  void receive();  // who waits
  base::Status visit(std::function<base::Status()> work);
  base::Result<std::vector<std::string>> begin_erasure(std::vector<event::Token> gone);
  base::Result<ledger::FileErasure> erase_own_lines(const std::string& path, const ledger::JudgeLine& judge);
  base::Status end_erasure();
  bool is_about_gone(const event::Verdict& verdict) const;
  /// Gives it what it has not read yet, or its place when it has read all.
  void tend_remake();
  base::Status finish_remake();
  base::Status take_journals_of_remake();
  void take_levels_of_remake();
  void end_remake(std::uint64_t& count, std::string_view why);

  // observer_audit.cc
  void take_raw(const Exchange& exchange);
  void note_line(std::string_view text);
  const std::string& model_name(event::Token model);
  void note_bodies(Exchange& exchange);
  void hand_over_lines();
  void tell_verdict(const event::Verdict& verdict, std::string_view text);
  base::Status recall_audit(std::string_view mark, const LogPosition& from);
  base::Status tell_lines_before(const LogPosition& until);
  /// When the audit log wants one to rest decisions on. What cannot be kept now is kept with a later snapshot.
  void keep_state(const ObserverState& found);

  // observer_recovery.cc
  base::Status recover();
  base::Status read_tail(const LogPosition& from);
  base::Status archive_journals();

  // observer_feed.cc
  /// What is before has all been fed, as far as that can be told.
  std::int64_t fed_until(const FeedClock::Reading& reading, std::int64_t watermark_us) const;

  // observer.cc
  void run();
  void round(bool is_last);
  void end_with(const base::Status& status);
  void take_queue();
  void take(Exchange& exchange);
  void take_line(Exchange& exchange);
  /// `is_read`: `parsed` is the record of `line`.
  void log_line(std::int64_t time_us, bool is_late, bool is_read = false);
  bool is_late(std::int64_t time_us) const;
  /// What a replay makes of a line: its record waits for its turn, unless it is too late for the engine.
  void parse_line(std::string_view padded_line, std::vector<event::Query>& out, bool is_read = false);
  void flush();
  void write_gaps(bool is_last);
  /// Gives the engine what is before a time, and what goes beyond waiting_max.
  void release(std::int64_t until_us, std::size_t waiting_max);
  void give();  // the batch, to the engine
  /// Several workers want much at a time; one gives way to the network threads between batches.
  std::size_t batch_records() const { return options.workers > 1 ? 2'048 : 32; }
  base::Status take_verdicts(std::span<const event::Verdict> given);
  void give_alarms();
  void refresh_expiries();
  void poll_accounts();
  base::Status snapshot();
  void publish_counters();
  void tell(std::string_view text);
  std::string_view name_of(event::Token token);
  std::unique_ptr<engine::Engine> make_engine();
};

std::int64_t steady_now_us();

}  // namespace stillwatch::gateway
