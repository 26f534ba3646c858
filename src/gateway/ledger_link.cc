#include "gateway/ledger_link.h"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "base/files.h"

namespace stillwatch::gateway {
namespace {

constexpr auto kFirstHousekeeping = std::chrono::seconds(60), kHousekeepingEvery = std::chrono::seconds(3'600);
constexpr std::int64_t kSettleMs = 5'000;  // the observer stands still meanwhile; its queue holds minutes

audit::PagesSettings pages_of(const std::vector<std::string>& listen, audit::Audience audience) {
  audit::PagesSettings pages;
  for (const std::string& address : listen) pages.listen.push_back({address, false});
  pages.audience = audience;
  return pages;
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

base::Result<std::unique_ptr<LedgerLink>> LedgerLink::open(const settings::Ledger& from, std::string policy_hash,
                                                           audit::Clock clock) {
  STILLWATCH_CHECK(base::make_writable_folder(from.folder));
  STILLWATCH_TRY(options, feed_options(from));
  options.log.clock = std::move(clock);
  STILLWATCH_TRY(feed, audit::RecordFeed::open(std::move(options)));
  std::unique_ptr<LedgerLink> link(new LedgerLink(std::move(feed)));
  link->policy_hash_ = std::move(policy_hash);
  link->behind_ms_max_ = from.behind_alarm_ms;
  link->folder_ = from.folder;
  link->retention_ = retention_of(from);
  return link;
}

struct LedgerLink::Housekeeping {
  std::mutex mutex;
  std::condition_variable wake;
  bool is_ending = false;
  std::thread thread;
};

LedgerLink::LedgerLink(std::unique_ptr<audit::RecordFeed> feed)
    : feed_(std::move(feed)), housekeeping_(std::make_unique<Housekeeping>()) {}

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
  return feed_->stop();
}

void LedgerLink::caught_up() {
  feed_->forget();
  housekeeping_->thread = std::thread([this] {
    auto wait = kFirstHousekeeping;
    std::int64_t done_day = 0;
    std::unique_lock lock(housekeeping_->mutex);
    while (!housekeeping_->wake.wait_for(lock, wait, [this] { return housekeeping_->is_ending; })) {
      lock.unlock();
      // Days become due at their end, so that once a day is enough.
      const std::int64_t now_us = audit::wall_clock_ms() * 1'000, today = ledger::day_of(now_us);
      if (today != done_day) {
        const base::Status status = apply_retention(*feed_, folder_, retention_, now_us);
        retention_failing_.store(!status);
        if (status) done_day = today;
      }
      wait = kHousekeepingEvery;
      lock.lock();
    }
  });
}

base::Result<bool> LedgerLink::recall(std::string_view mark) { return feed_->recall(mark); }

void LedgerLink::give(audit::Given given, bool again) {
  if (again)
    feed_->give(std::move(given));
  else
    (void)feed_->try_give(std::move(given));  // counted, and a gap leaf
}

void LedgerLink::lines(std::vector<audit::Record>& records, bool again) {
  if (again)
    feed_->give(records);
  else
    feed_->try_give(records);
}

void LedgerLink::note(const engine::Engine& engine, bool again) {
  const bool is_calibrated = !engine.detector().calibrating();
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
  STILLWATCH_TRY(hash, audit::KeptStates(folder_).keep(state, names, feed_->keys()));
  (void)feed_->try_give(audit::Given(audit::Base{state.time_us, hash}));
  return {};
}

base::Result<std::string> LedgerLink::settle() { return feed_->settle(kSettleMs); }

LedgerTrouble LedgerLink::look() {
  LedgerTrouble out;
  const audit::FeedCounters counters = feed_->counters();
  out.is_failing = counters.is_failing || retention_failing_.load();
  out.is_behind = counters.behind_ms > behind_ms_max_ || counters.overflowed > overflowed_seen_;
  overflowed_seen_ = counters.overflowed;
  for (const audit::Alarm& alarm : feed_->log().alarms()) {
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
