// Any bytes as a body and as a stream to edit. Properties: as the slow model of json_model.h; twice is once; a stream's
// output does not depend on the cuts; what passes unread passes as it was.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/json_model.h"
#include "intake/stream_edit.h"

namespace {

using namespace stillwatch::intake;

void check_body(BodyEditor& editor, Endpoint endpoint, bool is_request, std::string_view body) {
  const auto edit = [&](std::string_view text, std::string& out) {
    return is_request ? editor.edit_request(endpoint, text, out) : editor.edit_response(endpoint, text, out);
  };
  std::string out, again;
  const EditOutcome outcome = edit(body, out);
  STILLWATCH_ASSERT(out.empty() || outcome == EditOutcome::edited);
  auto tree = test::NodeReader::read(body);
  if (outcome == EditOutcome::unreadable) return;
  STILLWATCH_ASSERT(tree.has_value());
  is_request ? test::restrict_request(*tree, endpoint) : test::restrict_response(*tree, endpoint);
  const auto got = test::NodeReader::read(outcome == EditOutcome::edited ? out : body);
  STILLWATCH_ASSERT(got.has_value() && got->write() == tree->write());
  if (outcome == EditOutcome::edited) STILLWATCH_ASSERT(edit(out, again) == EditOutcome::unchanged);
}

void check_stream(Endpoint endpoint, bool drops, std::string_view bytes) {
  StreamEditOptions options;
  options.drop_unreadable = drops;
  options.event_bytes_max = 400;
  StreamEditor whole(endpoint, options), cut(endpoint, options);
  std::string out, out_of_cut;
  whole.feed(bytes, out);
  whole.finish(out);
  for (std::size_t at = 0, size = 1; at < bytes.size(); at += size, size = size * 5 % 13) {
    size = std::min(size, bytes.size() - at);
    cut.feed(bytes.substr(at, size), out_of_cut);
  }
  cut.finish(out_of_cut);
  STILLWATCH_ASSERT(out == out_of_cut);
  const StreamEditCounters& counters = whole.counters();
  if (!drops && counters.events_edited == 0 && counters.events_dropped == 0) STILLWATCH_ASSERT(out == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static BodyEditor editor;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const Endpoint endpoint :
       {Endpoint::chat_completions, Endpoint::completions, Endpoint::responses, Endpoint::messages}) {
    check_body(editor, endpoint, true, text);
    check_body(editor, endpoint, false, text);
    check_stream(endpoint, (size & 1) != 0, text);
  }
  check_body(editor, Endpoint::anthropic_batches, true, text);
  return 0;
}
