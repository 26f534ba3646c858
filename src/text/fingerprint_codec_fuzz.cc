// Any bytes: decode says no, or encode gives the same bytes back.
#include <algorithm>
#include <cstdint>

#include "base/assert.h"
#include "text/fingerprint_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto decoded = stillwatch::text::decode({bytes, size});
  if (decoded) {
    const auto again = stillwatch::text::encode(*decoded);
    STILLWATCH_ASSERT(std::equal(again.begin(), again.end(), bytes, bytes + size));
  }
  return 0;
}
