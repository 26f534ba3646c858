// Places in tailed logs: how far lines of another program's log have become records of our own.
//
// Invariant: a place names its file by how the file begins, so it holds over renames and copies; of two files that
// begin alike for prefix_bytes, what stands before `offset` is the same as far as anybody can tell. A record that came
// from a tailed line ends with its place, in the same write: so record and place are in our log together or not at all.
// Threads: plain values. Cost: tens of ns. Bounds: kTailPlacesMax; the ones that moved longest ago are forgotten.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "intake/byte_io.h"

namespace stillwatch::gateway {

/// Log lines hold ids and times: two files that begin with the same 4 KiB are the same one, or a copy.
inline constexpr std::uint32_t kTailPrefixBytes = 4'096;
inline constexpr std::size_t kTailPlacesMax = 4'096;  // 24 bytes each; files of all patterns, parked ones included

struct TailPlace {
  std::uint32_t tail = 0;          // which [[tail]]: a hash of its path or pattern
  std::uint32_t prefix_bytes = 0;  // min(offset, kTailPrefixBytes)
  std::uint64_t prefix = 0;        // keyed hash of the file's first prefix_bytes bytes
  std::uint64_t offset = 0;        // behind the last line taken
  bool operator==(const TailPlace&) const = default;
  bool is_same_file(const TailPlace& other) const {
    return tail == other.tail && prefix_bytes == other.prefix_bytes && prefix == other.prefix;
  }
};

/// "<8 hex digits>.<16 hex digits>.<prefix bytes>.<offset>"
std::string to_text(const TailPlace& place);
std::optional<TailPlace> parse_tail_place(std::string_view text);

/// Makes a record line of RecordLine end with a place (before its closing brace).
void append_place(std::string& record_line, const TailPlace& place);
/// The place at the end of a record line; nothing when it has none.
std::optional<TailPlace> place_at_end(std::string_view record_line);

/// The last place of each file, the one that moved last behind.
class TailPlaces {
 public:
  void add(const TailPlace& place);
  const std::deque<TailPlace>& list() const { return places_; }

  void save(intake::ByteWriter& out) const;
  bool restore(intake::ByteReader& in);

 private:
  std::deque<TailPlace> places_;
};

}  // namespace stillwatch::gateway
