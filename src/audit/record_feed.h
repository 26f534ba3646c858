// From what the query log and the engine say to leaves of the audit log: one feed for the gateway and for a replay, so
// that both write the same kinds of leaves in the same way.
//
// Invariants: leaves stand in the order in which their records and verdicts were given; what `recall` found to be in
// the log already is not written twice; a record that was taken and cannot be written is told in a gap leaf. No raw id
// and no text of a request leaves this class but into the vault.
// A decision leaf names, as its inputs, everything that this feed wrote since its base, up to a checkpoint that is
// signed before the decision is written. The base is the feed's beginning, later the place where it was given a kept
// state. Threads: begin() and stop() by one; try_give(), settle(), counters() from any. One thread of its own makes the
// leaves: keys, HMACs, the vault and the log are its business. Cost: try_give() is a move under a mutex; a leaf about
// 4 µs on the feed's thread, with a payload of 4 KiB about 10 µs more. Spec: docs/reference/audit-log.md, "Leaves".
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "audit/audit_log.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "event/query.h"
#include "event/verdict.h"
#include "ledger/key_book.h"
#include "ledger/key_wrapper.h"
#include "ledger/vault.h"

namespace stillwatch::audit {

/// A record of the query log.
struct Record {
  std::int64_t time_us = 0;
  std::string id;       // as in the record; empty: the leaf's id is derived from the line
  std::string account;  // raw; empty when the line does not tell
  std::string model;    // raw; cut to what a leaf holds
  std::string line;     // as logged, without its newline; empty: `digest` is its hash already
  crypto::Sha256Digest digest{};
  event::Dialect dialect = event::Dialect::openai_chat;
  std::uint16_t status = 0;
  std::uint32_t input_tokens = 0, output_tokens = 0;
  std::array<std::int8_t, event::Fingerprint::kScores> scores{};
  bool is_refused = false;       // intake cannot use the line; only its size counts for the account
  bool is_shed = false;          // logged, and not given to the engine
  bool is_flagged = false;       // its account was acted on: the payload is kept as long as that needs
  std::string prompt, response;  // sealed into the vault when there is one
};
/// All of a record but its raw texts.
Record record_of(const event::Query& query);

struct Decision {
  std::int64_t time_us = 0;
  event::SubjectKind kind = event::SubjectKind::account;
  std::string account;                        // raw; of an end user the one it belongs to; empty for a campaign
  std::string rule, level, class_, campaign;  // campaign "c-000012" or empty
  bool is_dry_run = true;
  bool has_inputs = true;  // false: of an engine whose records have no leaves here; its leaf names none
  std::string line;        // of verdicts.ndjson, without its newline
};
/// All but the account and the line.
Decision decision_of(const event::Verdict& verdict);

/// What is deployed. Given at the start and whenever it changes; the same again writes nothing.
struct Deployment {
  std::int64_t time_us = 0;
  std::string policy_hash;        // "sha256:..."
  std::string calibration_bytes;  // empty: not calibrated yet
  std::int64_t calibrated_from_us = 0, calibrated_to_us = 0;
  std::uint64_t calibration_groups = 0;
};

/// Records that were never logged.
struct Loss {
  std::int64_t from_us = 0, to_us = 0;
  std::uint64_t records = 0;
  std::string reason;  // "queue_full", "log_failed"
};

/// Decisions rest on this state (KeptStates), and on what is given from here on.
struct Base {
  std::int64_t time_us = 0;
  ledger::Hash32 state{};
};

using Given = std::variant<Record, Decision, Deployment, Loss, Base>;

/// What a feed goes on from.
struct Recall {
  std::string_view mark{};  // of settle(); empty: everything that the feed wrote is given again
  bool is_anew = false;     // nothing is given again, and no decision rests on what the logs hold
  /// Of settle(), for decisions without inputs, which come from another engine with a mark of its own; empty: from the
  /// first log on. None: there is no such engine.
  std::optional<std::string_view> decisions_mark{};
};

struct FeedOptions {
  Settings log;  // of the audit log
  /// Keys and vault lie in log.folder. Never null.
  std::unique_ptr<ledger::KeyWrapper> master;
  bool has_vault = false;
  ledger::VaultOptions vault;
  ledger::RetentionProfile retention;
  /// A replay: leaf ids are derived, and the ledger's clock is the time of the newest record.
  bool is_replay = false;
  std::int64_t begin_us = 0;  // of a replay: the time of its first record
  /// try_give() refuses beyond; a caller that must lose nothing uses give().
  std::size_t queue_count_max = 65'536;
  std::size_t queue_bytes_max = std::size_t{128} << 20;
};

struct FeedCounters {
  std::uint64_t records = 0, decisions = 0, deployments = 0, losses = 0;  // written
  std::uint64_t recalled = 0;                                             // were in the log already
  std::uint64_t overflowed = 0;                                           // not taken: the queue was full
  std::uint64_t unnamed = 0;  // the tenant's keys are destroyed: written without names and commitments
  std::uint64_t payloads = 0, payloads_failed = 0;
  std::uint64_t failures = 0;  // attempts to write that failed and are tried again
  std::uint64_t waiting = 0, waiting_bytes = 0;
  bool is_failing = false;     // now
  std::int64_t behind_ms = 0;  // how long the oldest has been waiting
};

class RecordFeed {
 public:
  /// Opens the keys, the vault and the audit log. Environment error when one of them cannot be used.
  static base::Result<std::unique_ptr<RecordFeed>> open(FeedOptions options);
  ~RecordFeed();  // as after kill -9, but for the threads
  RecordFeed(const RecordFeed&) = delete;
  RecordFeed& operator=(const RecordFeed&) = delete;

  /// Before anything is given: reads what the logs hold since the mark, so that the same things given again are passed
  /// over, each as often as it is there. forget() ends that. False: the mark is not of these logs, so that they may
  /// lack what was given before it.
  base::Result<bool> recall(const Recall& from);
  void forget();

  /// Whether decisions should rest on a newer state: a month has begun since where their inputs begin; the state there
  /// is erased; or the mark was not known, so that what the engine has seen is not what these logs hold.
  bool wants_base() const;

  /// False when the queue is full: told in a gap leaf, unless `sequencer.is_fail_closed`. A base always finds room.
  bool try_give(Given given);
  /// Several at once, in order; those that find no room are lost as above.
  void try_give(std::vector<Record>& records);
  /// The same, waiting for room.
  void give(Given given);
  void give(std::vector<Record>& records);
  /// False also while the disk refuses.
  bool has_room() const;

  /// Waits until everything given before is committed and signed, at most so long. Gives the mark to recall() from
  /// after a restart. Environment error when the disk fails or the time is over.
  base::Result<std::string> settle(std::int64_t wait_ms_max);

  AuditLog& log();
  ledger::KeyBook& keys();
  ledger::Vault* vault();  // null without one
  /// Runs `work` on the feed's thread between two leaves, and waits: for erasures, holds and openings, which change
  /// what the feed has at hand. Cached keys are forgotten afterwards.
  base::Status run(const std::function<base::Status()>& work);
  FeedCounters counters() const;

  /// Writes what was given, anchors once more, ends the threads.
  base::Status stop();

 private:
  struct State;
  explicit RecordFeed(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::audit
