// Follows the logs of other programs as they grow, and feeds their lines to the observer: content for the decision API.
//
// Invariant: every complete line of a followed file is fed once and in order, over rotation by rename and by
// copy-and-truncate, and over any end of the process: the places that it goes on from are those of the records in our
// own log (tail_place.h). When the observer's queue is full the tail waits; nothing is dropped. Files that are behind
// are read in the order of event time, but for skew_us, since our own log must be nearly in order. A last line without
// its newline waits, until its file was rotated away and stays as it is. What was rotated away and packed (.gz, .zst)
// while the gateway was down is found by its beginning and read on. Not read: files compressed otherwise, and files
// that a pattern does not match; what went into one is lost, counted (places_lost) and told. Threads: one of its own;
// start and stop by one, counters from any. Cost: an fstat a file every 100 ms while nothing comes; reading costs
// little beside the observer's work on a line. Bounds: kFilesMax files open, one buffer of a line and a block for all
// of them, and as much for each packed one that is being read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/feed_clock.h"
#include "gateway/observer.h"

namespace stillwatch::gateway {

struct TailedLog {
  ObserverOptions::MakeParser parser;  // of its lines: where several files are behind, their times are read
  std::string path;                    // a file, or a pattern with * ? [] for its last component
  bool from_end = false;               // at the first start, files that are there are not read
};

struct LogTailOptions {
  std::vector<TailedLog> logs;  // the i-th is read by ObserverOptions::tail_parsers[i]
  std::string state_folder;     // for STATE/tails (tail_memory.h)
  unsigned shard = 0;           // of the observer's queue
  std::int64_t poll_ms = 100;
  std::int64_t look_ms = 1'000;                   // between looks for new and rotated files
  std::int64_t rotated_idle_ms = 60'000;          // a rotated file that stays as it is for so long is finished
  std::int64_t park_idle_ms = 600'000;            // a file is closed, and opened again when it grows
  std::size_t line_bytes_max = 8U << 20;          // base/limits.h
  std::int64_t skew_us = 5 * base::kMinuteUs;     // of event time between files that are read together
  std::size_t turn_bytes = std::size_t{1} << 20;  // of one file before another may be read
};

struct LogTailCounters {
  std::uint64_t lines = 0, bytes = 0;
  std::uint64_t lines_too_long = 0;  // fed as their beginning: they count for their account
  std::uint64_t files_opened = 0, rotations = 0, truncations = 0;
  std::uint64_t places_lost = 0;  // a log whose place before a restart was not found again
  std::uint64_t read_errors = 0;
  std::uint64_t waits = 0;                          // for room in the queue
  std::uint64_t files_open = 0, files_waiting = 0;  // now
  std::uint64_t bytes_behind = 0;                   // now, of open files
};

class LogTail {
 public:
  static constexpr unsigned kFilesMax = FeedClock::kSources - 1;

  /// `observer` outlives it. `on_problem`: for a person; called on the tail's thread.
  static base::Result<std::unique_ptr<LogTail>> start(LogTailOptions options, Observer& observer,
                                                      std::function<void(std::string_view)> on_problem);
  ~LogTail();  // stops
  void stop();
  LogTailCounters counters() const;

 private:
  struct State;
  explicit LogTail(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::gateway
