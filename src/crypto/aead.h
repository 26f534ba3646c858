// Authenticated encryption: XChaCha20-Poly1305, with data that is authenticated and not encrypted.
//
// Invariant: nothing of the plain bytes comes out unless key, nonce, sealed bytes and associated data are all as they
// were. A nonce of 24 random bytes never repeats in practice.
// Threads: pure functions. Cost: about 0.4 µs + 0.5 ns a byte, from 1 KiB on 0.2 ns. Spec: draft-irtf-cfrg-xchacha-03;
// libraries: libsodium, and OpenSSL from 1 KiB on; both give the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/secret_bytes.h"

namespace stillwatch::crypto {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 24;
inline constexpr std::size_t kAeadTagBytes = 16;
using AeadKey = SecretBytes<kAeadKeyBytes>;
using AeadNonce = std::array<std::uint8_t, kAeadNonceBytes>;

/// Appends ciphertext || tag: kAeadTagBytes longer than `plain`. No input may be a view into `out`, here and below.
void aead_seal(const AeadKey& key, const AeadNonce& nonce, std::string_view plain, std::string_view associated,
               std::string& out);
/// Appends the plain bytes; false, and `out` as it was, when anything does not fit.
bool aead_open(const AeadKey& key, const AeadNonce& nonce, std::string_view sealed, std::string_view associated,
               std::string& out);

/// The same with a fresh random nonce, which goes before the ciphertext: nonce || ciphertext || tag.
inline constexpr std::size_t kAeadOverheadBytes = kAeadNonceBytes + kAeadTagBytes;
void aead_seal(const AeadKey& key, std::string_view plain, std::string_view associated, std::string& out);
bool aead_open(const AeadKey& key, std::string_view sealed, std::string_view associated, std::string& out);

}  // namespace stillwatch::crypto
