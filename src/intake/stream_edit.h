// The edits of the remedy `restrict` on a stream of server-sent events: bytes in, bytes out, event by event.
//
// Invariant: the output is the same however the input is cut; an event without anything to remove comes out with the
// bytes it came in with; events go out as soon as they are complete. Memory: one event, up to the limit.
// An event whose content was all removed is dropped; Anthropic's content blocks are numbered anew without gaps.
// Threads: one a stream. Cost: one scan. Spec: WHATWG server-sent events; docs/reference/restrictions.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "intake/body_edit.h"

namespace stillwatch::intake {

struct StreamEditOptions {
  Restriction restriction;
  /// Events that cannot be read, or are longer than the limit: left out, or passed as they are. Counted either way.
  bool drop_unreadable = true;
  std::size_t event_bytes_max = 4U << 20;  // the final event of `responses` holds the whole answer
};

struct StreamEditCounters {
  std::uint64_t events = 0, events_edited = 0, events_dropped = 0;
  std::uint64_t events_unreadable = 0, events_too_long = 0;
};

class StreamEditor {
 public:
  StreamEditor(Endpoint endpoint, const StreamEditOptions& options);
  ~StreamEditor();
  StreamEditor(StreamEditor&&) noexcept;
  StreamEditor& operator=(StreamEditor&&) noexcept;

  /// Appends to `out` what may go to the client.
  void feed(std::string_view bytes, std::string& out);
  /// After the last byte: an event that has no end is treated as if it had one.
  void finish(std::string& out);

  const StreamEditCounters& counters() const;
  const EditSummary& summary() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
