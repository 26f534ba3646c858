// Lines of one customer out of files: query logs, verdicts, members, rejects; plain or zstd.
//
// Invariant: at every moment the file is there whole, with the lines or without them; a crash leaves the old file and a
// partial one that the next run throws away. Lines that stay keep their bytes and their order. A file that nothing has
// to leave is not touched. Threads: one user a file. Cost: reading, and writing where a line goes: about 1 GB/s and
// 200 MB/s of text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::ledger {

/// What to do with a line (without its newline).
enum class LineFate : std::uint8_t { stays, goes, held };
using JudgeLine = std::function<LineFate(std::string_view line)>;

struct FileErasure {
  std::uint64_t lines_seen = 0;
  std::uint64_t lines_erased = 0;
  std::uint64_t lines_held = 0;  // would go, but a hold keeps them
  bool rewritten = false;
  bool overwritten = false;  // the old bytes were overwritten before they were let go
};

/// Rewrites `path` without the lines that go. Told apart by their first bytes: zstd frames are written as zstd frames,
/// everything else is plain lines. Environment error for damaged zstd, a line over limits::kLineBytesMax, or a full
/// disk; the file is then as it was.
base::Result<FileErasure> erase_lines(const std::string& path, const JudgeLine& judge);

/// Judges NDJSON lines by the values of fields: a line goes when one of its fields named in `fields` (a path of keys
/// joined by dots) has one of `values`, on a day for which `is_held` is false. A line that is no JSON goes when it
/// holds one of `values` anywhere.
struct FieldJudge {
  std::vector<std::string> fields;  // such as "account", "subject.id", "subject.account"
  std::vector<std::string> values;
  std::string time_field = "time";
  /// Whether a hold keeps a line of this day; without a day, whether one keeps a line of any day. May be empty.
  std::function<bool(std::optional<std::int64_t> day)> is_held;
};
JudgeLine make_field_judge(FieldJudge judge);

}  // namespace stillwatch::ledger
