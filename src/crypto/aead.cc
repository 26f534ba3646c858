#include "crypto/aead.h"

#include <sodium.h>

#include "crypto/random_bytes.h"

namespace stillwatch::crypto {
namespace {

static_assert(kAeadKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kAeadNonceBytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kAeadTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

}  // namespace

void aead_seal(const AeadKey& key, const AeadNonce& nonce, std::string_view plain, std::string_view associated,
               std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + plain.size() + kAeadTagBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<std::uint8_t*>(out.data() + before), nullptr,
                                             bytes_of(plain), plain.size(), bytes_of(associated), associated.size(),
                                             nullptr, nonce.data(), key.view().data());
}

bool aead_open(const AeadKey& key, const AeadNonce& nonce, std::string_view sealed, std::string_view associated,
               std::string& out) {
  if (sealed.size() < kAeadTagBytes) return false;
  const std::size_t before = out.size();
  out.resize(before + sealed.size() - kAeadTagBytes);
  const int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<std::uint8_t*>(out.data() + before), nullptr, nullptr, bytes_of(sealed), sealed.size(),
      bytes_of(associated), associated.size(), nonce.data(), key.view().data());
  if (failed != 0) out.resize(before);
  return failed == 0;
}

void aead_seal(const AeadKey& key, std::string_view plain, std::string_view associated, std::string& out) {
  const auto nonce = random_array<kAeadNonceBytes>();
  out.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  aead_seal(key, nonce, plain, associated, out);
}

bool aead_open(const AeadKey& key, std::string_view sealed, std::string_view associated, std::string& out) {
  if (sealed.size() < kAeadOverheadBytes) return false;
  AeadNonce nonce;
  sealed.copy(reinterpret_cast<char*>(nonce.data()), nonce.size());
  return aead_open(key, nonce, sealed.substr(nonce.size()), associated, out);
}

}  // namespace stillwatch::crypto
