#include "crypto/random_bytes.h"

#include <sodium.h>

#include "base/assert.h"

namespace stillwatch::crypto {

void fill_random(std::span<std::uint8_t> bytes) {
  static const bool ready = sodium_init() >= 0;
  STILLWATCH_ASSERT(ready);
  randombytes_buf(bytes.data(), bytes.size());
}

}  // namespace stillwatch::crypto
