// The gateway's own query log: native record lines in `queries-YYYYMMDDTHHMMSS-NNNN.ndjson.zst` files of one folder.
//
// Invariant: a file is a row of complete zstd frames, each of complete lines; a flush ends one. What flush() returned
// for is in the file and survives the end of the process (and, with Sync::every_flush, of the machine). A frame that
// was half written when the process ended is cut off when the folder is opened again: nobody was given its lines.
// Files sort by name in the order they were written. One process a folder, held by a lock.
// When a write fails, the lines since the last flush are given back to the caller as a count, the file is cut back to
// its last frame, and the next flush tries again: whatever happened, the file can be read.
// Threads: one user; counters() from any. Cost: zstd level 1, about 1 ns a byte, on the user's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_time.h"
#include "base/result.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {

enum class Sync : std::uint8_t {
  never,        // the system writes when it likes: safe against the end of the process
  per_second,   // at most about a second is lost with the machine
  every_flush,  // nothing that the engine saw is lost with the machine
};

struct QueryLogOptions {
  std::string folder;
  std::uint64_t rotate_bytes = std::uint64_t{256} << 20;  // of a file as it lies on the disk
  std::int64_t rotate_us = base::kDayUs;                  // of event time: a replay opens at most 512 files at once
  Sync sync = Sync::per_second;
  int level = 1;                 // of such lines: twice as fast as 3, and no larger
  std::uint64_t keep_bytes = 0;  // oldest files beyond are deleted; 0: never
  std::int64_t keep_us = 0;      // files that ended longer ago are deleted; 0: never
};

/// Where the next line will be: the file's name, and the place in its decompressed bytes.
struct LogPosition {
  std::string file;  // without the folder; empty: before the first
  intake::LinePosition next;
  bool operator==(const LogPosition&) const = default;
};

class QueryLog {
 public:
  /// Locks the folder and mends its last file. Environment error when it cannot be used.
  static base::Result<QueryLog> open(const QueryLogOptions& options);
  QueryLog(QueryLog&&) noexcept;
  QueryLog& operator=(QueryLog&&) noexcept;
  ~QueryLog();

  /// Names of its files in order, those of earlier runs first.
  const std::vector<std::string>& files() const;
  std::string path_of(const std::string& file) const;

  /// The next line belongs into another file: flush() first, or it will be in this one.
  bool wants_new_file(std::int64_t time_us) const;
  /// Without the newline. `time_us` is the record's: it names and rotates files. In memory until flush().
  void append(std::string_view line, std::int64_t time_us);
  std::size_t lines_waiting() const;
  std::size_t bytes_waiting() const;

  /// Writes what was appended. On an error nothing of it is in the file, and it is forgotten: the caller counts
  /// lines_waiting() before as lost.
  base::Status flush();
  /// What was flushed is on the disk when it returns, whatever the setting.
  base::Status sync();
  /// Behind the last flushed line; without a file when nothing was written since the folder was opened.
  LogPosition position() const;
  /// Goes on to a new file with the next line after a flush.
  void rotate();
  /// After a flush: ends the present file now, so that others may rewrite it. The next line begins a new one.
  void end_file();
  /// The file that is being written; empty: none is. And the bytes of text in it.
  std::string current_file() const;
  std::uint64_t current_bytes() const;
  /// Files that are ended were rewritten: those that have no line left go.
  base::Status drop_empty_files();
  /// Where the log ends now, if no file is being written.
  void stand_at(const LogPosition& end);
  /// Files from this one on are needed for a recovery and not deleted. Before the first call none is deleted.
  void keep_from(const std::string& file);

  struct Counters {
    std::uint64_t lines = 0, bytes = 0, bytes_compressed = 0, flushes = 0, files_opened = 0, files_deleted = 0;
    std::uint64_t failures = 0, lines_lost = 0, frames_cut = 0;
  };
  Counters counters() const;

 private:
  struct State;
  explicit QueryLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::gateway
