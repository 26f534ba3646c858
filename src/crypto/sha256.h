// SHA-256 at full speed: of whole buffers, of many small ones (Merkle nodes), and of streams.
//
// Invariant: equal bytes give equal digests however they are cut into updates.
// Threads: plain values. Cost: 80 ns for a 65-byte node, 0.5 ns a byte with SHA instructions; no allocation and no
// look-up of an algorithm per call. Spec: FIPS 180-4; library: OpenSSL (its low-level calls, which fetch nothing).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stillwatch::crypto {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest sha256(std::string_view bytes);

/// One digest of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// The digest of everything so far; the object then starts anew.
  Sha256Digest finish();

 private:
  // OpenSSL's context; the .cc file asserts that it fits.
  alignas(8) std::array<std::uint8_t, 112> context_;
};

}  // namespace stillwatch::crypto
