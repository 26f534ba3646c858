// For tests of any module: secrets that are always the same, and keyed hashes under them.
#pragma once

#include <array>
#include <cstdint>

#include "crypto/keyed_hash.h"

namespace stillwatch::crypto::test {

/// This byte throughout.
inline std::array<std::uint8_t, KeyedHash::kSecretBytes> secret_of(std::uint8_t byte) {
  std::array<std::uint8_t, KeyedHash::kSecretBytes> secret;
  secret.fill(byte);
  return secret;
}
inline KeyedHash hash_of(std::uint8_t byte) { return KeyedHash(secret_of(byte)); }
inline KeyedHash fixed_hash() { return hash_of(7); }

}  // namespace stillwatch::crypto::test
