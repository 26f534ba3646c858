#include "gateway/ledger_link.h"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "audit/feed_writer.h"
#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "base/files.h"

namespace stillwatch::gateway {
namespace {

constexpr auto kOpenAgain = std::chrono::milliseconds(2'000);  // a folder that could not be written at the start
constexpr auto kFirstHousekeeping = std::chrono::milliseconds(60'000),
               kHousekeepingEvery = std::chrono::milliseconds(3'600'000);
constexpr std::size_t kProbeBytes = 64U << 10;
constexpr std::int64_t kSettleMs = 5'000;  // the observer stands still meanwhile; its queue holds minutes

audit::PagesSettings pages_of(const std::vector<std::string>& listen, audit::Audience audience) {
  audit::PagesSettings pages;
  for (const std::string& address : listen) pages.listen.push_back({address, false});
  pages.audience = audience;
  return pages;
}

/// Whether the disk or its permissions are what is wrong, and not what lies there. Full disks take no page either.
bool is_unwritable(const settings::Ledger& from) {
  const auto refuses = [](const std::string& folder) {
    if (!base::make_writable_folder(folder)) return true;
    const std::string probe = folder + "/.stillwatch-room";
    const bool has_room = base::write_file(probe, std::string(kProbeBytes, '\0')).has_value();
    std::error_code code;
    std::filesystem::remove(probe, code);
    return !has_room;
  };
  return refuses(from.folder) || refuses(from.folder + "/logs") || refuses(from.folder + "/keys") ||
         (!from.signed_folder.empty() && refuses(from.signed_folder));
}

ledger::RetentionProfile retention_of(const settings::Ledger& from) {
  using Class = ledger::RetentionClass;
  ledger::RetentionProfile profile;
  profile.of(Class::content) = from.content_days;
  profile.of(Class::evidence) = from.evidence_days;
  profile.of(Class::flagged) = from.flagged_days;
  profile.of(Class::entries) = from.entries_days;
  return profile;
}

}  // namespace

base::Result<audit::FeedOptions> feed_options(const settings::Ledger& from) {
  audit::FeedOptions to;
  audit::Settings& log = to.log;
  log.folder = from.folder;
  log.host = from.host;
  log.shards = {from.shard};
  log.signed_folder = from.signed_folder;
  log.anchor_interval_ms = from.anchor_ms;
  log.sequencer.is_fail_closed = from.on_overflow == settings::Answer::refuse;
  log.witnesses.policy_file = from.witness_policy_file;
  log.witnesses.interval_ms = from.witness_ms;
  log.witnesses.alarm_after_ms = from.witness_alarm_ms;
  for (const settings::StampAuthority& authority : from.stamp_authorities)
    log.stamps.authorities.push_back({authority.name, authority.url, authority.ca_file, authority.tls_ca_file});
  log.stamps.interval_ms = from.stamp_ms;
  log.stamps.alarm_after_ms = from.stamp_alarm_ms;
  if (!from.listen.empty()) log.pages.push_back(pages_of(from.listen, audit::Audience::everyone));
  if (!from.auditor_listen.empty()) log.pages.push_back(pages_of(from.auditor_listen, audit::Audience::auditor));
  if (!from.unwrap_command.empty()) {
    ledger::WrapCommand command;
    command.words = from.unwrap_command;
    to.master = ledger::make_command_wrapper(std::move(command));
  } else {
    std::string path = from.master_key_file;
    if (path.empty()) {
      path = audit::master_key_path(from.folder);
      STILLWATCH_CHECK(base::make_writable_folder(std::filesystem::path(path).parent_path()));
    }
    STILLWATCH_TRY(master, ledger::open_master_key_file(path, true));
    to.master = std::move(master);
  }
  to.has_vault = from.vault;
  to.vault.compress = from.vault_compress;
  to.retention = retention_of(from);
  STILLWATCH_CHECK(ledger::check_profile(to.retention));
  to.queue_count_max = from.queue_records_max;
  to.queue_bytes_max = from.queue_bytes_max;
  return to;
}

base::Status LedgerLink::open_now() {
  STILLWATCH_CHECK(base::make_writable_folder(settings_.folder));
  STILLWATCH_TRY(options, feed_options(settings_));
  options.log.clock = clock_;
  STILLWATCH_TRY(feed, audit::RecordFeed::open(std::move(options)));
  feed_ = std::move(feed);
  return {};
}

base::Result<std::unique_ptr<LedgerLink>> LedgerLink::open(const settings::Ledger& from, std::string policy_hash,
                                                           audit::Clock clock) {
  std::unique_ptr<LedgerLink> link(new LedgerLink);
  link->settings_ = from;
  link->policy_hash_ = std::move(policy_hash);
  link->clock_ = std::move(clock);
  link->behind_ms_max_ = from.behind_alarm_ms;
  link->retention_ = retention_of(from);
  if (const base::Status opened = link->open_now(); !opened) {
    base::Error error = opened.error();
    if (!is_unwritable(from)) return base::fail(std::move(error));
    if (from.on_overflow == settings::Answer::refuse) {
      error.message += "; nothing is served without the audit log (ledger.on_overflow = \"refuse\")";
      return base::fail(std::move(error));
    }
    link->start_problem_ = std::move(error.message);
    return link;
  }
  link->open_feed_.store(link->feed_.get(), std::memory_order_release);
  return link;
}

/// What was given meanwhile becomes the first gap.
base::Status LedgerLink::open_late() {
  STILLWATCH_CHECK(open_now());
  // Whatever lacks a leaf is in the gap, or is given it after the next start.
  if (const auto is_known = recall_feed(); !is_known) {
    feed_.reset();  // its locks, too
    return base::fail(is_known.error());
  }
  feed_->forget();
  const std::lock_guard lock(late_mutex_);
  if (lost_.records > 0) feed_->give(audit::Given(lost_));
  open_feed_.store(feed_.get(), std::memory_order_release);
  return {};
}

void LedgerLink::lose(std::int64_t time_us, std::uint64_t records, bool again) {
  // What is read again out of the query log had its leaf, or has a gap of its own: the log says that it crashed.
  if (again) return;
  if (lost_.records == 0) lost_.from_us = lost_.to_us = time_us;
  lost_.from_us = std::min(lost_.from_us, time_us);
  lost_.to_us = std::max(lost_.to_us, time_us);
  lost_.records += records;
  lost_.reason = "log_failed";
}

struct LedgerLink::Housekeeping {
  std::mutex mutex;
  std::condition_variable wake;
  bool is_ending = false;
  std::thread thread;
};

LedgerLink::LedgerLink() : housekeeping_(std::make_unique<Housekeeping>()) {}

LedgerLink::~LedgerLink() { end_housekeeping(); }

void LedgerLink::end_housekeeping() {
  {
    const std::lock_guard lock(housekeeping_->mutex);
    housekeeping_->is_ending = true;
  }
  housekeeping_->wake.notify_all();
  if (housekeeping_->thread.joinable()) housekeeping_->thread.join();
}

base::Status LedgerLink::stop() {
  end_housekeeping();
  if (feed() != nullptr) return feed()->stop();
  return base::fail(base::Fault::environment,
                    fmt::format("the audit log could never be opened: {} leaves were not written; their records are in "
                                "the query log, and get them after a start that can open it",
                                lost_.records));
}

void LedgerLink::caught_up() {
  if (feed() != nullptr) feed()->forget();
  housekeeping_->thread = std::thread([this] { keep_house(); });
}

void LedgerLink::keep_house() {
  auto wait = feed() == nullptr ? kOpenAgain : kFirstHousekeeping;
  std::int64_t done_day = 0;
  std::unique_lock lock(housekeeping_->mutex);
  while (!housekeeping_->wake.wait_for(lock, wait, [this] { return housekeeping_->is_ending; })) {
    lock.unlock();
    if (feed() == nullptr) {
      wait = open_late() ? kFirstHousekeeping : kOpenAgain;
    } else {
      // Days become due at their end, so that once a day is enough.
      const std::int64_t now_us = audit::wall_clock_ms() * 1'000, today = ledger::day_of(now_us);
      if (today != done_day) {
        const base::Status status = apply_retention(*feed(), settings_.folder, retention_, now_us);
        retention_failing_.store(!status);
        if (status) done_day = today;
      }
      wait = kHousekeepingEvery;
    }
    lock.lock();
  }
}

AuditPort& LedgerLink::previous() {
  if (previous_ == nullptr) previous_ = std::make_unique<PreviousDecisions>(*this);
  return *previous_;
}

base::Result<bool> LedgerLink::recall_feed() {
  audit::Recall from{mark_, is_anew_, std::nullopt};
  if (previous_ != nullptr) from.decisions_mark = previous_->mark();
  return feed_->recall(from);
}

base::Result<bool> LedgerLink::recall(std::string_view mark, bool is_anew) {
  mark_ = mark;
  is_anew_ = is_anew;
  bool is_known = true;  // nothing could be given
  if (feed() != nullptr) {
    STILLWATCH_TRY(found, recall_feed());
    is_known = found;
  }
  if (previous_ != nullptr) previous_->begin();
  return is_known;
}

void LedgerLink::give(audit::Given given, bool again) {
  if (feed() == nullptr) {
    const std::lock_guard lock(late_mutex_);
    const auto* loss = std::get_if<audit::Loss>(&given);
    if (feed() == nullptr) return lose(audit::time_of(given), loss == nullptr ? 1 : loss->records, again);
  }
  if (again)
    feed()->give(std::move(given));
  else
    (void)feed()->try_give(std::move(given));  // counted, and a gap leaf
}

void LedgerLink::lines(std::vector<audit::Record>& records, bool again) {
  if (feed() == nullptr) {
    const std::lock_guard lock(late_mutex_);
    if (feed() == nullptr) {
      for (const audit::Record& record : records) lose(record.time_us, 1, again);
      records.clear();
      return;
    }
  }
  if (again)
    feed()->give(records);
  else
    feed()->try_give(records);
}

void LedgerLink::note(const engine::Engine& engine, bool again) {
  const bool is_calibrated = !engine.detector().calibrating();
  if (feed() == nullptr) return;  // when it is open
  if (is_noted_ && is_calibrated == is_calibrated_) return;
  is_noted_ = true;
  is_calibrated_ = is_calibrated;
  audit::Deployment deployment;
  deployment.time_us = engine.counters().last_us;
  deployment.policy_hash = policy_hash_;
  if (is_calibrated) {
    deployment.calibration_bytes = engine.calibration_bytes();
    deployment.calibrated_from_us = engine.counters().first_us;
    deployment.calibrated_to_us = engine.counters().calibrated_us;
    deployment.calibration_groups = engine.detector().calibration().group_count();
  }
  give(audit::Given(std::move(deployment)), again);
}

base::Status LedgerLink::keep(const audit::KeptState& state, std::string_view names) {
  // On the disk before the first leaf can name it.
  STILLWATCH_TRY(hash, audit::KeptStates(settings_.folder).keep(state, names, feed()->keys()));
  (void)feed()->try_give(audit::Given(audit::Base{state.time_us, hash}));
  return {};
}

base::Result<std::string> LedgerLink::settle() {
  if (feed() != nullptr) return feed()->settle(kSettleMs);
  return base::fail(base::Fault::environment, "the audit log cannot be opened yet; see its alarm", true);
}

LedgerTrouble LedgerLink::look() {
  LedgerTrouble out;
  if (feed() == nullptr) {
    out.is_failing = true;
    return out;
  }
  const audit::FeedCounters counters = feed()->counters();
  out.is_failing = counters.is_failing || retention_failing_.load();
  out.is_behind = counters.behind_ms > behind_ms_max_ || counters.overflowed > overflowed_seen_;
  overflowed_seen_ = counters.overflowed;
  for (const audit::Alarm& alarm : feed()->log().alarms()) {
    if (!alarm.active) continue;
    switch (alarm.kind) {
      case audit::AlarmKind::shard_failed:
      case audit::AlarmKind::anchor_failed: out.is_failing = true; break;
      case audit::AlarmKind::quorum_missing: out.has_no_quorum = true; break;
      case audit::AlarmKind::witness_disagrees: out.has_fork = true; break;
      case audit::AlarmKind::stamp_missing:
      case audit::AlarmKind::clock_skew: out.has_no_stamp = true; break;
    }
  }
  return out;
}

}  // namespace stillwatch::gateway
