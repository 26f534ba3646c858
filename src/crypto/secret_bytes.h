// Bytes of a key that are wiped when they go out of use.
//
// Invariant: no copy is left in memory by destruction, by a move or by assignment; copies are made on purpose, by name.
// Threads: a plain value. Cost: one wipe of N bytes. Library: libsodium (a wipe that the compiler keeps).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace stillwatch::crypto {

/// Overwrites with zeros, also when nothing reads the bytes afterwards.
void wipe(std::span<std::uint8_t> bytes);

template <std::size_t kBytes>
class SecretBytes {
 public:
  SecretBytes() { bytes_.fill(0); }
  explicit SecretBytes(std::span<const std::uint8_t, kBytes> bytes) {
    std::memcpy(bytes_.data(), bytes.data(), kBytes);
  }
  SecretBytes(SecretBytes&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_); }

  SecretBytes copy() const { return SecretBytes(view()); }
  std::span<const std::uint8_t, kBytes> view() const { return bytes_; }
  /// To be filled in.
  std::span<std::uint8_t, kBytes> writable() { return bytes_; }

 private:
  std::array<std::uint8_t, kBytes> bytes_;
};

}  // namespace stillwatch::crypto
