// Any bytes as the end of a record line, and as the file of a tail's memory.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "gateway/tail_memory.h"
#include "gateway/tail_place.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stillwatch::gateway;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto place = parse_tail_place(text)) {
    STILLWATCH_ASSERT(parse_tail_place(to_text(*place)) == place);
    std::string line = "{}";
    append_place(line, *place);
    STILLWATCH_ASSERT(place_at_end(line) == place);
  }
  (void)place_at_end(text);
  if (const auto memory = TailMemory::parse(text)) {
    const auto again = TailMemory::parse(memory->text());
    STILLWATCH_ASSERT(again && again->text() == memory->text());
  }
  TailPlaces places;
  stillwatch::intake::ByteReader in(text);
  (void)places.restore(in);
  return 0;
}
