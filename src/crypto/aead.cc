#include "crypto/aead.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <cstring>

#include "base/assert.h"
#include "crypto/random_bytes.h"

namespace stillwatch::crypto {
namespace {

static_assert(kAeadKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kAeadNonceBytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kAeadTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

// From here on OpenSSL's ChaCha20-Poly1305, with its wide vectors, outweighs what its calls cost.
constexpr std::size_t kLongBytes = 1'024;
constexpr std::size_t kLongBytesMax = 1U << 30;  // lengths are int there
constexpr std::size_t kHashedNonceBytes = 16;    // of the nonce: the rest is counted from

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

// One context a thread: the algorithm is looked up once.
class LongCipher {
 public:
  LongCipher() : cipher_(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr)), context_(EVP_CIPHER_CTX_new()) {
    STILLWATCH_ASSERT(cipher_ != nullptr && context_ != nullptr);
  }
  LongCipher(const LongCipher&) = delete;
  LongCipher& operator=(const LongCipher&) = delete;
  ~LongCipher() {
    EVP_CIPHER_CTX_free(context_);
    EVP_CIPHER_free(cipher_);
  }

  void seal(const AeadKey& key, const AeadNonce& nonce, std::string_view plain, std::string_view associated,
            std::uint8_t* out) {
    begin(key, nonce, associated, 1);
    int written = 0;
    bool done = EVP_CipherUpdate(context_, out, &written, bytes_of(plain), static_cast<int>(plain.size())) == 1;
    int rest = 0;
    done = done && EVP_CipherFinal_ex(context_, out + written, &rest) == 1;
    done = done && EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, out + plain.size()) == 1;
    STILLWATCH_ASSERT(done);
  }
  /// `out` has what was decrypted also when the answer is no: the caller takes it away.
  bool open(const AeadKey& key, const AeadNonce& nonce, std::string_view sealed, std::string_view associated,
            std::uint8_t* out) {
    begin(key, nonce, associated, 0);
    const std::size_t size = sealed.size() - kAeadTagBytes;
    std::array<std::uint8_t, kAeadTagBytes> tag;
    std::memcpy(tag.data(), sealed.data() + size, tag.size());
    int written = 0, rest = 0;
    return EVP_CipherUpdate(context_, out, &written, bytes_of(sealed), static_cast<int>(size)) == 1 &&
           EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag.data()) == 1 &&
           EVP_CipherFinal_ex(context_, out + written, &rest) == 1;
  }

 private:
  // XChaCha20: a key of its own from the first 16 bytes of the nonce, then ChaCha20 with the last 8.
  void begin(const AeadKey& key, const AeadNonce& nonce, std::string_view associated, int encrypts) {
    SecretBytes<kAeadKeyBytes> of_nonce;
    crypto_core_hchacha20(of_nonce.writable().data(), nonce.data(), key.view().data(), nullptr);
    std::array<std::uint8_t, 12> counter{};
    std::memcpy(counter.data() + 4, nonce.data() + kHashedNonceBytes, nonce.size() - kHashedNonceBytes);
    bool done = EVP_CipherInit_ex(context_, cipher_, nullptr, of_nonce.view().data(), counter.data(), encrypts) == 1;
    int written = 0;
    done = done && (associated.empty() || EVP_CipherUpdate(context_, nullptr, &written, bytes_of(associated),
                                                           static_cast<int>(associated.size())) == 1);
    STILLWATCH_ASSERT(done);
  }

  EVP_CIPHER* cipher_;
  EVP_CIPHER_CTX* context_;
};

LongCipher& long_cipher() {
  thread_local LongCipher cipher;
  return cipher;
}

bool is_long(std::string_view bytes, std::string_view associated) {
  return bytes.size() >= kLongBytes && bytes.size() <= kLongBytesMax && associated.size() <= kLongBytesMax;
}

}  // namespace

void aead_seal(const AeadKey& key, const AeadNonce& nonce, std::string_view plain, std::string_view associated,
               std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + plain.size() + kAeadTagBytes);
  if (is_long(plain, associated)) {
    long_cipher().seal(key, nonce, plain, associated, reinterpret_cast<std::uint8_t*>(out.data() + before));
    return;
  }
  crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<std::uint8_t*>(out.data() + before), nullptr,
                                             bytes_of(plain), plain.size(), bytes_of(associated), associated.size(),
                                             nullptr, nonce.data(), key.view().data());
}

bool aead_open(const AeadKey& key, const AeadNonce& nonce, std::string_view sealed, std::string_view associated,
               std::string& out) {
  if (sealed.size() < kAeadTagBytes) return false;
  const std::size_t before = out.size();
  out.resize(before + sealed.size() - kAeadTagBytes);
  if (is_long(sealed.substr(kAeadTagBytes), associated)) {
    auto* plain = reinterpret_cast<std::uint8_t*>(out.data() + before);
    const bool fits = long_cipher().open(key, nonce, sealed, associated, plain);
    if (!fits) {
      sodium_memzero(plain, out.size() - before);
      out.resize(before);
    }
    return fits;
  }
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
