// Measurements of the audit log, each beside the limit of the machine from the same run: for the benchmark and for
// `stillwatch bench ledger`.
//
// Invariant: what is measured as durable was synced as in operation; nothing is left in the folder.
// Threads: one user. Cost: seconds, and as many bytes on the disk as the entries have.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace stillwatch::ledger {

struct AppendFigures {
  std::uint64_t entries = 0, entry_bytes = 0, batch_entries = 0;
  double seconds = 0, cpu_seconds = 0, worst_batch_ms = 0;
  std::uint64_t syncs = 0, checkpoints = 0;
  double bytes_beside_entry = 0;  // on the disk, beside the leaf's own
  double disk_seconds = 0;        // the same bytes in the same batches, write + fdatasync and nothing else
  std::uint64_t disk_syncs = 0;
  double entries_per_second() const { return static_cast<double>(entries) / seconds; }
  double disk_entries_per_second() const { return static_cast<double>(entries) / disk_seconds; }
};
/// Appends durably in batches, with a checkpoint after each `checkpoint_batches`; `folder` must not exist.
base::Result<AppendFigures> measure_append(const std::string& folder, std::uint64_t entries, std::uint64_t entry_bytes,
                                           std::uint64_t batch_entries, std::uint64_t checkpoint_batches);

struct HandOverFigures {
  std::uint64_t leaves = 0, lost = 0;
  double ns_each = 0, worst_us = 0;                   // of Sequencer::try_append on the caller's thread
  double sequenced_p50_ms = 0, sequenced_p99_ms = 0;  // from there until the leaf is on the disk
};
HandOverFigures measure_hand_over(const std::string& folder, std::uint64_t leaves);

struct ProofFigures {
  std::uint64_t size = 0, proofs = 0;
  double inclusion_us = 0, consistency_us = 0;  // on average, from files in the page cache, each proof checked
  double cpu_us = 0;                            // processor time of one of them
  double worst_us = 0;
};
/// In a log of `size` entries whose leaf hashes are all zero: its hash files are holes, so that 100 million take no
/// space; levels above, state and checkpoint are real.
base::Result<ProofFigures> measure_proofs(const std::string& folder, std::uint64_t size, std::uint64_t proofs);

}  // namespace stillwatch::ledger
