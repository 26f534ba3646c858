// Any bytes as an entry bundle. Property: the entries that are read, written again, are the bytes that were read.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "tlog/bundle.h"

using namespace stillwatch::tlog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  EntryReader reader(input);
  std::string again;
  std::string_view entry;
  unsigned count = 0;
  for (; reader.next(entry); ++count) STILLWATCH_ASSERT(append_entry(again, entry));
  STILLWATCH_ASSERT(again == input.substr(0, reader.offset()));
  STILLWATCH_ASSERT(!reader.next(entry) || reader.at_end());
  const bool is_bundle = count >= 1 && count <= kTileWidth;
  STILLWATCH_ASSERT(read_bundle(input, count, true).has_value() == (is_bundle && reader.at_end()));
  STILLWATCH_ASSERT(read_bundle(input, count, false).has_value() == is_bundle);
  STILLWATCH_ASSERT(!read_bundle(input, count + 1, false));
  return 0;
}
