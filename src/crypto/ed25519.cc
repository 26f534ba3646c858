#include "crypto/ed25519.h"

#include <sodium.h>

#include "base/assert.h"

namespace stillwatch::crypto {
namespace {

static_assert(kEd25519SeedBytes == crypto_sign_SEEDBYTES);
static_assert(sizeof(Ed25519PublicKey) == crypto_sign_PUBLICKEYBYTES);
static_assert(sizeof(Ed25519Signature) == crypto_sign_BYTES);
static_assert(crypto_sign_SECRETKEYBYTES == 64);

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

}  // namespace

Ed25519Key::Ed25519Key(const Ed25519Seed& seed) {
  STILLWATCH_ASSERT(sodium_init() >= 0);
  crypto_sign_seed_keypair(public_key_.data(), key_.writable().data(), seed.view().data());
}

Ed25519Signature Ed25519Key::sign(std::string_view message) const {
  Ed25519Signature signature;
  crypto_sign_detached(signature.data(), nullptr, bytes_of(message), message.size(), key_.view().data());
  return signature;
}

bool ed25519_verify(const Ed25519PublicKey& key, std::string_view message, const Ed25519Signature& signature) {
  return crypto_sign_verify_detached(signature.data(), bytes_of(message), message.size(), key.data()) == 0;
}

}  // namespace stillwatch::crypto
