// Puts the lines of one file, each up to `lateness` late, into event-time order, and refuses what comes
// later or claims to come from a far future.
//
// Invariant: what becomes of a line depends only on the lines before it in the file. Nothing released is
// ever followed by something earlier: lines refused as late are placed at the frontier.
// Threads: one user. Cost: one heap step a line. Bounds: records_max waiting lines; when there are more the
// frontier moves up to the earliest of them (further late lines are refused), counted as an overflow.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "base/event_time.h"
#include "crypto/sha256.h"
#include "intake/byte_io.h"
#include "intake/line_source.h"
#include "intake/record_builder.h"

namespace stillwatch::intake {

/// A line on its way: what the parser made of it and where it stood.
struct Entry {
  ParsedLine parsed;
  LinePosition position;
  std::int64_t time_us = INT64_MIN;  // its place in the order; of a refused line not always its own time
  ParserCounters counters;           // what this line added
  crypto::Sha256Digest digest;       // of the line, when the reader was asked for it
};

/// A step of the clock further than this is believed only when kJumpConfirmations lines in a row make it:
/// one line with a broken clock must not have the rest of the log refused as late.
inline constexpr std::int64_t kJumpUsMax = 90 * base::kDayUs;
inline constexpr std::uint32_t kJumpConfirmations = 16;
/// Lines that wait for their turn in one file: about 0.5 GB.
inline constexpr std::size_t kReorderRecordsMax = 1'000'000;

class TimeOrder {
 public:
  TimeOrder(std::int64_t lateness_us, std::size_t records_max) : lateness_us_(lateness_us), records_max_(records_max) {}

  void add(Entry&& entry);
  void finish();
  /// Every line to come will be placed at this time or later.
  std::int64_t frontier() const;
  bool is_finished() const { return is_finished_; }

  /// The earliest line before the frontier.
  const Entry* front() const;
  void pop();

  std::uint64_t overflows() const { return overflows_; }

  /// `next` is where reading goes on, `delivered_us` the time of the last line that left the reader.
  void save(ByteWriter& out, LinePosition next, std::int64_t delivered_us);
  /// Lines before the saved `next` are then given to add() again from restored_from() on; those at or before
  /// (delivered_us, delivered_line) are dropped again.
  bool restore(ByteReader& in);
  LinePosition restored_from() const { return restored_from_; }
  /// Dropped by add(): was delivered before the save.
  template <class IsDelivered>
  void set_delivered(IsDelivered is_delivered) {
    is_delivered_ = is_delivered;
  }

 private:
  struct Waiting {
    std::int64_t time_us;
    std::uint64_t line;
    std::uint32_t slot;
    bool operator>(const Waiting& other) const {
      return time_us != other.time_us ? time_us > other.time_us : line > other.line;
    }
  };
  /// A line whose place or outcome is not what its own text says: kept for lines that may be read again.
  struct Exception {
    std::uint64_t line;
    std::int64_t time_us;
    RejectReason reason;
    bool is_refused;  // refused here, not by the parser
  };

  void place(Entry& entry);
  void refuse(Entry& entry, RejectReason reason, std::int64_t time_us);
  void keep(Entry&& entry);
  void release();

  std::int64_t lateness_us_;
  std::size_t records_max_;
  std::int64_t watermark_us_ = INT64_MIN;  // the latest accepted time
  std::int64_t floor_us_ = INT64_MIN;      // the frontier was moved up to here
  std::int64_t jump_us_ = 0;
  std::uint32_t jump_count_ = 0;
  bool is_finished_ = false;
  std::uint64_t overflows_ = 0;

  std::vector<Waiting> heap_;
  std::vector<Waiting> ready_;
  std::size_t ready_at_ = 0;
  std::vector<Entry> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::deque<Exception> exceptions_;

  LinePosition restored_from_;
  std::uint64_t replay_until_line_ = 0;  // lines before it were placed before the save
  std::function<bool(std::int64_t time_us, std::uint64_t line)> is_delivered_;
};

}  // namespace stillwatch::intake
