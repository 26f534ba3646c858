// Where the parts of one ledger lie below its folder: the same for the gateway, replays and commands.
//
// Invariant: names only; nothing is opened here. logs/, manifests/, cosigned/ and stamps/ are AuditLog's own.
// Threads: pure functions. Layout: docs/reference/ledger-files.md.
#pragma once

#include <string>

namespace stillwatch::audit {

/// Pseudonym keys and KEKs (ledger::KeyBook). Seeds of log keys lie beside it in keys/.
inline std::string key_book_folder(const std::string& ledger) { return ledger + "/keys/tenants"; }
/// The master key when no file and no command is named; mode 0600. Better on other storage.
inline std::string master_key_path(const std::string& ledger) { return ledger + "/keys/master"; }
inline std::string vault_folder(const std::string& ledger) { return ledger + "/vault"; }
/// States of the engine that decisions rest on (KeptStates).
inline std::string states_folder(const std::string& ledger) { return ledger + "/states"; }
inline std::string holds_path(const std::string& ledger) { return ledger + "/holds"; }
/// Orders of erasure that are not logged yet.
inline std::string orders_folder(const std::string& ledger) { return ledger + "/orders"; }

}  // namespace stillwatch::audit
