// Logs in, queries in exact event-time order out: what replay and the calibration read from.
//
// Invariant: the sequence of queries and rejects depends on the bytes of the logs, the secret and the options
// alone, not on threads, block sizes or where a run was stopped and resumed; a line's fate depends only
// on lines before it. Order: time, then file as named, then line.
// Threads: one caller; with threads > 1 lines are parsed on that many workers. Cost: see docs/benchmarks.md.
// Bounds: kLogFilesMax open logs, two blocks a thread in flight, TimeOrder's and DuplicateFilter's tables.
// Spec: docs/reference/log-formats.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_time.h"
#include "base/limits.h"
#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "crypto/sha256.h"
#include "event/query.h"
#include "intake/identities.h"
#include "intake/reject.h"
#include "intake/time_order.h"

namespace stillwatch::intake {

/// Each open log holds a file, a decoder and its first lines.
inline constexpr std::size_t kLogFilesMax = 512;

enum class LogFormat : std::uint8_t { native, litellm, otlp, envoy, map };

struct LogReaderOptions {
  LogFormat format = LogFormat::native;
  std::string map_file;  // for LogFormat::map
  std::size_t line_bytes_max = base::limits::kLineBytesMax;
  std::int64_t lateness_us = base::limits::kLatenessMinutes * base::kMinuteUs;
  unsigned threads = 1;
  std::size_t block_bytes = 1U << 20;
  std::size_t reorder_records_max = kReorderRecordsMax;
  /// Take the SHA-256 of each line, for next() with `digests`. Costs 0.5 ns a byte on the parsing threads.
  bool has_digests = false;
  /// Once true, a read that waits for a stream to go on ends next() with an error; save() is right all the same.
  const std::atomic<bool>* stop_requested = nullptr;
};

/// "native" (or empty), "litellm", "otlp", "envoy-ai-gateway", "map:FILE". Caller error for anything else.
base::Status parse_format(std::string_view text, LogReaderOptions& options);

/// A refused line, on its way to rejects.ndjson.
struct Reject {
  std::string_view file;
  std::uint64_t line = 0;
  RejectReason reason = RejectReason::not_json;
  std::string_view field;  // what it is about; may be empty
};
using RejectSink = std::function<void(const Reject&)>;

/// Of the lines delivered so far: the same whether or not a run was stopped in between.
struct IntakeCounters {
  std::uint64_t lines = 0, accepted = 0, rejected = 0, bytes = 0;
  std::array<std::uint64_t, kRejectReasons> rejected_by_reason{};
  ParserCounters parser;
  std::uint64_t reorder_overflows = 0, ids_forgotten = 0, unfinished_lines = 0;

  std::uint64_t late() const { return rejected_by_reason[static_cast<std::size_t>(RejectReason::too_late)]; }
  std::uint64_t duplicates() const { return rejected_by_reason[static_cast<std::size_t>(RejectReason::duplicate_id)]; }
};

class LogReader {
 public:
  /// Environment error when a log cannot be read, caller error for options. `keyed_hash` and `identities` outlive it.
  static base::Result<std::unique_ptr<LogReader>> open(const std::vector<std::string>& paths,
                                                       const LogReaderOptions& options,
                                                       const crypto::KeyedHash& keyed_hash, Identities& identities,
                                                       RejectSink rejects);
  ~LogReader();

  /// Appends the next queries; false at the end, when nothing was appended.
  base::Result<bool> next(std::vector<event::Query>& batch);
  /// The same, and the SHA-256 of the line of each, without its newline (of one that is too long, of its beginning).
  base::Result<bool> next(std::vector<event::Query>& batch, std::vector<crypto::Sha256Digest>& digests);

  IntakeCounters counters() const;
  /// Logs that were damaged, cut or shrank: their readable lines were delivered; the run must not end as if
  /// nothing had happened. Complete once next() has returned false.
  std::vector<base::Error> problems() const;
  /// Logs that grew or changed meanwhile.
  std::vector<std::string> warnings() const;
  /// Bytes of the files as they lie on the disk; total 0 when a log is a stream.
  std::uint64_t bytes_read() const;
  std::uint64_t bytes_total() const;

  /// Where it stands after the last next(), as bytes. restore(), on a new reader of the same logs, before the first
  /// next(), goes on from there: the rest of the sequence is the same, byte for byte.
  std::string save() const;
  base::Status restore(std::string_view bytes);

 private:
  struct State;
  explicit LogReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
