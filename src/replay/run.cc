#include "replay/run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"
#include "event/json_lines.h"
#include "replay/run_parts.h"

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

}  // namespace

std::string_view Run::name_of(event::Token token) {
  const std::string_view raw = identities_.open(token);
  if (!raw.empty() || token == 0) return raw;
  return unnamed_.try_emplace(token, fmt::format("unnamed-{:016x}", token)).first->second;
}

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
  STILLWATCH_CHECK(load_accounts([&](const intake::Reject& reject) {
    if (!snapshot) add_reject(reject);
  }));
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
  if (engine_->counters().queries > 0) month_end_us_ = month_end_after(engine_->counters().last_us);
  return {};
}

void Run::show_progress() {
  if (options_.on_progress)
    options_.on_progress({engine_->counters().queries, reader_->bytes_read(), reader_->bytes_total()});
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
  // What waited in the base, and nothing came after.
  if (!waiting_.empty()) STILLWATCH_CHECK(engine_->step(waiting_));
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

base::Result<Outcome> Run::finish() {
  Outcome outcome;
  if (ledger_ != nullptr) STILLWATCH_CHECK(ledger_->finish());
  OutputSet outputs(options_.out);
  STILLWATCH_CHECK(verdicts_->commit(outputs));
  STILLWATCH_CHECK(rejects_->journal().commit(outputs));
  const auto open = [this](event::Token token) { return name_of(token); };
  STILLWATCH_CHECK(write_campaigns(*engine_, options_.policy_hash, open, outcome, outputs));
  count_all(*engine_, *reader_, accounts_, identities_, outcome);
  if (options_.add_report) STILLWATCH_CHECK(options_.add_report(outcome, outputs.aside("verdicts.ndjson"), outputs));
  STILLWATCH_CHECK(outputs.publish());
  // The snapshot first: it counts the journals' lines, and without it they are started anew.
  if (!options_.state.empty()) remove_snapshot(options_.state), drop_mark(options_.state);
  verdicts_->forget();
  rejects_->journal().forget();
  return outcome;
}

base::Result<Outcome> run(const Options& options) { return Run(options).go(); }

}  // namespace stillwatch::replay
