#include "replay/run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"
#include "base/folder_lock.h"
#include "crypto/digest.h"
#include "event/json_lines.h"
#include "intake/account_parser.h"
#include "intake/log_reader.h"
#include "replay/journal.h"
#include "replay/ledger_output.h"
#include "replay/reject_file.h"
#include "replay/run_counters.h"
#include "replay/snapshot_file.h"

namespace stillwatch::replay {
namespace {

using base::Fault;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kNoMarkYet = "-";  // a run with an audit log that was stopped before its first record

/// Until standard input has bytes or has ended. Whoever writes both the stream and the accounts file has finished the
/// accounts by then, so they can be read first.
void wait_for_input(const std::atomic<bool>* stop_requested) {
  constexpr int kWaitMs = 100;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  for (;;) {
    const int ready = ::poll(&input, 1, kWaitMs);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return;
    if (stop_requested != nullptr && stop_requested->load()) return;
  }
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {}

  base::Result<Outcome> go() {
    STILLWATCH_CHECK(prepare());
    if (!options_.calibrate.empty()) STILLWATCH_CHECK(calibrate());
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
  base::Status open_ledger(std::int64_t begin_us);
  base::Status stop_here();
  base::Status take_snapshot();
  base::Result<Outcome> finish();
  base::Result<std::unique_ptr<intake::LogReader>> open_logs(const std::vector<std::string>& logs,
                                                             intake::RejectSink rejects);
  std::unique_ptr<engine::Engine> make_engine(engine::VerdictSink sink);
  base::Status write_verdicts(std::span<const event::Verdict> verdicts);
  base::Status write_campaigns(Outcome& outcome, OutputSet& outputs);
  void fill(Outcome& outcome) const;
  bool wants_digests() const { return !options_.ledger.folder.empty() || options_.choose; }
  bool is_stop_requested() const { return options_.stop_requested != nullptr && options_.stop_requested->load(); }
  SnapshotFile snapshot_header() const;
  void show_progress();

  /// The name of an account or model; one that found no room among the names is shown by its token.
  std::string_view name_of(event::Token token) {
    const std::string_view raw = identities_.open(token);
    if (!raw.empty() || token == 0) return raw;
    return unnamed_.try_emplace(token, fmt::format("unnamed-{:016x}", token)).first->second;
  }

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
  std::vector<crypto::Sha256Digest> digests_;  // of a batch's lines
};

base::Status Run::prepare() {
  // The same folder for both is one lock.
  std::vector<std::string> folders{options_.out};
  if (!options_.state.empty() && options_.state != options_.out) folders.push_back(options_.state);
  for (const std::string& folder : folders) {
    STILLWATCH_CHECK(base::make_writable_folder(folder));
    STILLWATCH_TRY(lock, base::FolderLock::take(folder));
    locks_.push_back(std::move(lock));
  }
  STILLWATCH_TRY(secret, crypto::load_or_create_secret(options_.secret));
  keyed_hash_ = std::make_unique<crypto::KeyedHash>(secret);
  inputs_ = options_.format + "\n" + options_.calibrate + "\n" + options_.accounts + "\n";
  for (const std::string& log : options_.logs) inputs_ += log + "\n";
  if (std::find(options_.logs.begin(), options_.logs.end(), "-") != options_.logs.end())
    wait_for_input(options_.stop_requested);
  return {};
}

base::Result<std::unique_ptr<intake::LogReader>> Run::open_logs(const std::vector<std::string>& logs,
                                                                intake::RejectSink rejects) {
  intake::LogReaderOptions reading;
  STILLWATCH_CHECK(intake::parse_format(options_.format, reading));
  reading.lateness_us = options_.lateness_us;
  reading.line_bytes_max = options_.line_bytes_max;
  reading.threads = options_.threads;
  reading.stop_requested = options_.stop_requested;
  reading.has_digests = wants_digests();
  return intake::LogReader::open(logs, reading, *keyed_hash_, identities_, std::move(rejects));
}

std::unique_ptr<engine::Engine> Run::make_engine(engine::VerdictSink sink) {
  return std::make_unique<engine::Engine>(
      options_.engine, options_.threads, [this](event::Token token) { return name_of(token); }, std::move(sink));
}

base::Status Run::write_verdicts(std::span<const event::Verdict> verdicts) {
  const auto open = [this](event::Token token) { return name_of(token); };
  if (ledger_ != nullptr) ledger_->note(*engine_);
  for (const event::Verdict& verdict : verdicts) {
    const std::string line = event::to_json(verdict, options_.policy_hash, open);
    STILLWATCH_CHECK(verdicts_->append(line));
    if (ledger_ != nullptr) ledger_->add(verdict, line, open);
    if (options_.on_verdict) STILLWATCH_CHECK(options_.on_verdict(verdict, line, open));
  }
  return {};
}

// A log that is only there to calibrate: its own engine, no verdicts; what it learned moves on.
base::Status Run::calibrate() {
  engine_ = make_engine([this](std::span<const event::Verdict> verdicts) { return write_verdicts(verdicts); });
  engine::Settings learning = options_.engine;
  learning.detect.calibration_us = INT64_MAX / 4;
  engine::Engine teacher(
      learning, options_.threads, [this](event::Token token) { return name_of(token); },
      [](std::span<const event::Verdict>) { return base::Status{}; });
  STILLWATCH_TRY(reader, open_logs({options_.calibrate}, [](const intake::Reject&) {}));
  if (!options_.accounts.empty()) {
    STILLWATCH_TRY(known,
                   intake::load_accounts(options_.accounts, *keyed_hash_, identities_, [](const intake::Reject&) {}));
    teacher.set_accounts(std::move(known.updates));
  }
  std::vector<event::Query> batch;
  for (;;) {
    batch.clear();
    const auto more = reader->next(batch);
    if (is_stop_requested()) return stop_here();
    if (!more) return base::fail(more.error());
    if (!*more) break;
    STILLWATCH_CHECK(teacher.step(batch));
  }
  for (const base::Error& problem : reader->problems()) return base::fail(problem);
  if (teacher.counters().queries == 0) {
    return base::fail(Fault::caller,
                      fmt::format("{} holds no readable record to calibrate on; check its format", options_.calibrate));
  }
  teacher.finish_calibration();
  engine_->adopt_calibration(teacher);
  return {};
}

SnapshotFile Run::snapshot_header() const {
  SnapshotFile header;
  header.policy_hash = options_.policy_hash;
  header.secret_id = keyed_hash_->secret_id();
  header.inputs = inputs_;
  return header;
}

base::Status Run::resume() {
  std::optional<SnapshotFile> snapshot;
  if (!options_.state.empty()) {
    STILLWATCH_TRY(accounts, content_of(options_.accounts));
    STILLWATCH_TRY(format, content_of(options_.format.starts_with("map:") ? options_.format.substr(4) : ""));
    inputs_ += accounts + format;
    STILLWATCH_TRY(found, read_snapshot(options_.state, snapshot_header()));
    snapshot = std::move(found);
  }
  STILLWATCH_TRY(verdicts, Journal::open(options_.out, options_.state, "verdicts.ndjson",
                                         snapshot ? snapshot->verdicts : Journal::Mark{}));
  verdicts_ = std::make_unique<Journal>(std::move(verdicts));
  STILLWATCH_TRY(rejects, Journal::open(options_.out, options_.state, "rejects.ndjson",
                                        snapshot ? snapshot->rejects : Journal::Mark{}));
  rejects_ = std::make_unique<RejectFile>(std::move(rejects), snapshot ? snapshot->rejects_listed : 0);
  if (engine_ == nullptr)
    engine_ = make_engine([this](std::span<const event::Verdict> lines) { return write_verdicts(lines); });
  const auto add_reject = [this](const intake::Reject& reject) { rejects_->add(reject); };
  STILLWATCH_TRY(reader, open_logs(options_.logs, add_reject));
  reader_ = std::move(reader);
  if (!options_.accounts.empty()) {
    STILLWATCH_TRY(
        known, intake::load_accounts(options_.accounts, *keyed_hash_, identities_, [&](const intake::Reject& reject) {
          if (!snapshot) add_reject(reject);
        }));
    accounts_ = std::move(known);
    engine_->set_accounts(std::move(accounts_.updates));
  }
  if (!snapshot) return {};
  if (snapshot->ledger.empty() != options_.ledger.folder.empty()) {
    return base::fail(Fault::caller,
                      fmt::format("{} was made {} --ledger; run with the same flags to go on, or remove the state "
                                  "folder to start over",
                                  options_.state, snapshot->ledger.empty() ? "without" : "with"));
  }
  if (snapshot->ledger != kNoMarkYet) ledger_mark_ = snapshot->ledger;
  STILLWATCH_CHECK(identities_.load(snapshot->identities));
  STILLWATCH_CHECK(engine_->restore(snapshot->engine));
  STILLWATCH_CHECK(reader_->restore(snapshot->reader));
  return {};
}

void Run::show_progress() {
  if (options_.on_progress)
    options_.on_progress({engine_->counters().queries, reader_->bytes_read(), reader_->bytes_total()});
}

base::Status Run::open_ledger(std::int64_t begin_us) {
  if (ledger_mark_.empty() && !options_.state.empty()) {
    STILLWATCH_TRY(mark, kept_mark(options_.state, options_.policy_hash + inputs_));
    ledger_mark_ = std::move(mark);
  }
  STILLWATCH_TRY(ledger, LedgerOutput::open(options_.ledger, options_.policy_hash, begin_us, ledger_mark_));
  ledger_ = std::move(ledger);
  if (options_.state.empty()) return {};
  // Leaves that a run writes before its first snapshot are its own all the same when it begins anew.
  STILLWATCH_TRY(mark, ledger_->settle());
  return keep_mark(options_.state, options_.policy_hash + inputs_, mark);
}

base::Status Run::step(std::vector<event::Query>& batch) {
  if (options_.choose)
    STILLWATCH_CHECK(options_.choose(batch, digests_, [this](event::Token token) { return name_of(token); }));
  if (!options_.ledger.folder.empty() && !batch.empty()) {
    if (ledger_ == nullptr) STILLWATCH_CHECK(open_ledger(batch.front().time_us));
    ledger_->note(*engine_);
    ledger_->add(batch, digests_, [this](event::Token token) { return name_of(token); });
  }
  return engine_->step(batch);
}

base::Status Run::replay() {
  std::vector<event::Query> batch;
  auto last_snapshot = Clock::now();
  double snapshot_cost = 0;
  for (;;) {
    batch.clear();
    const auto more = wants_digests() ? reader_->next(batch, digests_) : reader_->next(batch);
    if (!more && !is_stop_requested()) return base::fail(more.error());
    if (more && !*more) break;
    STILLWATCH_CHECK(step(batch));
    STILLWATCH_CHECK(rejects_->status());
    show_progress();
    // A read that waits for input ends by this request; what it delivered before is in the batch.
    if (is_stop_requested()) return stop_here();
    if (options_.state.empty()) continue;
    // Snapshots may take a twentieth of the time at most, however large the state is.
    const double since = std::chrono::duration<double>(Clock::now() - last_snapshot).count();
    if (since < std::max(options_.snapshot_seconds, 20 * snapshot_cost)) continue;
    const auto started = Clock::now();
    STILLWATCH_CHECK(take_snapshot());
    last_snapshot = Clock::now();
    snapshot_cost = std::chrono::duration<double>(last_snapshot - started).count();
  }
  return rejects_->status();
}

base::Status Run::take_snapshot() {
  STILLWATCH_CHECK(verdicts_->sync());
  STILLWATCH_CHECK(rejects_->journal().sync());
  SnapshotFile snapshot = snapshot_header();
  snapshot.reader = reader_->save();
  snapshot.engine = engine_->snapshot();
  snapshot.identities = identities_.save();
  snapshot.verdicts = verdicts_->mark();
  snapshot.rejects = rejects_->journal().mark();
  snapshot.rejects_listed = rejects_->listed();
  if (ledger_ != nullptr) {
    STILLWATCH_TRY(mark, ledger_->settle());
    ledger_mark_ = std::move(mark);
  }
  snapshot.ledger = ledger_mark_;
  if (snapshot.ledger.empty() && !options_.ledger.folder.empty()) snapshot.ledger = std::string(kNoMarkYet);
  return write_snapshot(options_.state, snapshot);
}

base::Status Run::stop_here() {
  if (options_.state.empty()) {
    return base::fail(Fault::environment,
                      "interrupted; nothing was written (with --state=DIR a run can go on where it stopped)", true);
  }
  if (reader_ == nullptr)
    return base::fail(Fault::environment,
                      "interrupted before the log was begun; run the same command again to start over", true);
  STILLWATCH_CHECK(take_snapshot());
  if (ledger_ != nullptr) STILLWATCH_CHECK(ledger_->finish());
  return base::fail(Fault::environment,
                    fmt::format("interrupted; run the same command again to go on from {}", options_.state), true);
}

base::Status Run::write_campaigns(Outcome& outcome, OutputSet& outputs) {
  const auto open = [this](event::Token token) { return name_of(token); };
  const engine::CaseBook& book = engine_->case_book();
  outcome.campaigns = book.campaigns(engine_->detector());
  std::string lines;
  for (const event::Campaign& campaign : outcome.campaigns) {
    lines += event::to_json(campaign, open) + "\n";
    for (const event::Token model : campaign.models) outcome.models[campaign.id].emplace_back(open(model));
  }
  STILLWATCH_CHECK(outputs.write("campaigns.ndjson", lines));
  lines.clear();
  for (const event::Member& member : book.members(open)) {
    lines += event::to_json(member, open) + "\n";
    const auto standing = book.standings().find(member.account);
    const event::Level level = standing == book.standings().end() ? event::Level::clear : standing->second.level;
    outcome.members[member.campaign].push_back({std::string(open(member.account)), member, level});
  }
  for (auto& item : outcome.members) {
    std::stable_sort(item.second.begin(), item.second.end(),
                     [](const OpenedMember& a, const OpenedMember& b) { return a.member.queries > b.member.queries; });
  }
  STILLWATCH_CHECK(outputs.write("members.ndjson", lines));
  lines.clear();
  for (const event::Alarm& alarm : engine_->alarm().alarms()) {
    lines += event::to_json(alarm, options_.policy_hash, open) + "\n";
    outcome.alarms.push_back({alarm, event::opened_value(alarm, open)});
  }
  return outputs.write("alarms.ndjson", lines);
}

void Run::fill(Outcome& outcome) const {
  const intake::IntakeCounters intake = reader_->counters();
  const detect::Detector& detector = engine_->detector();
  outcome.engine = engine_->counters();
  outcome.records = intake.accepted;
  outcome.lines = intake.lines;
  outcome.rejected = intake.rejected;
  outcome.duplicates = intake.duplicates();
  outcome.late = intake.late();
  outcome.unknown_fields = intake.parser.unknown_fields + accounts_.unknown_fields;
  outcome.account_lines = accounts_.lines;
  outcome.account_lines_rejected = accounts_.rejected;
  outcome.bytes = intake.bytes;
  outcome.rejected_by_reason = rejects_of(intake);
  outcome.accounts = detector.accounts().size();
  outcome.accounts_by_level["clear"] = outcome.accounts - engine_->case_book().standings().size();
  for (const auto& item : engine_->case_book().standings())
    ++outcome.accounts_by_level[std::string(event::name(item.second.level))];
  outcome.end_users_by_level = engine_->case_book().end_users().by_level();
  outcome.counters = counters_of(*engine_, intake, accounts_, identities_);
  outcome.calibration_bytes = engine_->calibration_bytes();
  outcome.calibration_groups = detector.calibration().group_count();
  outcome.promised_false_campaigns_per_month = detector.calibration().promised_false_campaigns_per_month();
  outcome.threshold_log10_e = detector.calibration().threshold_log10_e();
  outcome.queries_per_hour = engine_->queries_per_hour();
  outcome.warnings = reader_->warnings();
  outcome.problems = reader_->problems();
}

base::Result<Outcome> Run::finish() {
  Outcome outcome;
  if (ledger_ != nullptr) STILLWATCH_CHECK(ledger_->finish());
  OutputSet outputs(options_.out);
  STILLWATCH_CHECK(verdicts_->commit(outputs));
  STILLWATCH_CHECK(rejects_->journal().commit(outputs));
  STILLWATCH_CHECK(write_campaigns(outcome, outputs));
  fill(outcome);
  if (options_.add_report) STILLWATCH_CHECK(options_.add_report(outcome, outputs.aside("verdicts.ndjson"), outputs));
  STILLWATCH_CHECK(outputs.publish());
  // The snapshot first: it counts the journals' lines, and without it they are started anew.
  if (!options_.state.empty()) remove_snapshot(options_.state), drop_mark(options_.state);
  verdicts_->forget();
  rejects_->journal().forget();
  return outcome;
}

}  // namespace

base::Result<Outcome> run(const Options& options) { return Run(options).go(); }

}  // namespace stillwatch::replay
