// Any bytes as the small files of a log. Property: no crash, and what is taken is written again as the same bytes.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "ledger/chain_names.h"
#include "ledger/log_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::ledger;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto state = parse_state(text, "state")) STILLWATCH_ASSERT(format_state(*state) == text);
  if (const auto minimum = parse_pruned(text, "pruned")) STILLWATCH_ASSERT(format_pruned(*minimum) == text);
  if (const auto name = LogName::parse(text, "shard-")) STILLWATCH_ASSERT("shard-" + name->text() == text);
  return 0;
}
