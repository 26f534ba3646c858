// AuditLog's own two threads: one anchors on time, one asks witnesses and authorities.
#include <algorithm>

#include <fmt/format.h>

#include "audit/audit_log_state.h"
#include "audit/cosigned_store.h"
#include "base/files.h"
#include "tlog/checkpoint.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

constexpr std::int64_t kPauseMsMax = 200;       // so late may a thread see that the clock was set
constexpr std::int64_t kStampRetryMs = 60'000;  // after an authority gave none

/// The first multiple of `interval` after `now`.
std::int64_t next_tick(std::int64_t now, std::int64_t interval) { return (now / interval + 1) * interval; }

}  // namespace

bool AuditLog::State::pause(std::int64_t ms) {
  std::unique_lock lock(stop_mutex);
  stop_wake.wait_for(lock, std::chrono::milliseconds(std::clamp<std::int64_t>(ms, 1, kPauseMsMax)),
                     [this] { return stopping; });
  return !stopping;
}

void AuditLog::State::start_threads() {
  const std::int64_t first_tick = next_tick(settings.clock(), settings.anchor_interval_ms);
  anchor_thread = std::thread([this, first_tick] { run_anchors(first_tick); });
  asking_thread = std::thread([this] { run_asking(); });
}

void AuditLog::State::end_threads() {
  {
    const std::lock_guard lock(stop_mutex);
    stopping = true;
  }
  stop_wake.notify_all();
  if (anchor_thread.joinable()) anchor_thread.join();
  if (asking_thread.joinable()) asking_thread.join();
}

void AuditLog::State::run_anchors(std::int64_t first_tick) {
  const std::int64_t interval = settings.anchor_interval_ms;
  std::int64_t tick = first_tick;
  for (;;) {
    std::int64_t now = settings.clock();
    if (tick - now > interval) tick = next_tick(now, interval);  // the clock was set back
    if (now < tick) {
      if (!pause(tick - now)) return;
      continue;
    }
    const std::int64_t late = (now - tick) / interval;
    counters.anchors_missed += static_cast<std::uint64_t>(late);
    tick += late * interval;
    (void)anchor_once(tick);  // counted, and an alarm when it goes on
    tick += interval;
    if (!pause(1)) return;
  }
}

base::Status AuditLog::State::ask_witnesses() {
  if (settings.witnesses.policy_file.empty()) {
    return base::fail(Fault::caller, "no witness policy is configured for the audit log; name a policy file");
  }
  const std::lock_guard lock(asking_mutex);
  std::string present;
  {
    const std::lock_guard published_lock(published_mutex);
    present = anchor_name;
  }
  // The last checkpoint of the year before gets its quorum too, though the log goes on under another name.
  STILLWATCH_TRY(names, anchor_log_names(settings.folder));
  const auto own = std::find(names.begin(), names.end(), present);
  std::vector<std::string> wanted;
  if (own != names.begin() && own != names.end()) wanted.push_back(*std::prev(own));
  wanted.push_back(present);
  for (const std::string& name : wanted) {
    auto asked = ask_about(name, name != present);
    if (!asked && name == present) return asked;  // the year before is asked for again the next time
  }
  return {};
}

base::Status AuditLog::State::ask_about(const std::string& name, bool has_ended) {
  STILLWATCH_TRY(reader, ledger::LogReader::open(log_folder(name)));
  const CosignedStore store(cosigned_folder(name));
  if (has_ended) {
    STILLWATCH_TRY(newest, store.newest());
    const auto checkpoint = tlog::read_checkpoint_unchecked(newest);
    if (checkpoint && checkpoint->size >= reader.size()) return {};
  }
  STILLWATCH_TRY(note, witnesses->ask(reader, settings.clock()));
  STILLWATCH_CHECK(store.add(reader.size(), note));
  const std::lock_guard published_lock(published_mutex);
  if (anchor_name != name) return {};
  cosigned_published = {reader.origin(), reader.size(), note};
  counters.newest_cosigned_size = reader.size();
  return {};
}

base::Status AuditLog::State::ask_for_stamps() {
  const std::lock_guard lock(asking_mutex);
  std::string name;
  Published newest;
  {
    const std::lock_guard published_lock(published_mutex);
    name = anchor_name;
    newest = cosigned_published.size == anchor_published.size ? cosigned_published : anchor_published;
  }
  if (newest.size == 0) return base::fail(Fault::check, "there is no anchor checkpoint to stamp yet", true);
  const StampAsker::Taken taken = stamps->ask(name, newest.size, newest.note, settings.clock());
  if (taken.stamps > 0) {
    const std::lock_guard published_lock(published_mutex);
    newest_token = taken.token_hash;
  }
  if (!taken.failures.empty()) return base::fail(Fault::check, taken.failures, true);
  return {};
}

void AuditLog::State::run_asking() {
  // By the times of anchors, so that an interval of 60 s is every sixth anchor of 10 s whatever the threads' delays.
  std::int64_t witnesses_due = 0, stamps_due = 0, asked_at = 0;
  while (pause(kPauseMsMax)) {
    std::int64_t anchored = 0;
    {
      const std::lock_guard lock(published_mutex);
      if (anchor_published.size > 0) anchored = anchor_time_ms;
    }
    if (anchored == asked_at) continue;
    asked_at = anchored;
    if (!settings.witnesses.policy_file.empty() && anchored >= witnesses_due && ask_witnesses()) {
      witnesses_due = anchored + settings.witnesses.interval_ms;
    }
    if (stamps->has_authorities() && anchored >= stamps_due) {
      const bool all = ask_for_stamps().has_value();
      stamps_due =
          anchored + (all ? settings.stamps.interval_ms : std::min(settings.stamps.interval_ms, kStampRetryMs));
    }
  }
}

}  // namespace stillwatch::audit
