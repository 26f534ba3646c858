// Walks over the entries of a segment file without holding more than a block of it.
//
// Internal to this module. Invariant: visits whole entries within [0, end) only, in order, each with its place.
// Threads: one user. Cost: one read a MiB, a copy of what a block's end cuts.
#pragma once

#include <algorithm>
#include <string>

#include "ledger/disk_file.h"
#include "tlog/bundle.h"

namespace stillwatch::ledger {

/// visit(offset of the entry's length, entry). Gives the offset behind the last whole entry: less than `end` where the
/// bytes do not divide into entries or the file is shorter.
template <class Visit>
base::Result<std::uint64_t> scan_entries(const DiskFile& file, std::uint64_t end, Visit&& visit) {
  constexpr std::uint64_t kBlockBytes = 1U << 20;  // above the longest entry, so that each block holds one
  std::uint64_t offset = 0;
  std::string block;
  while (offset < end) {
    STILLWATCH_CHECK(file.read_at(offset, std::min(kBlockBytes, end - offset), block));
    tlog::EntryReader reader(block);
    std::string_view entry;
    for (std::size_t at = 0; reader.next(entry); at = reader.offset()) visit(offset + at, entry);
    if (reader.offset() == 0) break;
    offset += reader.offset();
  }
  return offset;
}

}  // namespace stillwatch::ledger
