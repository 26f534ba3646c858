// The tail from within: what its thread owns, for log_tail.cc (reading) and log_tail_files.cc (which files there are).
//
// Invariant: all of it belongs to the tail's thread, but for what is under the mutex. Internal to this module.
// Threads, cost: see log_tail.h.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gateway/log_tail.h"
#include "gateway/tail_folder.h"
#include "gateway/tail_memory.h"
#include "gateway/tailed_file.h"

namespace stillwatch::gateway {

struct LogTail::State {
  State(LogTailOptions given, Observer& to, TailMemory remembered, std::function<void(std::string_view)> tell_)
      : options(std::move(given)),
        observer(to),
        memory(std::move(remembered)),
        key(memory.key()),
        tell(std::move(tell_)) {}

  struct File {
    TailedFile file;
    std::size_t log = 0;      // of options.logs
    unsigned source = 0;      // of the feed clock
    bool is_rotated = false;  // its name is another file's by now, or nobody's
    bool has_failed = false;
    std::optional<std::int64_t> head_us;  // the time of its next line, where several files are read in order
  };
  const LogTailOptions options;
  Observer& observer;
  TailMemory memory;
  const crypto::KeyedHash key;
  const std::function<void(std::string_view)> tell;
  std::vector<std::uint32_t> names;            // of the logs
  std::vector<std::vector<TailPlace>> places;  // of each log, known from before or of files that were closed
  std::vector<std::unique_ptr<File>> files;
  std::map<std::pair<std::uint64_t, std::uint64_t>, FileMark> parked;  // closed, by device and inode
  /// Rotated files that were looked at and need not be read, and whether they were known.
  struct Passed {
    FileMark mark;
    bool is_known = false;
  };
  std::map<std::pair<std::uint64_t, std::uint64_t>, Passed> passed;
  std::set<unsigned> free_sources;
  std::string buffer, padded;
  std::vector<std::unique_ptr<intake::LineParser>> parsers;  // of each log, for times alone
  intake::ParsedLine parsed;
  std::string problem;
  std::chrono::steady_clock::time_point looked, probed, was_level;
  LogTailCounters counts;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool is_stopping = false;
  LogTailCounters published;
  std::thread thread;

  bool wait_for(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex);
    return wake.wait_for(lock, time, [this] { return is_stopping; });
  }
  bool stopping() const {
    const std::lock_guard lock(mutex);
    return is_stopping;
  }
  void say(const std::string& text) {
    if (text == problem) return;
    problem = text;
    if (tell) tell(text);
  }

  base::Status begin();
  void run();
  void look();
  void look_at(std::size_t log, bool is_first);
  /// A file of a log beside those that its path names.
  struct Rotated {
    ListedFile listed;
    bool is_known = false;   // some of it was read, or it is a copy of one that is open
    bool is_done = false;    // all of it, or it is open
    std::uint64_t from = 0;  // where reading goes on
  };
  bool look_for_rotated(std::size_t log);
  void pass(const FileMark& mark, bool is_known);
  bool find_rotated(std::size_t log, std::vector<Rotated>& out);
  std::int64_t read_until_ns(std::size_t log, const std::vector<Rotated>& rotated);
  bool follow(const ListedFile& listed, std::size_t log, bool is_rotated, std::uint64_t offset);
  bool is_followed(const FileMark& mark) const;
  void close(File& file);
  /// A turn of one file; beyond `until_us` of event time nothing is taken. False when the thread is to stop.
  bool read(File& file, std::int64_t until_us);
  /// The next file to read and how far; nothing when all are at their end.
  File* next_file(std::int64_t& until_us);
  std::optional<std::int64_t> time_of(std::size_t log, std::string_view text);
  bool give(File& file, std::string_view text, bool is_too_long);
  void read_all();
  void tidy();
};

}  // namespace stillwatch::gateway
