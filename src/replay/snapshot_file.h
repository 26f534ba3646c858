// STATE/snapshot: everything a run needs to go on where it stopped.
//
// Invariant: written aside and renamed, so there is always one whole snapshot or none; a damaged one is refused by its
// checksum, one of other settings, secret, logs or version by its header. Nothing is guessed.
// Threads: one user. Cost: one write of the state's size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "replay/journal.h"

namespace stillwatch::replay {

struct SnapshotFile {
  // Must equal those of the run that resumes.
  std::string policy_hash;
  std::uint64_t secret_id = 0;
  std::string inputs;  // format, names of the logs, contents of the accounts and map files
  // The state.
  std::string reader, engine, identities;
  Journal::Mark verdicts, rejects;
  std::uint64_t rejects_listed = 0;
  std::string ledger;  // LedgerOutput::settle(); empty without an audit log
};

base::Status write_snapshot(const std::string& state_folder, const SnapshotFile& snapshot);
/// Nothing when there is none. Environment error when it is damaged; caller error when it belongs to another run.
base::Result<std::optional<SnapshotFile>> read_snapshot(const std::string& state_folder, const SnapshotFile& expected);
/// What a resumed run must find again: of a file that is read anew after a stop, every byte, as its hash and a newline.
base::Result<std::string> content_of(const std::string& path);
void remove_snapshot(const std::string& state_folder);

}  // namespace stillwatch::replay
