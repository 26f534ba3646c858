// Ids seen within the last window of event time: a repeat is a duplicate.
//
// Invariant: exact as long as it is not full; ids are given in event-time order, so the answer depends on
// nothing later. Threads: one user. Cost: one look-up in each of two tables.
// Bounds: ids_max a generation (two generations); when full, further ids are not remembered, counted.
#pragma once

#include <cstdint>
#include <vector>

#include "base/token.h"
#include "intake/byte_io.h"

namespace stillwatch::intake {

/// About 128 MB a generation.
inline constexpr std::size_t kDuplicateIdsMax = 4'000'000;

class DuplicateFilter {
 public:
  explicit DuplicateFilter(std::int64_t window_us, std::size_t ids_max = kDuplicateIdsMax);

  /// True when the id was given at most window_us before.
  bool is_repeat(base::Token id, std::int64_t time_us);
  std::uint64_t forgotten() const { return forgotten_; }

  void save(ByteWriter& out) const;
  bool restore(ByteReader& in);

 private:
  struct Slot {
    base::Token id = 0;
    std::int64_t time_us = 0;
  };
  struct Generation {
    std::vector<Slot> slots;
    std::size_t used = 0;

    Slot* find(base::Token id);
    void insert(Slot slot);
    void clear();
  };

  std::int64_t window_us_;
  std::size_t ids_max_;
  std::int64_t started_us_ = INT64_MIN;  // of the current generation
  Generation current_, previous_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace stillwatch::intake
