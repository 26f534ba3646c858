// What a replay writes to an audit log (`replay --ledger=DIR`): a leaf for each record and each verdict, in event
// order.
//
// Invariant: the same logs, settings, secret and ledger keys give the same leaves for any number of threads; a run that
// goes on after a stop writes none twice. The ledger's clock is the time of the newest record.
// Threads: one user; leaves are made on a thread of the feed. Cost: about 0.3 µs a record on the caller's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/kept_state.h"
#include "audit/record_feed.h"
#include "engine/engine.h"

namespace stillwatch::replay {

struct LedgerOptions {
  std::string folder;  // empty: no audit log
  std::string host = "stillwatch.local";
  std::string master_key_file;  // empty: keys/master in the folder
};

class LedgerOutput {
 public:
  using OpenId = event::OpenId;

  /// `begin_us`: the time of the first record. `mark`: of settle(), of the run that is gone on with; empty: a new run.
  static base::Result<std::unique_ptr<LedgerOutput>> open(const LedgerOptions& options, std::string policy_hash,
                                                          std::int64_t begin_us, std::string_view mark);

  /// A batch, before the engine is given it; `digests` are its lines'.
  void add(std::span<const event::Query> queries, std::span<const crypto::Sha256Digest> digests, const OpenId& open);
  void add(const event::Verdict& verdict, std::string_view line, const OpenId& open);
  /// Before the first record and whenever the engine may have ended its calibration.
  void note(const engine::Engine& engine);

  /// Decisions rest on this state, and on what is added from here on; `begin_us`: the time of the first of that.
  base::Status rest_on(const audit::KeptState& state, std::string_view names, std::int64_t begin_us);

  /// Everything added is on the disk: the mark to go on from.
  base::Result<std::string> settle();
  /// The same, with a last anchor.
  base::Status finish();

  audit::FeedCounters counters() const { return feed_->counters(); }

 private:
  LedgerOutput() = default;
  std::string folder_, policy_hash_;
  bool is_noted_ = false, is_calibrated_ = false;
  std::vector<audit::Record> records_;
  std::unique_ptr<audit::RecordFeed> feed_;
};

/// STATE/ledger.mark: where a run's part of the audit log begins, until a snapshot tells. `run` names the run.
base::Status keep_mark(const std::string& state_folder, std::string_view run, std::string_view mark);
/// Empty when there is none, or of another run.
base::Result<std::string> kept_mark(const std::string& state_folder, std::string_view run);
void drop_mark(const std::string& state_folder);

}  // namespace stillwatch::replay
