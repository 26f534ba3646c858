#include "crypto/hmac.h"

#include <sodium.h>

namespace stillwatch::crypto {

HmacTag hmac_sha256(std::span<const std::uint8_t> key, std::initializer_list<std::string_view> parts) {
  static_assert(sizeof(HmacTag) == crypto_auth_hmacsha256_BYTES);
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  for (const std::string_view part : parts) {
    crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
  }
  HmacTag tag;
  crypto_auth_hmacsha256_final(&state, tag.data());
  sodium_memzero(&state, sizeof state);
  return tag;
}

bool equal(const HmacTag& left, const HmacTag& right) {
  return sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace stillwatch::crypto
