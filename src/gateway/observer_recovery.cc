// How the observer comes to stand where it stood: the snapshot, then the tail of its own log.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/files.h"
#include "gateway/observer_parts.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {
namespace {

constexpr const char* kVerdicts = "/verdicts.ndjson";
constexpr const char* kAlarms = "/alarms.ndjson";

}  // namespace

/// Reads the log from a place on, as a replay does, into the engine.
base::Status Observer::State::read_tail(const LogPosition& from) {
  const std::vector<std::string>& files = log.files();
  if (!from.file.empty() && std::find(files.begin(), files.end(), from.file) == files.end()) {
    return base::fail(base::Fault::environment,
                      fmt::format("{} is missing, which the snapshot counts on; restore it, or remove the snapshot so "
                                  "that the rest of the query log is read anew",
                                  log.path_of(from.file)));
  }
  // What waited live was never more than half of this; so nothing that follows is earlier than what goes.
  const std::size_t waiting_max = 2 * options.order_records_max;
  intake::LineBlock block;
  for (const std::string& file : files) {
    if (file < from.file) continue;
    STILLWATCH_TRY(source, intake::LineSource::open(log.path_of(file)));
    if (file == from.file) STILLWATCH_CHECK(source.skip_to(from.next));
    recovered = {file, file == from.file ? from.next : intake::LinePosition{}};
    for (;;) {
      STILLWATCH_TRY(more, source.next(block));
      recovered.next = block.next;
      if (!more) break;
      for (const auto& entry : block.lines) {
        if (entry.kind != intake::LineBlock::Kind::whole) continue;
        staged.clear();
        const std::string_view text = block.text(entry);
        if (const auto place = place_at_end(text)) places.add(*place);
        parse_line(text, staged);
        if (staged.empty()) continue;
        ++counts.recovered_records;
        const event::Query& query = staged.front();
        // A tail may read the same lines again.
        if (options.feed_wait_us > 0 && (query.flags & event::kFlagRejected) == 0)
          (void)fed_ids.is_repeat(query.id, query.time_us);
        logged_us = std::max(logged_us, query.time_us);
        // What came too late was marked so.
        const bool is_shed = (query.flags & event::kFlagShed) != 0;
        if (!is_shed || !is_late(query.time_us)) waiting.add(query);
      }
      staged.clear();
      hand_over_lines();
      if (logged_us != INT64_MIN) release(std::max(released_us, logged_us - options.lateness_us), waiting_max);
    }
    if (source.problem()) return base::fail(*source.problem());
  }
  // All that is there has its turn now; what comes from here on is later, but for lines of another log.
  if (logged_us != INT64_MIN && options.feed_wait_us == 0) release(std::max(released_us, logged_us + 1), waiting_max);
  return {};
}

/// Fresh work moves an expiry without a verdict.
void Observer::State::refresh_expiries() {
  epochs_seen = engine->counters().epochs;
  std::set<std::uint32_t> campaigns;
  for (const auto& [account, standing] : engine->case_book().standings()) {
    levels.move_expiry(account, 0, standing.expires_us);
    if (standing.campaign != 0) campaigns.insert(standing.campaign);
  }
  counts.campaigns = campaigns.size();
  engine->case_book().end_users().for_each(
      [this](event::Token account, event::Token end_user, std::int64_t expires_us) {
        levels.move_expiry(account, end_user, expires_us);
      });
}

/// Under other settings other verdicts come out of the same log: their lines begin a new file.
base::Status Observer::State::archive_journals() {
  for (const char* name : {kVerdicts, kAlarms}) {
    const std::string path = options.state_folder + name;
    std::error_code code;
    if (!std::filesystem::exists(path, code)) continue;
    std::string aside;
    for (unsigned number = 1; aside.empty() || std::filesystem::exists(aside, code); ++number)
      aside = fmt::format("{}.{}", path, number);
    if (::rename(path.c_str(), aside.c_str()) != 0) {
      return base::fail(
          base::Fault::environment,
          fmt::format("cannot rename {}: {}; check the permissions of the folder", path, std::strerror(errno)));
    }
  }
  return {};
}

base::Status Observer::State::snapshot() {
  const std::int64_t started_us = steady_now_us();
  ObserverState state;
  state.engine = engine->snapshot();
  state.identities = identities.save();
  state.waiting = waiting.list();
  if (ports.audit != nullptr) {
    keep_state(state);
    STILLWATCH_TRY(mark, ports.audit->settle());
    state.audit_mark = std::move(mark);
  }
  STILLWATCH_CHECK(log.sync());
  STILLWATCH_CHECK(verdicts->sync());
  STILLWATCH_CHECK(alarms->sync());
  state.policy_hash = options.policy_hash;
  state.secret_id = keyed_hash.secret_id();
  state.log = log.position();
  if (state.log.file.empty()) state.log = recovered;
  state.released_us = released_us;
  state.logged_us = logged_us;
  state.levels = levels.save();
  intake::ByteWriter ids;
  fed_ids.save(ids);
  state.fed_ids = std::move(ids.bytes());
  intake::ByteWriter tails;
  places.save(tails);
  state.tail_places = std::move(tails.bytes());
  state.account_lines = accounts->lines();
  state.verdict_bytes = verdicts->mark();
  state.alarm_bytes = alarms->mark();
  state.alarms = alarms_given;
  STILLWATCH_CHECK(write_state(options.state_folder, state));
  log.keep_from(state.log.file);
  ++counts.snapshots;
  snapshot_at_us = steady_now_us();
  snapshot_cost_us = snapshot_at_us - started_us;
  return {};
}

base::Status Observer::State::recover() {
  STILLWATCH_TRY(found, read_state(options.state_folder));
  if (found && found->secret_id != keyed_hash.secret_id()) {
    return base::fail(base::Fault::caller,
                      fmt::format("{} was written with another deployment secret; name that secret, or another state "
                                  "folder",
                                  options.state_folder));
  }
  const bool is_same = found && found->policy_hash == options.policy_hash;
  if (found && !levels.restore(found->levels)) {
    return base::fail(base::Fault::environment,
                      "the levels of the snapshot are damaged; remove the snapshot so that the "
                      "query log is read anew");
  }
  if (found) {
    intake::ByteReader tails(found->tail_places);
    if (!places.restore(tails)) {
      return base::fail(base::Fault::environment,
                        "the places of tailed logs in the snapshot are damaged; remove the snapshot so that the "
                        "query log is read anew");
    }
  }
  for (const TailPlace& place : options.tail_places) places.add(place);
  if (found && !is_same) STILLWATCH_CHECK(archive_journals());
  STILLWATCH_TRY(verdict_lines,
                 LineJournal::open(options.state_folder + kVerdicts, is_same ? found->verdict_bytes : 0));
  verdicts = std::make_unique<LineJournal>(std::move(verdict_lines));
  STILLWATCH_TRY(alarm_lines, LineJournal::open(options.state_folder + kAlarms, is_same ? found->alarm_bytes : 0));
  alarms = std::make_unique<LineJournal>(std::move(alarm_lines));

  engine = make_engine();
  if (is_same) STILLWATCH_CHECK(identities.load(found->identities));
  STILLWATCH_TRY(feed, AccountFeed::open(options.accounts_file, options.state_folder, keyed_hash, identities));
  accounts = std::make_unique<AccountFeed>(std::move(feed));
  STILLWATCH_TRY(updates, accounts->taken());
  LogPosition from;
  if (is_same) {
    if (found->account_lines > updates.size()) {
      return base::fail(
          base::Fault::environment,
          fmt::format("{}/accounts.ndjson is shorter than the snapshot counted; restore it, or remove the "
                      "snapshot so that the query log is read anew",
                      options.state_folder));
    }
    const auto later = updates.begin() + static_cast<std::ptrdiff_t>(found->account_lines);
    std::vector<event::AccountUpdate> counted(updates.begin(), later);
    updates.erase(updates.begin(), later);
    std::stable_sort(counted.begin(), counted.end(),
                     [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
    engine->set_accounts(std::move(counted));
    STILLWATCH_CHECK(engine->restore(found->engine));
    intake::ByteReader ids(found->fed_ids);
    if (!fed_ids.restore(ids)) {
      return base::fail(base::Fault::environment,
                        "the ids of the snapshot are damaged; remove the snapshot so that the "
                        "query log is read anew");
    }
    for (const event::Query& query : found->waiting) waiting.add(query);
    released_us = found->released_us;
    logged_us = found->logged_us;
    alarms_given = found->alarms;
    from = found->log;
    recovered = from;
  }
  engine->add_accounts(std::move(updates));
  STILLWATCH_CHECK(recall_audit(is_same ? found->audit_mark : std::string(), from));
  is_recovering = true;
  STILLWATCH_CHECK(read_tail(from));
  is_recovering = false;
  if (ports.audit != nullptr) ports.audit->caught_up();
  refresh_expiries();
  // Levels of before that the log does not give under other settings end when they were to end.
  if (found && !is_same && logged_us != INT64_MIN) levels.drop_expired(logged_us);
  // An accounts file that cannot be read at the start is a mistake; later the last one read stays in force.
  STILLWATCH_TRY(fresh, accounts->poll(released_us));
  engine->add_accounts(std::move(fresh));
  counts.account_lines = accounts->lines();
  counts.account_lines_rejected = accounts->rejected();
  if (logged_us != INT64_MIN) in_flight.start_after(logged_us);
  places_at_start.assign(places.list().begin(), places.list().end());
  STILLWATCH_CHECK(verdicts->flush());
  STILLWATCH_CHECK(alarms->flush());
  // So that the next start need not read the same again, and files before it may go.
  if (const base::Status status = snapshot(); !status) {
    // A full disk must not keep the gateway from serving.
    ++counts.snapshot_failures;
    tell(status.error().message);
  }
  accounts_at_us = steady_now_us();
  publish_counters();
  return {};
}

base::Result<std::unique_ptr<Observer>> Observer::start(ObserverOptions options, const crypto::KeyedHash& keyed_hash,
                                                        ObserverPorts ports) {
  // Beyond what a replay waits, it would refuse what the live run took.
  options.in_flight.order_wait_us = std::min(options.in_flight.order_wait_us, options.lateness_us);
  options.feed_wait_us = std::min(options.feed_wait_us, options.lateness_us);
  options.log.rotate_us = std::clamp(options.log.rotate_us, base::kMinuteUs, 30 * base::kDayUs);
  STILLWATCH_CHECK(base::make_writable_folder(options.state_folder));
  STILLWATCH_TRY(log, QueryLog::open(options.log));
  auto state = std::make_unique<State>(std::move(options), keyed_hash, std::move(ports), std::move(log));
  STILLWATCH_CHECK(state->recover());
  return std::unique_ptr<Observer>(new Observer(std::move(state)));
}

}  // namespace stillwatch::gateway
