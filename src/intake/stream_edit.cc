#include "intake/stream_edit.h"

#include "intake/edit_rules.h"
#include "intake/sse.h"

namespace stillwatch::intake {

struct StreamEditor::State {
  State(Endpoint of, const StreamEditOptions& given)
      : endpoint(of),
        options(given),
        splitter(given.event_bytes_max),
        walk(given.restriction, splices, event_summary) {}

  Endpoint endpoint;
  StreamEditOptions options;
  SseSplitter splitter;
  Splices splices;
  EditSummary summary, event_summary;
  ResponseWalk walk;
  StreamEditCounters counters;
  std::string joined, edited;

  void on_event(std::string_view event, std::string& out) {
    const auto data = data_of(event, joined);
    if (!data) {
      out.append(event);
      return;
    }
    ++counters.events;
    if (*data == "[DONE]" || !dialect_of_endpoint(endpoint)) {
      out.append(event);
      return;
    }
    splices.clear();
    event_summary = {};
    JsonCursor cursor(*data);
    if (!walk.walk_event(cursor, endpoint) || !cursor.at_end()) {
      ++counters.events_unreadable;
      if (!options.drop_unreadable) out.append(event);
      return;
    }
    summary |= event_summary;
    if (walk.drops_event()) {
      ++counters.events_dropped;
      return;
    }
    if (splices.empty()) {
      out.append(event);
      return;
    }
    ++counters.events_edited;
    edited.clear();
    splices.apply(*data, edited);
    append_with_data(event, edited, out);
  }

  void on_piece(std::string_view bytes, bool is_first, std::string& out) {
    if (is_first) {
      ++counters.events;
      ++counters.events_too_long;
    }
    if (!options.drop_unreadable) out.append(bytes);
  }

  /// An idle stream keeps little.
  void release() {
    constexpr std::size_t kKept = 2'048;
    if (joined.capacity() > kKept) joined = {};
    if (edited.capacity() > kKept) edited = {};
  }
};

StreamEditor::StreamEditor(Endpoint endpoint, const StreamEditOptions& options)
    : state_(std::make_unique<State>(endpoint, options)) {}
StreamEditor::~StreamEditor() = default;
StreamEditor::StreamEditor(StreamEditor&&) noexcept = default;
StreamEditor& StreamEditor::operator=(StreamEditor&&) noexcept = default;

void StreamEditor::feed(std::string_view bytes, std::string& out) {
  State& state = *state_;
  state.splitter.feed(
      bytes, [&](std::string_view event) { state.on_event(event, out); },
      [&](std::string_view piece, bool is_first) { state.on_piece(piece, is_first, out); });
  state.release();
}

void StreamEditor::finish(std::string& out) {
  State& state = *state_;
  state.splitter.finish([&](std::string_view event) { state.on_event(event, out); },
                        [&](std::string_view piece, bool is_first) { state.on_piece(piece, is_first, out); });
}

const StreamEditCounters& StreamEditor::counters() const { return state_->counters; }
const EditSummary& StreamEditor::summary() const { return state_->summary; }

}  // namespace stillwatch::intake
