// Any bytes as a leaf. Property: no crash, and what is taken is written again as the same bytes.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "ledger/leaf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto leaf = ledger::read_leaf(text);
  if (!leaf) {
    STILLWATCH_ASSERT(leaf.error().fault == base::Fault::input);
    return 0;
  }
  std::string again;
  STILLWATCH_ASSERT(ledger::write_leaf(*leaf, again) && again == text);
  return 0;
}
