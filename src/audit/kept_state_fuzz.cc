// Any bytes as a kept state. Property: what is taken is written again as the same bytes.
#include <cstdint>
#include <string_view>

#include "audit/kept_state.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stillwatch::audit;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto state = read_state(bytes);
  if (state) STILLWATCH_ASSERT(write_state(*state) == bytes);
  return 0;
}
