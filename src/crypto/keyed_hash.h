// Tokens: keyed 64-bit hashes of raw text and identity, a true PRF (SipHash-2-4).
//
// Invariant: without the deployment secret nobody can compute a token or a collision; equal bytes in
// different domains give unrelated tokens; no token is 0, which means "absent".
// Threads: const use from any number. Cost: about 15 ns + 0.6 ns a byte.
// Spec: Aumasson, Bernstein, "SipHash: a fast short-input PRF" (2012); library: libsodium.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/token.h"

namespace stillwatch::crypto {

/// What a token is of. Part of the hash key: a payment and a prompt with equal bytes never meet.
enum class Domain : std::uint8_t {
  account,
  key,
  end_user,
  query_id,
  client,
  client_version,
  egress,
  address,
  model,
  org,
  payment,
  email_domain,
  referral,
  tier,
  prompt,
  turn,
  conversation,
  template_,
  system,
  tools,
  params,
  schema,
  shingle,
  passage,
};
inline constexpr std::size_t kDomains = 24;

class KeyedHash {
 public:
  static constexpr std::size_t kSecretBytes = 32;
  explicit KeyedHash(std::span<const std::uint8_t, kSecretBytes> secret);

  base::Token operator()(Domain domain, std::string_view bytes) const;
  base::Token operator()(Domain domain, std::span<const std::uint64_t> words) const {
    return (*this)(domain, std::string_view(reinterpret_cast<const char*>(words.data()), words.size_bytes()));
  }
  /// Public name of the secret: lets a snapshot refuse another secret without showing it.
  std::uint64_t secret_id() const { return secret_id_; }

 private:
  std::array<std::array<std::uint8_t, 16>, kDomains> keys_;
  std::uint64_t secret_id_;
};

/// Reads the deployment secret (32 bytes as 64 hex digits), or creates it with mode 0600 when the file is absent.
/// Environment error when it is unreadable, malformed, or readable by group or others.
base::Result<std::array<std::uint8_t, KeyedHash::kSecretBytes>> load_or_create_secret(const std::string& path);

}  // namespace stillwatch::crypto
