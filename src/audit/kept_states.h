// LEDGER/states: the states of the engine that decision leaves name, each in a file called by its SHA-256; and the
// names behind its tokens, sealed, beside it.
//
// Invariant: a file under its name is whole and on the disk, and its names were there before it; a state without a leaf
// that names it harms nobody. Bytes that do not hash to their name are never given. No raw id is readable.
// Threads: one keeps and removes; any number read. Cost: a write and a sync of the state, once a month.
// Format: docs/reference/ledger-files.md, "Kept states".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "audit/kept_state.h"
#include "base/result.h"
#include "ledger/erasure.h"
#include "ledger/key_book.h"
#include "ledger/leaf.h"

namespace stillwatch::audit {

class KeptStates {
 public:
  explicit KeptStates(const std::string& ledger_folder);

  /// On the disk when it returns. `names` are what opens the state's tokens (intake::Identities::save).
  base::Result<ledger::Hash32> keep(const KeptState& state, std::string_view names, const ledger::KeyBook& keys) const;
  bool has(const ledger::Hash32& hash) const;
  /// Check error when the file is not what its name says; environment error when it cannot be read.
  base::Result<KeptState> read(const ledger::Hash32& hash) const;
  base::Result<std::string> read_names(const ledger::Hash32& hash, const ledger::KeyBook& keys) const;

  struct Entry {
    ledger::Hash32 hash{};
    std::string path, names_path;
    std::uint64_t bytes = 0;
    std::int64_t first_us = 0, time_us = 0;  // 0 when its head is damaged
  };
  /// Oldest first. Empty when nothing was ever kept.
  base::Result<std::vector<Entry>> list() const;

  std::string path_of(const ledger::Hash32& hash) const;
  std::string names_path_of(const ledger::Hash32& hash) const;

 private:
  std::string folder_;
};

/// The state's hash when `path` is that of a kept state; nothing for other files, its names among them.
std::optional<ledger::Hash32> state_of_path(const std::string& path);

/// The files of all kept states that may know a customer, for an erasure of him: `may_name` is asked about the names of
/// each. Where they cannot be read, he is taken to be in it.
base::Result<std::vector<ledger::ErasureFile>> states_to_erase(
    const std::string& ledger_folder, const ledger::KeyBook& keys,
    const std::function<bool(std::string_view names)>& may_name);

/// The `kp` of all `erase` leaves: names of destroyed keys and of removed states. Reads all logs of shards.
base::Result<std::set<ledger::Name12>> erased_names(const std::string& ledger_folder);

/// What fsck finds out about states.
struct KeptStateFinding {
  std::string file;  // "states/<hex>"
  std::string what;
};
struct KeptStatesCheck {
  std::uint64_t states = 0, bytes = 0;
  std::uint64_t unused = 0;  // good, and no leaf names them: of a crash, or of a month without a decision
  std::uint64_t erased = 0;  // named by decisions, gone, and an `erase` leaf says so
  std::vector<KeptStateFinding> findings;
};
/// Hashes every state, and looks for each that a decision leaf names. Reads all logs of shards.
base::Result<KeptStatesCheck> check_kept_states(const std::string& ledger_folder);

}  // namespace stillwatch::audit
