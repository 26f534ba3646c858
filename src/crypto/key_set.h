// The deployment secret with the one before it: what a rotation leaves for the time of the overlap.
//
// Invariant: at most two secrets, never equal; the file is replaced as a whole, mode 0600. Tokens are always made with
// the current one; the previous one only finds what was stored under it.
// Threads: plain values. Cost: a file read. Design and price of a rotation: docs/operate/secret.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "crypto/keyed_hash.h"

namespace stillwatch::crypto {

using Secret = std::array<std::uint8_t, KeyedHash::kSecretBytes>;

struct KeySet {
  Secret current{};
  std::optional<Secret> previous;
  std::int64_t rotated_us = 0;  // when `previous` was replaced; 0 without one
};

/// As load_or_create_secret, which gives `current` of the same file. Never creates one.
/// Environment error when it is unreadable, malformed, or readable by group or others.
base::Result<KeySet> load_key_set(const std::string& path);
/// A new current secret; the old one becomes the previous one. Caller error while an earlier overlap is not ended.
base::Result<KeySet> rotate_secret(const std::string& path, std::int64_t now_us);
/// Forgets the previous secret.
base::Status end_overlap(const std::string& path);
/// Copies the file to a new file with mode 0600 and reads it back. Caller error when the target exists.
base::Status backup_secret(const std::string& path, const std::string& target);

}  // namespace stillwatch::crypto
