#include "tlog/cosignature.h"

#include <cstring>

#include <fmt/format.h>

namespace stillwatch::tlog {
namespace {

constexpr std::size_t kTimeBytes = 8;
constexpr std::size_t kBytes = kTimeBytes + sizeof(crypto::Ed25519Signature);
constexpr std::uint64_t kTimeMax = (std::uint64_t{1} << 63) - 1;  // tlog-cosignature

}  // namespace

std::string cosigned_message(std::string_view checkpoint_text, std::uint64_t unix_s) {
  return fmt::format("cosignature/v1\ntime {}\n{}", unix_s, checkpoint_text);
}

std::optional<std::uint64_t> cosignature_time(const NoteSignature& signature) {
  if (signature.bytes.size() != kBytes) return std::nullopt;
  std::uint64_t unix_s = 0;
  for (std::size_t i = 0; i < kTimeBytes; ++i) {
    unix_s = unix_s << 8 | static_cast<std::uint8_t>(signature.bytes[i]);
  }
  return unix_s <= kTimeMax ? std::optional(unix_s) : std::nullopt;
}

std::optional<std::uint64_t> verify_cosignature(const VerifierKey& witness, std::string_view checkpoint_text,
                                                const NoteSignature& signature) {
  crypto::Ed25519PublicKey public_key;
  crypto::Ed25519Signature bytes;
  const auto unix_s = cosignature_time(signature);
  if (!unix_s || witness.type != KeyType::cosignature_v1 || !signature.is_of(witness) ||
      witness.public_key.size() != public_key.size()) {
    return std::nullopt;
  }
  std::memcpy(public_key.data(), witness.public_key.data(), public_key.size());
  std::memcpy(bytes.data(), signature.bytes.data() + kTimeBytes, bytes.size());
  if (!crypto::ed25519_verify(public_key, cosigned_message(checkpoint_text, *unix_s), bytes)) return std::nullopt;
  return unix_s;
}

Ed25519Cosigner::Ed25519Cosigner(std::string name, const crypto::Ed25519Seed& seed)
    : key_(seed), verifier_key_(VerifierKey::of(std::move(name), KeyType::cosignature_v1, key_.public_key())) {}

base::Result<NoteSignature> Ed25519Cosigner::cosign(std::string_view checkpoint_text, std::uint64_t unix_s) const {
  if (unix_s > kTimeMax) return base::fail(base::Fault::ours, "a cosignature's time is beyond its format");
  const crypto::Ed25519Signature signature = key_.sign(cosigned_message(checkpoint_text, unix_s));
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(unix_s >> shift & 0xFFU);
  bytes.append(signature.begin(), signature.end());
  return NoteSignature{verifier_key_.name, verifier_key_.id, std::move(bytes)};
}

}  // namespace stillwatch::tlog
