// The large files of a log, checked against each other and against the committed and the signed root.
//
// Internal to this module. Three say the same of 256 entries: the entries themselves, their hashes, and the root one
// tile level up (or the right edge of the state, for the last ones). When they differ, the two that agree tell which
// is damaged.
// Invariant: every byte of what is committed is compared with something else. Threads: one user.
// Cost: a pass over the files; memory of one bundle, one hashes file and the level files.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ledger/disk_file.h"
#include "ledger/fsck.h"
#include "ledger/log_files.h"
#include "tlog/checkpoint.h"

namespace stillwatch::ledger {

struct Findings {
  std::string folder;
  std::size_t findings_max = 100;
  std::vector<FsckFinding> list;
  std::uint64_t more = 0, bytes_checked = 0;

  void add(const std::string& path, std::uint64_t offset, std::optional<std::uint64_t> index, std::string what);
};

class SegmentCheck {
 public:
  SegmentCheck(const LogFiles& files, const FsckOptions& options, Findings& findings)
      : files_(files), options_(options), findings_(findings) {}

  /// `state` and `last` are null when they are damaged themselves.
  void run(std::uint64_t size, std::uint64_t index_min, const LogState* state, const tlog::Checkpoint* last);
  std::uint64_t entries_checked() const { return entries_checked_; }
  std::uint64_t tail_bytes() const { return tail_bytes_; }

 private:
  struct Bundle {
    std::vector<tlog::Hash> leaves;  // of the entries read
    std::vector<std::uint64_t> offsets;
    std::uint64_t end = 0;               // behind the last of them
    std::optional<std::size_t> no_leaf;  // the first entry that is no leaf
  };
  void check_segment(std::uint64_t segment, std::uint64_t count);
  void check_bundle(std::uint64_t first, std::size_t count, const DiskFile& entries, std::string_view stored,
                    std::string_view ends);
  Bundle read_entries(const DiskFile& file, std::uint64_t begin, std::size_t count) const;
  bool is_expected(std::uint64_t first, std::span<const tlog::Hash> leaves) const;
  void accept(std::span<const tlog::Hash> leaves);
  void completed(unsigned level, const tlog::Hash& hash);
  std::optional<std::string> read_whole(const std::string& path, std::uint64_t bytes, bool exact);
  void check_roots(const LogState* state, const tlog::Checkpoint* last);

  const LogFiles& files_;
  const FsckOptions& options_;
  Findings& findings_;
  std::uint64_t size_ = 0, index_min_ = 0, entries_checked_ = 0, tail_bytes_ = 0;
  const LogState* state_ = nullptr;
  std::optional<std::uint64_t> signed_size_;
  std::optional<tlog::Hash> root_at_signed_;
  tlog::RightEdge edge_;
  std::string levels_[tlog::kTileLevels];               // as stored
  std::uint64_t level_counts_[tlog::kTileLevels] = {};  // checked so far
  std::uint64_t cursor_ = 0;                            // where the next bundle begins in its entries file
};

}  // namespace stillwatch::ledger
