// Any bytes as the file of earlier levels; what is read writes itself back.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "crypto/digest.h"
#include "gateway/earlier_levels.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stillwatch;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)gateway::read_earlier_levels(bytes);
  // Behind a checksum that is right.
  const std::string sealed = "stillwatch levels 1\n" + crypto::sha256_hex(bytes) + std::string(bytes);
  if (const auto levels = gateway::read_earlier_levels(sealed)) STILLWATCH_ASSERT(gateway::to_bytes(*levels) == sealed);
  return 0;
}
