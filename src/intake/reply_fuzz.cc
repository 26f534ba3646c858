// Any bytes as the body of an answer in each dialect. Property: no crash, the same twice, and no more text than bytes.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/reply_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using stillwatch::event::Dialect;
  static stillwatch::intake::ReplyReader reader;
  std::string padded(reinterpret_cast<const char*>(bytes), size);
  padded.append(stillwatch::intake::kJsonPadding, '\0');
  const std::string_view json = std::string_view(padded).substr(0, size);
  for (const Dialect dialect :
       {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic_messages, Dialect::text}) {
    const std::string once(reader.read(dialect, json));
    STILLWATCH_ASSERT(once.size() <= size);
    STILLWATCH_ASSERT(once == reader.read(dialect, json));
  }
  return 0;
}
