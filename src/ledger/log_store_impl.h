// What LogStore holds, for the files that it is written in: log_store.cc (appending, signing, pruning) and
// log_recovery.cc (what every start and every reopen() does).
//
// Internal to this module. Invariant: `state` is what the state file says; files hold at least that much.
// Threads: one user. Cost: buffers of one batch.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/folder_lock.h"
#include "ledger/disk_file.h"
#include "ledger/log_files.h"
#include "ledger/log_store.h"
#include "tlog/checkpoint.h"

namespace stillwatch::ledger {

struct LogStore::Impl {
  Impl(LogFiles log_files, base::FolderLock folder_lock, tlog::Ed25519NoteSigner note_signer)
      : files(std::move(log_files)), lock(std::move(folder_lock)), signer(std::move(note_signer)) {}

  base::Result<std::uint64_t> append(std::span<const std::string_view> entries, bool close);
  base::Result<std::string> sign();
  base::Result<std::uint64_t> prune(std::uint64_t index_min);
  base::Status commit(const LogState& next);

  base::Status recover();

  LogFiles files;
  std::string signed_path;
  base::FolderLock lock;
  tlog::Ed25519NoteSigner signer;
  std::string origin, vkey;
  LogState state;
  std::uint64_t index_min = 0;
  std::string signed_note;  // empty: none yet
  std::uint64_t signed_size = 0;
  bool is_broken = false;
  Counters counters;

 private:
  base::Status ready() const;
  base::Status write_part(std::span<const std::string_view> entries, LogState& next);
  base::Status open_segment(std::uint64_t segment);
  base::Status sync_segment();
  void close_segment();
  base::Status sync(DiskFile& file);
  base::Status replace(const std::string& path, std::string_view bytes, bool durable_name = true);

  base::Status read_signed();
  base::Status check_signed_root();
  base::Status recover_segment();
  base::Status recover_levels(std::string_view level_one);
  base::Status rewrite_tail(DiskFile& file, std::uint64_t offset, std::string_view bytes);
  base::Status remove_beyond();
  base::Status publish_checkpoint();

  std::optional<std::uint64_t> open_segment_;
  DiskFile entries_, hashes_, index_;
  std::array<DiskFile, tlog::kTileLevels> levels_;  // the first is not used: level 0 is `hashes_`
  std::string entry_bytes_, index_bytes_;
  std::array<std::string, tlog::kTileLevels> level_bytes_;
};

}  // namespace stillwatch::ledger
