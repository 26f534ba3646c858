// A replay from within: what one run holds, for run.cc (reading and stepping) and run_base.cc (the audit log, and
// states that decisions rest on).
//
// Invariant: see run.h. Internal to this module. Threads: one user. Cost: see run.h.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/folder_lock.h"
#include "crypto/keyed_hash.h"
#include "intake/account_parser.h"
#include "intake/identities.h"
#include "intake/log_reader.h"
#include "replay/journal.h"
#include "replay/ledger_output.h"
#include "replay/reject_file.h"
#include "replay/run.h"
#include "replay/snapshot_file.h"

namespace stillwatch::replay {

/// The first moment of the next month.
std::int64_t month_end_after(std::int64_t time_us);

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {}

  base::Result<Outcome> go() {
    STILLWATCH_CHECK(prepare());
    // A state that is gone on from has learned already.
    if (!options_.calibrate.empty() && options_.base == nullptr) STILLWATCH_CHECK(calibrate());
    STILLWATCH_CHECK(resume());
    STILLWATCH_CHECK(replay());
    return finish();
  }

 private:
  base::Status prepare();
  base::Status calibrate();
  base::Status resume();
  base::Status replay();
  base::Status step(std::vector<event::Query>& batch);
  base::Status step_logged(std::vector<event::Query>& batch);
  base::Status load_accounts(const intake::RejectSink& rejects);
  base::Status go_on_from_base();
  void add_waiting(std::vector<event::Query>& batch);
  base::Status keep_state(std::int64_t begin_us);
  base::Status open_ledger(std::int64_t begin_us);
  base::Status stop_here();
  base::Status take_snapshot();
  base::Result<Outcome> finish();
  base::Result<std::unique_ptr<intake::LogReader>> open_logs(const std::vector<std::string>& logs,
                                                             intake::RejectSink rejects);
  std::unique_ptr<engine::Engine> make_engine(engine::VerdictSink sink);
  base::Status write_verdicts(std::span<const event::Verdict> verdicts);
  bool wants_digests() const { return !options_.ledger.folder.empty() || options_.choose; }
  bool is_stop_requested() const { return options_.stop_requested != nullptr && options_.stop_requested->load(); }
  SnapshotFile snapshot_header() const;
  void show_progress();

  /// The name of an account or model; one that found no room among the names is shown by its token.
  std::string_view name_of(event::Token token);

  const Options& options_;
  std::map<event::Token, std::string> unnamed_;
  std::vector<base::FolderLock> locks_;
  std::unique_ptr<crypto::KeyedHash> keyed_hash_;
  intake::Identities identities_;
  intake::AccountFile accounts_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<Journal> verdicts_;
  std::unique_ptr<RejectFile> rejects_;
  std::unique_ptr<intake::LogReader> reader_;
  std::unique_ptr<LedgerOutput> ledger_;  // from the first record on
  std::string inputs_, ledger_mark_;
  std::uint64_t account_updates_ = 0;
  std::int64_t month_end_us_ = INT64_MIN;      // of the newest record given to the audit log; before the first none
  std::vector<event::Query> waiting_;          // of the base: by time, then as logged; not yet given to the engine
  std::vector<crypto::Sha256Digest> digests_;  // of a batch's lines
};

}  // namespace stillwatch::replay
