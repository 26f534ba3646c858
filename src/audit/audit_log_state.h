// The inside of AuditLog: its parts, and who locks what.
//
// Invariant: locks are taken in the order anchor_mutex, asking_mutex, published_mutex, each optional; no lock is held
// while a shard's callback runs. Threads: as the mutexes say. Cost: not on a request's path.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "audit/anchor_writer.h"
#include "audit/audit_log.h"
#include "audit/log_pages.h"
#include "audit/shard_notes.h"
#include "audit/stamp_asker.h"
#include "audit/witness_asker.h"

namespace stillwatch::audit {

struct AuditLog::State {
  Settings settings;
  Counters counters;
  AlarmBook alarms{counters};
  ShardNotes notes;

  std::mutex anchor_mutex;
  std::optional<AnchorWriter> anchor;  // these two under it
  unsigned anchor_failures_in_a_row = 0;

  std::mutex asking_mutex;  // network: held for as long as the slowest answer
  std::optional<WitnessAsker> witnesses;
  std::optional<StampAsker> stamps;

  mutable std::mutex published_mutex;
  std::string anchor_name;  // these under it: folder name of the present anchor log
  std::int64_t anchor_time_ms = 0;
  Published anchor_published, cosigned_published;
  ledger::Hash32 newest_token{};

  std::mutex stop_mutex;
  std::condition_variable stop_wake;
  bool stopping = false;
  std::thread anchor_thread, asking_thread;

  std::vector<std::unique_ptr<LogPages>> pages;
  std::vector<std::unique_ptr<ledger::Sequencer>> shards;  // last: their threads call into the rest

  ~State() { end_threads(); }
  base::Status open_shard(std::size_t index);
  void take_note(std::size_t index, const std::string& origin, const std::string& note);
  std::string origin_prefix(std::size_t index) const { return settings.host + "/audit/" + settings.shards[index]; }
  base::Status open_anchor();
  base::Status anchor_once(std::int64_t t_ms);
  base::Status ask_witnesses();
  base::Status ask_about(const std::string& name, bool has_ended);
  base::Status ask_for_stamps();
  std::string log_folder(const std::string& name) const { return settings.folder + "/logs/" + name; }
  std::string cosigned_folder(const std::string& name) const { return settings.folder + "/cosigned/" + name; }

  void start_threads();
  void end_threads();
  void run_anchors(std::int64_t first_tick);
  void run_asking();
  /// False when it is time to stop.
  bool pause(std::int64_t ms);
};

}  // namespace stillwatch::audit
