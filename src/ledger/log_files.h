// The files of one log: their names, and the small texts among them.
//
// Internal to this module. Invariants: a segment is 65,536 entries, which is one full tile of level 1, so that segment
// n, its hashes and its index never share a file with another; every small text has one form, with a hash of itself in
// it where no signature covers it. Threads: pure. Spec: docs/internals/ledger.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tlog/tile.h"
#include "tlog/tree.h"

namespace stillwatch::ledger {

inline constexpr std::uint64_t kSegmentEntries = 65'536;
inline constexpr std::uint64_t kSegmentBundles = kSegmentEntries / tlog::kTileWidth;
inline constexpr std::uint64_t kIndexBytes = 8;         // of one bundle in an index file: where it ends, big-endian
inline constexpr std::uint64_t kSmallFileMax = 65'536;  // state, key, checkpoints. Longer: not ours

struct LogFiles {
  std::string folder;

  std::string key() const { return folder + "/key"; }                // vkey and '\n'
  std::string state() const { return folder + "/state"; }            // LogState
  std::string signed_default() const { return folder + "/signed"; }  // the last signed checkpoint
  std::string checkpoint() const { return folder + "/checkpoint"; }  // the published one
  std::string pruned() const { return folder + "/pruned"; }          // PrunedText
  std::string entries(std::uint64_t segment) const { return numbered("entries", segment); }
  std::string hashes(std::uint64_t segment) const { return numbered("hashes", segment); }
  std::string index(std::uint64_t segment) const { return numbered("index", segment); }
  /// Roots of all full tiles of the level below, in order. Level 1 to 7.
  std::string level(unsigned level) const { return folder + "/level-" + std::to_string(level); }

 private:
  std::string numbered(std::string_view name, std::uint64_t segment) const;
};

/// What is committed.
struct LogState {
  tlog::RightEdge edge;
  std::uint64_t segment_bytes = 0;  // of the entries file of the last, not yet full segment; 0 when there is none
  bool is_closed = false;

  std::uint64_t size() const { return edge.size(); }
  std::uint64_t segment() const { return size() / kSegmentEntries; }
  std::uint64_t in_segment() const { return size() % kSegmentEntries; }
};
std::string format_state(const LogState& state);
/// Environment error naming `path` for anything that format_state does not write.
base::Result<LogState> parse_state(std::string_view text, const std::string& path);

std::string format_pruned(std::uint64_t index_min);
base::Result<std::uint64_t> parse_pruned(std::string_view text, const std::string& path);

/// Big-endian.
void append_end(std::string& out, std::uint64_t end);
std::uint64_t end_at(std::string_view bytes, std::size_t number);

}  // namespace stillwatch::ledger
