// Any bytes as the lines of a hold file. Property: no crash; what is accepted is written and read back the same; a file
// whose last line was not made with the key is refused.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "ledger/hold_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::ledger;
  static const Key32 key;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  STILLWATCH_ASSERT(!parse_holds(text, key));
  const auto holds = parse_hold_lines(text);
  if (!holds) return 0;
  const std::string written = write_holds(*holds, key);
  const auto again = parse_holds(written, key);
  STILLWATCH_ASSERT(again.has_value() && write_holds(*again, key) == written);
  STILLWATCH_ASSERT(again->size() == holds->size());
  return 0;
}
