// Any bytes as the head of a request and of a response. Property: what is taken holds no byte that could start a line,
// has one framing, and is read the same after it was written out again.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "http/bytes.h"
#include "http/head_scan.h"
#include "http/head_text.h"

namespace {

using namespace stillwatch::http;

void check_fields(const Fields& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    STILLWATCH_ASSERT(!fields.name(i).empty() && all_of(fields.name(i), kTokenBytes));
    STILLWATCH_ASSERT(all_of(fields.value(i), kValueBytes));
  }
}

void as_request(std::string_view bytes, const HeadLimits& limits) {
  HeadEnd end;
  Refusal refusal;
  const std::size_t size = end.find(bytes, limits, refusal);
  if (size == 0) return;
  STILLWATCH_ASSERT(size <= limits.head_bytes_max && bytes.substr(size - 4, 4) == "\r\n\r\n");
  RequestHead head;
  if (HeadScan::request(bytes.substr(0, size), limits, head)) return;
  check_fields(head.fields);
  STILLWATCH_ASSERT(head.fields.size() <= limits.fields_max);
  STILLWATCH_ASSERT(!(head.chunked && head.content_length));
  STILLWATCH_ASSERT(head.fields.count("host") == 1 || head.version_minor == 0);
  std::string text;
  STILLWATCH_ASSERT(append_request_head(head, text));
  RequestHead back;
  if (head.fields.count("host") == 0) return;
  STILLWATCH_ASSERT(!HeadScan::request(text, {1U << 20, 1U << 20, 1'000}, back));
  STILLWATCH_ASSERT(back.method == head.method && back.target == head.target);
  STILLWATCH_ASSERT(back.chunked == head.chunked && back.content_length == head.content_length);
  strip_hop_by_hop(head.fields);
  STILLWATCH_ASSERT(head.fields.count("connection") == 0 && head.fields.count("transfer-encoding") == 0);
}

void as_response(std::string_view bytes, const HeadLimits& limits) {
  HeadEnd end;
  Refusal refusal;
  const std::size_t size = end.find(bytes, limits, refusal);
  ResponseHead head;
  if (size == 0 || HeadScan::response(bytes.substr(0, size), limits, head)) return;
  check_fields(head.fields);
  STILLWATCH_ASSERT(head.status >= 100 && head.status <= 999 && !(head.chunked && head.content_length));
  std::string text;
  append_response_head(head, true, 1, text);
  ResponseHead back;
  STILLWATCH_ASSERT(!HeadScan::response(text, {1U << 20, 0, 1'000}, back));
  STILLWATCH_ASSERT(back.status == head.status && back.chunked == head.chunked);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  as_request(text, {4'096, 512, 16});
  as_response(text, {4'096, 512, 16});
  return 0;
}
