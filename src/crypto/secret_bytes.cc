#include "crypto/secret_bytes.h"

#include <sodium.h>

namespace stillwatch::crypto {

void wipe(std::span<std::uint8_t> bytes) { sodium_memzero(bytes.data(), bytes.size()); }

}  // namespace stillwatch::crypto
