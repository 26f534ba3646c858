// The observer's side of an erasure while it runs: files that it writes itself, and the engine that is made again.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "gateway/observer_parts.h"
#include "ledger/durable_files.h"

namespace stillwatch::gateway {
namespace {

constexpr std::uint64_t kRestBytesMax = 8U << 20;  // read on the observer's own thread: 0.1 s
constexpr std::string_view kRemade = "/remade.ndjson";

base::Error stopped() { return {base::Fault::environment, "the gateway is being stopped", true}; }

}  // namespace

void Observer::State::receive() {
  std::vector<std::shared_ptr<Visit>> visits;
  {
    const std::lock_guard lock(threads->mutex);
    visits.swap(threads->visits);
  }
  for (const auto& visit : visits) {
    base::Status answer = visit->work();
    publish_counters();
    const std::lock_guard lock(threads->mutex);
    visit->answer = std::move(answer);
    visit->is_done = true;
    threads->visited.notify_all();
  }
}

base::Status Observer::State::visit(std::function<base::Status()> work) {
  auto visit = std::make_shared<Visit>();
  visit->work = std::move(work);
  std::unique_lock lock(threads->mutex);
  threads->visits.push_back(visit);
  threads->visited.wait(lock, [&] { return visit->is_done || threads->has_ended; });
  return visit->is_done ? visit->answer : base::fail(stopped());
}

bool Observer::State::is_about_gone(const event::Verdict& verdict) const {
  const event::Token account = verdict.kind == event::SubjectKind::end_user ? verdict.account : verdict.subject;
  return verdict.kind != event::SubjectKind::campaign &&
         std::find(accounts_gone.begin(), accounts_gone.end(), account) != accounts_gone.end();
}

base::Result<std::vector<std::string>> Observer::State::begin_erasure(std::vector<event::Token> gone) {
  // One that reads what goes now would have it again.
  remake.reset();
  take_queue();
  flush();
  if (counts.log_failing) return base::fail(base::Fault::environment, problem, true);
  STILLWATCH_CHECK(verdicts->flush());
  is_erasing = true;
  // Of an erasure that the remake of one before did not come to: these go too.
  accounts_gone.insert(accounts_gone.end(), gone.begin(), gone.end());
  log.keep_from("");
  log.end_file();
  STILLWATCH_TRY(overwritten, ledger::overwrite_and_remove(options.state_folder + "/observer.snapshot"));
  (void)overwritten;  // the same holds of its blocks as of any other file's
  std::vector<std::string> out;
  for (const std::string& file : log.files()) out.push_back(log.path_of(file));
  out.push_back(options.state_folder + "/verdicts.ndjson");
  out.push_back(options.state_folder + "/accounts.ndjson");
  std::error_code code;
  for (unsigned number = 1;; ++number) {
    std::string aside = fmt::format("{}/verdicts.ndjson.{}", options.state_folder, number);
    if (!std::filesystem::exists(aside, code)) return out;
    out.push_back(std::move(aside));
  }
}

base::Result<ledger::FileErasure> Observer::State::erase_own_lines(const std::string& path,
                                                                   const ledger::JudgeLine& judge) {
  STILLWATCH_CHECK(verdicts->flush());
  STILLWATCH_TRY(erased, ledger::erase_lines(path, judge));
  STILLWATCH_CHECK(verdicts->reopen());
  return erased;
}

base::Status Observer::State::end_erasure() {
  STILLWATCH_CHECK(log.drop_empty_files());
  STILLWATCH_TRY(feed, AccountFeed::open(options.accounts_file, options.state_folder, keyed_hash, identities));
  STILLWATCH_TRY(updates, feed.taken());
  (void)updates;  // the running engine has them
  EngineRemake::Options made;
  made.engine = options.engine;
  made.workers = options.workers;
  made.policy_hash = options.policy_hash;
  made.lateness_us = options.lateness_us;
  made.waiting_max = 2 * options.order_records_max;  // as in recovery
  made.log_folder = options.log.folder;
  made.verdicts_path = options.state_folder + std::string(kRemade);
  made.verdicts_before_path = options.state_folder + "/verdicts.ndjson";
  STILLWATCH_TRY(begun, EngineRemake::begin(std::move(made), keyed_hash, options.state_folder));
  accounts = std::make_unique<AccountFeed>(std::move(feed));
  remake_accounts.clear();
  remake_until.clear();
  remake_known.clear();
  remake = std::move(begun);
  return {};
}

void Observer::State::end_remake(std::uint64_t& count, std::string_view why) {
  ++count;
  remake.reset();
  if (!why.empty()) tell(why);
}

void Observer::State::tend_remake() {
  if (!remake->is_waiting()) return;
  if (!remake->status()) return end_remake(counts.remakes_given_up, remake->status().error().message);
  if (log.current_bytes() > kRestBytesMax) log.end_file();
  remake->add_accounts(std::exchange(remake_accounts, {}), identities);
  std::vector<std::string> whole;
  for (const std::string& file : log.files()) {
    if (file > remake_until && file != log.current_file()) whole.push_back(file);
  }
  if (!whole.empty()) {
    remake_until = whole.back();
    return remake->read(std::move(whole));
  }
  if (const base::Status status = finish_remake(); !status) tell(status.error().message);  // again with the next round
}

base::Status Observer::State::finish_remake() {
  for (const std::string& known : std::exchange(remake_known, {})) remake->note_given(known);
  remake->read_rest(log.current_file());
  remake->release(released_us);
  STILLWATCH_CHECK(remake->status());
  if (remake->engine().detector().calibrating() && !engine->detector().calibrating()) {
    end_remake(counts.remakes_given_up,
               "the query log holds less than calibration needs: the engine was not made again after an erasure, and "
               "the next start makes it from that log");
    return {};
  }
  STILLWATCH_CHECK(take_journals_of_remake());
  {
    const std::unique_lock lock(names_mutex);
    STILLWATCH_CHECK(identities.load(remake->identities().save()));
  }
  engine = remake->take_engine([this](event::Token token) { return name_of(token); },
                               [this](std::span<const event::Verdict> given) { return take_verdicts(given); });
  waiting = std::move(remake->waiting());
  released_us = std::max(released_us, remake->released_us());
  log.stand_at(remake->position());
  recovered = remake->position();
  if (ports.audit != nullptr) {
    ports.audit->remade();
    ports.audit->note(*engine, false);
    // What others' decisions became without the records that went.
    for (const EngineRemake::Given& given : remake->take_new()) tell_verdict(given.verdict, given.line);
  }
  take_levels_of_remake();
  end_remake(counts.remakes, {});
  accounts_gone.clear();
  is_erasing = false;
  refresh_expiries();
  return snapshot();
}

/// As under other settings: other verdicts come out of the log, and begin a new file.
base::Status Observer::State::take_journals_of_remake() {
  STILLWATCH_CHECK(remake->verdicts().sync());
  STILLWATCH_CHECK(verdicts->sync());
  STILLWATCH_CHECK(alarms->sync());
  const std::string path = options.state_folder + "/verdicts.ndjson",
                    remade = options.state_folder + std::string(kRemade);
  std::error_code code;
  // When an earlier try came so far, it is not there any more.
  if (std::filesystem::exists(remade, code)) {
    STILLWATCH_CHECK(archive_journals());
    std::filesystem::rename(remade, path, code);
    if (code) return base::fail(ledger::file_error("rename", path, code.value()));
  }
  STILLWATCH_TRY(lines, LineJournal::open(path, 0));
  STILLWATCH_CHECK(lines.reopen());  // behind all that is there
  verdicts = std::make_unique<LineJournal>(std::move(lines));
  STILLWATCH_TRY(alarm_lines, LineJournal::open(options.state_folder + "/alarms.ndjson", 0));
  alarms = std::make_unique<LineJournal>(std::move(alarm_lines));
  const auto& all = remake->engine().alarm().alarms();
  for (const event::Alarm& alarm : all) {
    (void)alarms->give(
        event::to_json(alarm, options.policy_hash, [this](event::Token token) { return name_of(token); }));
  }
  alarms_given = all.size();
  return alarms->flush();
}

/// Levels that the log gives; those that it does not give any more stay until they would have ended, but for what is
/// erased.
void Observer::State::take_levels_of_remake() {
  const auto& last = remake->last();
  for (const event::Token account : accounts_gone) {
    std::vector<std::pair<event::Token, event::Token>> subjects{{account, 0}};
    engine::ListedLevel after;
    after.account = account;
    for (;;) {
      const auto listed = levels.list(1'000, &after);
      for (const engine::ListedLevel& one : listed) {
        if (one.account == account) subjects.emplace_back(account, one.end_user);
      }
      if (listed.empty() || listed.back().account != account) break;
      after = listed.back();
    }
    for (const auto& [of, end_user] : subjects) {
      if (last.contains({of, end_user})) continue;
      event::Verdict cleared;
      cleared.kind = end_user == 0 ? event::SubjectKind::account : event::SubjectKind::end_user;
      cleared.account = of;
      cleared.subject = end_user == 0 ? of : end_user;
      cleared.time_us = released_us;
      levels.apply(cleared);
    }
  }
  for (const auto& [subject, given] : last) {
    const event::Token key =
        subject.second == 0 ? subject.first : engine::end_user_subject(subject.first, subject.second);
    const bool is_changed = levels.look_up(key).level != given.verdict.level;
    levels.apply(given.verdict);
    if (is_changed && ports.on_verdict) ports.on_verdict(given.verdict, given.line, false);
  }
}

base::Result<std::vector<std::string>> Observer::begin_erasure(std::vector<base::Token> accounts) {
  std::vector<std::string> files;
  STILLWATCH_CHECK(state_->visit([&]() -> base::Status {
    STILLWATCH_TRY(found, state_->begin_erasure(std::move(accounts)));
    files = std::move(found);
    return {};
  }));
  return files;
}

base::Result<std::optional<ledger::FileErasure>> Observer::erase_own_lines(const std::string& path,
                                                                           const ledger::JudgeLine& judge) {
  std::error_code code;
  const auto is_own = [&](const char* name) {
    return std::filesystem::equivalent(path, state_->options.state_folder + name, code) && !code;
  };
  std::optional<ledger::FileErasure> erased;
  if (!is_own("/verdicts.ndjson") && !is_own("/accounts.ndjson")) return erased;
  STILLWATCH_CHECK(state_->visit([&]() -> base::Status {
    STILLWATCH_TRY(done, state_->erase_own_lines(path, judge));
    erased = done;
    return {};
  }));
  return erased;
}

base::Status Observer::end_erasure() {
  return state_->visit([&] { return state_->end_erasure(); });
}

}  // namespace stillwatch::gateway
