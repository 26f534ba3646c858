// Any bytes as an anchor leaf and as a manifest. Property: no crash, and what is taken is written again as the same
// bytes.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "ledger/anchor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto leaf = ledger::read_anchor_leaf(text)) STILLWATCH_ASSERT(ledger::anchor_leaf_text(*leaf) == text);
  if (const auto logs = ledger::read_manifest(text)) STILLWATCH_ASSERT(ledger::manifest_text(*logs).value() == text);
  return 0;
}
