// The engine made again from what the query log has, beside the one that runs: after an erasure, when the running one
// still holds what was erased.
//
// Invariant (as for a replay): the engine here is given what a replay of the same files gives it, in the same order, so
// that it stands where one would stand that never saw what is gone. Verdict lines that it gives go into a file of their
// own until it takes the other's place.
// Threads: a thread of its own reads whole files, while is_waiting() is false; while it is true everything else is the
// caller's. Cost: a replay of the query log on one core, and a second engine's memory.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "engine/engine.h"
#include "gateway/line_journal.h"
#include "gateway/query_log.h"
#include "gateway/waiting_records.h"
#include "intake/identities.h"
#include "intake/line_parser.h"

namespace stillwatch::gateway {

class EngineRemake {
 public:
  struct Options {
    engine::Settings engine;
    unsigned workers = 1;
    std::string policy_hash;
    std::int64_t lateness_us = 0;
    std::size_t waiting_max = 0;  // records that wait for their turn
    std::string log_folder;
    std::string verdicts_path;         // of the lines given here; begun anew
    std::string verdicts_before_path;  // those that were given before: they are known
  };
  struct Given {
    event::Verdict verdict;
    std::string line;
  };

  static base::Result<std::unique_ptr<EngineRemake>> begin(Options options, const crypto::KeyedHash& keyed_hash,
                                                           const std::string& state_folder);
  ~EngineRemake();
  EngineRemake(const EngineRemake&) = delete;
  EngineRemake& operator=(const EngineRemake&) = delete;

  bool is_waiting() const { return !is_reading_.load(std::memory_order_acquire); }
  std::uint64_t records() const { return records_.load(std::memory_order_relaxed); }
  /// Of what was read; then nothing more can be done with it.
  const base::Status& status() const { return status_; }

  /// Reads whole files, in the order of the log, on its own thread.
  void read(std::vector<std::string> files);
  /// On the caller's thread: what is behind what was read of this file, which is still being written.
  void read_rest(const std::string& file);
  /// Account records that came meanwhile, with the names that `names` has for them.
  void add_accounts(std::vector<event::AccountUpdate> updates, intake::Identities& names);
  /// Gives the engine everything before a time: to stand where the other one stands.
  void release(std::int64_t until_us);
  /// A line that the running engine gave meanwhile: it is known.
  void note_given(std::string_view line);

  /// Behind the last line read, in a file that has one.
  const LogPosition& position() const { return position_; }
  std::int64_t released_us() const { return released_us_; }
  engine::Engine& engine() { return *engine_; }
  LineJournal& verdicts() { return *verdicts_; }
  WaitingRecords& waiting() { return waiting_; }
  /// Raw ids of what was read, and of nothing else.
  const intake::Identities& identities() const { return identities_; }
  /// The last verdict about each subject but campaigns.
  const std::map<std::pair<event::Token, event::Token>, Given>& last() const { return last_; }
  /// Verdicts whose lines were not given before.
  std::vector<Given> take_new();
  /// From here on names and verdicts are the caller's business.
  std::unique_ptr<engine::Engine> take_engine(std::function<std::string_view(event::Token)> open,
                                              engine::VerdictSink sink);

 private:
  EngineRemake(Options options, const crypto::KeyedHash& keyed_hash);
  base::Status read_file(const std::string& file);
  void take_line(std::string_view text);
  void release(std::int64_t until_us, std::size_t waiting_max);
  base::Status give();
  base::Status take_verdicts(std::span<const event::Verdict> given);
  std::string_view name_of(event::Token token);
  bool take_known(std::string_view line);

  const Options options_;
  const crypto::KeyedHash& keyed_hash_;
  intake::Identities identities_;
  std::unique_ptr<intake::LineParser> parser_;
  intake::ParsedLine parsed_;
  std::map<event::Token, std::string> unnamed_;
  struct Road {
    std::function<std::string_view(event::Token)> open;
    engine::VerdictSink sink;
  };
  std::shared_ptr<Road> road_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<LineJournal> verdicts_;
  WaitingRecords waiting_;
  std::vector<event::Query> batch_;
  std::int64_t released_us_ = INT64_MIN, logged_us_ = INT64_MIN;
  LogPosition position_;
  std::unordered_map<base::Token, std::uint32_t> known_;  // verdict lines given before, by hash
  std::vector<Given> new_;
  std::map<std::pair<event::Token, event::Token>, Given> last_;
  base::Status status_;
  std::atomic<bool> is_reading_{false}, is_ending_{false};
  std::atomic<std::uint64_t> records_{0};
  std::thread thread_;
};

}  // namespace stillwatch::gateway
