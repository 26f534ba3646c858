// The seeds of logs' signing keys: one file each, made once, destroyed after the log is closed.
//
// Invariant: a file is mode 0600 and holds one Go note private key (`PRIVATE+KEY+<origin>+<id>+<base64>`), complete or
// absent; destroying overwrites its bytes before it is unlinked (file systems, SSDs and backups may still have them).
// No seed and no part of one is in any message. Threads: one user a folder. Cost: two syncs each.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/log_store.h"

namespace stillwatch::ledger {

/// Caller error when the file exists.
base::Status write_seed(const std::string& path, std::string_view origin, const KeySeed& seed);
/// Environment error when it is missing, malformed, of another origin, or readable by group or others.
base::Result<KeySeed> read_seed(const std::string& path, std::string_view origin);
/// Done also when it is not there.
base::Status destroy_seed(const std::string& path);
bool has_seed(const std::string& path);
/// The public key of a seed in C2SP vkey form.
std::string vkey_of(std::string_view origin, const KeySeed& seed);

}  // namespace stillwatch::ledger
