// Records that are in the log and wait for their turn: by time, then as they stand in the log.
//
// Invariant: take() gives the earliest; of equal times the one that was added first. Threads: one user. Cost: one heap
// step a record. Bounds: the caller's (ObserverOptions::order_records_max); about 500 bytes a record.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "event/query.h"

namespace stillwatch::gateway {

class WaitingRecords {
 public:
  void add(const event::Query& query);
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  std::int64_t first_us() const { return heap_.front().time_us; }
  /// The earliest.
  event::Query take();
  /// All, in the order of the log.
  std::vector<event::Query> list() const;

 private:
  struct Place {
    std::int64_t time_us;
    std::uint64_t number;  // in the log
    std::uint32_t slot;
    bool operator>(const Place& other) const {
      return time_us != other.time_us ? time_us > other.time_us : number > other.number;
    }
  };
  std::uint64_t next_number_ = 0;
  // A vector of all would be copied when it grows: 4 MB at once, while a network thread may want the core.
  static constexpr std::size_t kPieceRecords = 256;
  event::Query& at(std::uint32_t slot) { return pieces_[slot / kPieceRecords][slot % kPieceRecords]; }
  const event::Query& at(std::uint32_t slot) const { return pieces_[slot / kPieceRecords][slot % kPieceRecords]; }

  std::vector<Place> heap_;
  std::vector<std::unique_ptr<event::Query[]>> pieces_;
  std::uint32_t slots_count_ = 0;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace stillwatch::gateway
