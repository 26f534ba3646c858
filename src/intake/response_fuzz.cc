// Any bytes as a response, unary and as a stream. Properties: the facts do not depend on the cuts; texts and counters
// stay in their bounds.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/response_reader.h"

namespace {

using namespace stillwatch::intake;

ResponseFacts read(Endpoint endpoint, ResponseForm form, std::string_view bytes, std::size_t step) {
  ResponseLimits limits;
  limits.event_bytes_max = 500;
  limits.unary_bytes_max = 2'000;
  limits.reply_bytes_max = 300;
  ResponseReader reader(endpoint, form, limits);
  for (; bytes.size() > step; bytes.remove_prefix(step)) reader.feed(bytes.substr(0, step));
  reader.feed(bytes);
  return reader.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const Endpoint endpoint : {Endpoint::chat_completions, Endpoint::responses, Endpoint::messages,
                                  Endpoint::count_tokens, Endpoint::embeddings}) {
    for (const ResponseForm form : {ResponseForm::unary, ResponseForm::stream}) {
      const ResponseFacts whole = read(endpoint, form, text, size + 1), cut = read(endpoint, form, text, 1 + size % 7);
      STILLWATCH_ASSERT(whole.input_tokens == cut.input_tokens && whole.output_tokens == cut.output_tokens &&
                        whole.reasoning_tokens == cut.reasoning_tokens && whole.cached_tokens == cut.cached_tokens);
      STILLWATCH_ASSERT(whole.stop == cut.stop && whole.model == cut.model && whole.error_type == cut.error_type);
      STILLWATCH_ASSERT(whole.events == cut.events && whole.events_skipped == cut.events_skipped &&
                        whole.events_unreadable == cut.events_unreadable && whole.bytes == size);
      STILLWATCH_ASSERT(whole.is_complete == cut.is_complete && whole.is_estimated == cut.is_estimated);
      STILLWATCH_ASSERT(whole.reply == cut.reply && whole.reply.size() <= 300);
      STILLWATCH_ASSERT(whole.stop.size() <= 32 && whole.model.size() <= 128 && whole.error_type.size() <= 64);
    }
  }
  return 0;
}
