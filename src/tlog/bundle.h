// Entry bundles: up to 256 entries in one file, each after its length.
//
// Invariant: the bytes are the entries and nothing else: big-endian 16-bit length, then the entry, again and again.
// Threads: pure functions. Cost: reading copies nothing. Spec: C2SP tlog-tiles, "Log entries".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tlog/tile.h"

namespace stillwatch::tlog {

inline constexpr std::size_t kEntryBytesMax = 65'535;
inline constexpr std::size_t kEntryLengthBytes = 2;
inline constexpr std::size_t kBundleBytesMax = kTileWidth * (kEntryLengthBytes + kEntryBytesMax);

/// False, and nothing appended, when the entry is too long.
[[nodiscard]] bool append_entry(std::string& bundle, std::string_view entry);

/// Walks over bytes of a bundle, or of several in a row.
class EntryReader {
 public:
  explicit EntryReader(std::string_view bytes) : bytes_(bytes) {}
  /// The next entry (within the bytes given); false at the end, and where an entry is cut off.
  bool next(std::string_view& entry);
  /// Bytes read in whole entries.
  std::size_t offset() const { return at_; }
  /// All bytes were entries.
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// The first `count` entries (1 to 256), as views into `bytes`. With `exact`, nothing may follow them.
base::Result<std::vector<std::string_view>> read_bundle(std::string_view bytes, unsigned count, bool exact);

}  // namespace stillwatch::tlog
