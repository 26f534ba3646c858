// A log file, or standard input, as blocks of complete lines.
//
// Invariant: every line is delivered once, in order, with its number and its offset in the decompressed
// bytes; a line over the limit is delivered as its beginning only; memory is one block and one line,
// whatever the file. A file is read to the size that it had when it was opened.
// Threads: one user at a time. Cost: one memchr over the bytes, one copy of them.
// Bounds: line_bytes_max; behind the beginning of an over-long line nothing is kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace stillwatch::intake {

struct LinePosition {
  std::uint64_t offset = 0;  // decompressed bytes before the line
  std::uint64_t line = 1;    // its number
  bool operator==(const LinePosition&) const = default;
};

struct LineBlock {
  enum class Kind : std::uint8_t { whole, too_long, truncated };
  struct Line {
    std::size_t at = 0, size = 0;  // in bytes; only the beginning when the kind is not whole
    std::uint64_t full_bytes = 0;
    LinePosition position;
    Kind kind = Kind::whole;
  };
  std::unique_ptr<char[]> bytes;  // kJsonPadding readable bytes behind the last line
  std::size_t capacity = 0;
  std::vector<Line> lines;
  LinePosition next;  // where reading goes on after this block

  std::string_view text(const Line& line) const { return {bytes.get() + line.at, line.size}; }
};

struct LineSourceOptions {
  std::size_t line_bytes_max = base::limits::kLineBytesMax;
  std::size_t block_bytes = 1U << 20;
  const std::atomic<bool>* stop_requested = nullptr;  // once true, no waiting for a stream to go on
};

class LineSource {
 public:
  /// `path` or "-" for standard input. Environment error when it cannot be read.
  static base::Result<LineSource> open(const std::string& path, LineSourceOptions options = {});
  ~LineSource();
  LineSource(LineSource&&) noexcept;
  LineSource& operator=(LineSource&&) noexcept;

  /// The next lines into `block` (its memory is reused). False at the end, with no lines.
  base::Result<bool> next(LineBlock& block);
  /// Goes on at a position that an earlier block of the same content gave. Before the first next().
  base::Status skip_to(LinePosition position);

  /// What to tell the user once the end is reached: damage (fault input), shrinking (fault environment).
  const std::optional<base::Error>& problem() const;
  /// The file grew, changed or was replaced while it was read: a warning.
  const std::string& warning() const;
  /// A last line that was still being written when the file was opened, and was left for the next run.
  bool has_unfinished_line() const;
  /// The first bytes of the content (at most 4,096), to know it again.
  std::string beginning() const;
  std::uint64_t bytes_read() const;   // of the file as it lies on the disk
  std::uint64_t bytes_total() const;  // 0 when not known

 private:
  struct State;
  explicit LineSource(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
