// Any bytes as the mark in a snapshot. Property: what is taken is written again as the same mark.
#include <cstdint>
#include <string_view>

#include "audit/recalled_leaves.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stillwatch::audit;
  const auto mark = parse_mark({reinterpret_cast<const char*>(data), size});
  if (!mark) return 0;
  const auto again = parse_mark(text_of(*mark));
  STILLWATCH_ASSERT(again.has_value());
  STILLWATCH_ASSERT(again->origin == mark->origin && again->index == mark->index);
  STILLWATCH_ASSERT(again->base_origin == mark->base_origin && again->policy == mark->policy);
  STILLWATCH_ASSERT(again->base_state == mark->base_state);
  return 0;
}
