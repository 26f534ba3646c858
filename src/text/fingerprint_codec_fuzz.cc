// Any bytes: decode says no, or encode gives the same bytes back (of version 1: those of version 2 without a language).
#include <algorithm>
#include <cstdint>

#include "base/assert.h"
#include "text/fingerprint_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto decoded = stillwatch::text::decode({bytes, size});
  if (decoded) {
    const auto again = stillwatch::text::encode(*decoded);
    const bool first = bytes[0] == 1;
    STILLWATCH_ASSERT(again.size() == size + (first ? 1 : 0));
    STILLWATCH_ASSERT(std::equal(again.begin() + 1, again.begin() + static_cast<std::ptrdiff_t>(size), bytes + 1));
    STILLWATCH_ASSERT(again[0] == (first ? 2 : bytes[0]) && (!first || again.back() == 0));
  }
  return 0;
}
