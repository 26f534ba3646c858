#include "replay/ledger_output.h"

#include <unistd.h>

#include <filesystem>

#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "base/files.h"
#include "crypto/digest.h"

namespace stillwatch::replay {
namespace {

constexpr std::int64_t kSettleMs = 600'000;  // a disk that takes longer for what is queued has failed
constexpr std::uint64_t kMarkBytesMax = 1U << 16;

std::string mark_path(const std::string& folder) { return folder + "/ledger.mark"; }

}  // namespace

base::Result<std::unique_ptr<LedgerOutput>> LedgerOutput::open(const LedgerOptions& options, std::string policy_hash,
                                                               std::int64_t begin_us, std::string_view mark) {
  audit::FeedOptions to;
  to.log.folder = options.folder;
  to.log.host = options.host;
  to.is_replay = true;
  to.begin_us = begin_us;
  STILLWATCH_CHECK(base::make_writable_folder(options.folder));
  const std::string default_path = audit::master_key_path(options.folder);
  if (options.master_key_file.empty())
    STILLWATCH_CHECK(base::make_writable_folder(std::filesystem::path(default_path).parent_path()));
  STILLWATCH_TRY(master, ledger::open_master_key_file(
                             options.master_key_file.empty() ? default_path : options.master_key_file, true));
  to.master = std::move(master);
  STILLWATCH_TRY(feed, audit::RecordFeed::open(std::move(to)));
  std::unique_ptr<LedgerOutput> output(new LedgerOutput);
  output->feed_ = std::move(feed);
  output->folder_ = options.folder;
  output->policy_hash_ = std::move(policy_hash);
  STILLWATCH_CHECK(output->feed_->recall({mark}));
  return output;
}

void LedgerOutput::add(std::span<const event::Query> queries, std::span<const crypto::Sha256Digest> digests,
                       const OpenId& open) {
  for (std::size_t i = 0; i < queries.size(); ++i) {
    audit::Record record = audit::record_of(queries[i]);
    record.account = open(queries[i].account);
    record.model = open(queries[i].model);
    record.digest = digests[i];
    records_.push_back(std::move(record));
  }
  feed_->give(records_);
}

void LedgerOutput::add(const event::Verdict& verdict, std::string_view line, const OpenId& open) {
  audit::Decision decision = audit::decision_of(verdict);
  if (verdict.kind != event::SubjectKind::campaign)
    decision.account = open(verdict.kind == event::SubjectKind::account ? verdict.subject : verdict.account);
  decision.line = line;
  feed_->give(audit::Given(std::move(decision)));
}

void LedgerOutput::note(const engine::Engine& engine) {
  const bool is_calibrated = !engine.detector().calibrating();
  if (is_noted_ && is_calibrated == is_calibrated_) return;
  is_noted_ = true;
  is_calibrated_ = is_calibrated;
  audit::Deployment deployment;
  deployment.time_us = is_calibrated ? engine.counters().calibrated_us : 0;
  deployment.policy_hash = policy_hash_;
  if (is_calibrated) {
    deployment.calibration_bytes = engine.calibration_bytes();
    // One that was taken over from another log has no time here.
    deployment.calibrated_from_us = engine.counters().calibrated_us == 0 ? 0 : engine.counters().first_us;
    deployment.calibrated_to_us = engine.counters().calibrated_us;
    deployment.calibration_groups = engine.detector().calibration().group_count();
  }
  feed_->give(audit::Given(std::move(deployment)));
}

base::Status LedgerOutput::rest_on(const audit::KeptState& state, std::string_view names, std::int64_t begin_us) {
  // On the disk before the first leaf can name it.
  STILLWATCH_TRY(hash, audit::KeptStates(folder_).keep(state, names, feed_->keys()));
  feed_->give(audit::Given(audit::Base{begin_us, hash}));
  return {};
}

base::Result<std::string> LedgerOutput::settle() { return feed_->settle(kSettleMs); }

base::Status LedgerOutput::finish() {
  STILLWATCH_CHECK(settle());
  return feed_->stop();
}

base::Status keep_mark(const std::string& state_folder, std::string_view run, std::string_view mark) {
  return base::write_file(mark_path(state_folder), crypto::sha256_hex(run) + "\n" + std::string(mark));
}

base::Result<std::string> kept_mark(const std::string& state_folder, std::string_view run) {
  std::error_code code;
  if (!std::filesystem::exists(mark_path(state_folder), code)) return std::string();
  STILLWATCH_TRY(text, base::read_file(mark_path(state_folder), kMarkBytesMax));
  const std::string name = crypto::sha256_hex(run) + "\n";
  return text.starts_with(name) ? text.substr(name.size()) : std::string();
}

void drop_mark(const std::string& state_folder) { ::unlink(mark_path(state_folder).c_str()); }

}  // namespace stillwatch::replay
