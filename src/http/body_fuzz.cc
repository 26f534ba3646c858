// Any bytes as a chunked body. Property: cut into single bytes it gives the same data, end and error as whole, and
// never more bytes than there were.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "http/body_decoder.h"

namespace {

using stillwatch::http::BodyDecoder;

struct Outcome {
  std::string data;
  std::size_t consumed = 0;
  bool done = false, bad = false;
};

Outcome decode(std::string_view bytes, std::size_t piece) {
  Outcome out;
  BodyDecoder decoder(BodyDecoder::Framing::chunked);
  while (out.consumed < bytes.size() && !decoder.done() && decoder.error() == nullptr) {
    const BodyDecoder::Step step = decoder.step(bytes.substr(out.consumed, piece));
    STILLWATCH_ASSERT(step.consumed > 0 || decoder.error() != nullptr);
    out.consumed += step.consumed;
    out.data += step.data;
  }
  STILLWATCH_ASSERT(out.data.size() == decoder.body_bytes() && out.consumed <= bytes.size());
  out.done = decoder.done();
  out.bad = decoder.error() != nullptr;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const Outcome whole = decode(text, text.size()), single = decode(text, 1);
  STILLWATCH_ASSERT(whole.data == single.data && whole.consumed == single.consumed);
  STILLWATCH_ASSERT(whole.done == single.done && whole.bad == single.bad);
  return 0;
}
