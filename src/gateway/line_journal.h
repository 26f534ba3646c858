// A file of lines that is only ever appended to: verdicts.ndjson and alarms.ndjson of the gateway.
//
// Invariant: a line that was given before a restart and is made again after it is not written twice: lines behind the
// snapshot's mark are compared with those in the file, and only what is not there yet is appended. A half line left by
// the end of the process is cut off; it is made again.
// A write that fails is tried again with the next flush; no line is lost as long as the process lives, up to
// kWaitingBytesMax. Beyond, lines are dropped and counted until a restart, which makes them again out of the query log:
// so no snapshot may be taken while is_behind().
// Threads: one user. Cost: a copy of the line.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::gateway {

/// Cuts a file back to its last newline.
base::Status cut_half_line(int file, const std::string& path);

class LineJournal {
 public:
  static constexpr std::size_t kWaitingBytesMax = std::size_t{256} << 20;

  /// `mark` is what mark() said when the snapshot was taken; 0 without one.
  static base::Result<LineJournal> open(std::string path, std::uint64_t mark);
  LineJournal(LineJournal&& other) noexcept;
  LineJournal& operator=(LineJournal&&) = delete;
  ~LineJournal();

  /// True when the line is there from before.
  bool give(std::string_view line);
  /// Writes what waits.
  base::Status flush();
  /// After a flush: the file was replaced by one with fewer lines, and the journal goes on behind them.
  base::Status reopen();
  base::Status sync();
  /// Bytes up to and with the last line given.
  std::uint64_t mark() const { return mark_; }
  bool is_behind() const { return !waiting_.empty() || dropped_ > 0; }

  std::uint64_t lines() const { return lines_; }
  std::uint64_t again() const { return again_; }
  std::uint64_t dropped() const { return dropped_; }
  /// The file had other lines than those made again: the log behind the snapshot is not the one it was.
  bool has_diverged() const { return has_diverged_; }

 private:
  LineJournal() = default;
  std::string path_;
  int file_ = -1;
  std::FILE* before_ = nullptr;  // reads the lines behind the mark; null when there are no more
  std::uint64_t mark_ = 0;
  std::string waiting_, line_;
  std::uint64_t lines_ = 0, again_ = 0, dropped_ = 0;
  bool has_diverged_ = false;
};

}  // namespace stillwatch::gateway
