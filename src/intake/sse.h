// Server-sent events cut out of a stream of bytes: whole events as they came, with their blank line.
//
// Internal to this module. Invariant: the events are the same however the bytes are cut; all bytes of the stream come
// out, in order, each once. An event beyond the limit comes out in pieces and is not held.
// Threads: one a stream. Cost: two memchr passes; an event that came in one piece is not copied.
// Spec: WHATWG HTML, "Server-sent events" (lines end with LF, CRLF or CR).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace stillwatch::intake {

class SseSplitter {
 public:
  explicit SseSplitter(std::size_t event_bytes_max) : event_bytes_max_(event_bytes_max) {}

  /// on_event(bytes of a whole event); on_piece(bytes, whether it is the first of an event that is too long).
  template <class OnEvent, class OnPiece>
  void feed(std::string_view bytes, OnEvent on_event, OnPiece on_piece) {
    std::size_t begin = 0, at = 0;
    while (at < bytes.size()) {
      if (!step(bytes, at)) continue;
      end_event(bytes.substr(begin, at - begin), on_event, on_piece);
      begin = at;
    }
    keep(bytes.substr(begin), on_piece);
  }
  /// What is left at the end of the stream, as an event.
  template <class OnEvent, class OnPiece>
  void finish(OnEvent on_event, OnPiece on_piece) {
    if (!buffer_.empty() || is_too_long_) end_event({}, on_event, on_piece);
  }

 private:
  /// Moves `at` behind the next line, or the end; true when an event ends there.
  bool step(std::string_view bytes, std::size_t& at);

  template <class OnPiece>
  void keep(std::string_view rest, OnPiece on_piece) {
    if (rest.empty()) return;
    if (!is_too_long_ && buffer_.size() + rest.size() <= event_bytes_max_) {
      buffer_.append(rest);
      return;
    }
    spill(rest, on_piece);
  }
  template <class OnPiece>
  void spill(std::string_view rest, OnPiece on_piece) {
    bool is_first = !is_too_long_;
    is_too_long_ = true;
    if (!buffer_.empty()) {
      on_piece(std::string_view(buffer_), is_first);
      is_first = false;
      release();
    }
    if (!rest.empty()) on_piece(rest, is_first);
  }
  template <class OnEvent, class OnPiece>
  void end_event(std::string_view rest, OnEvent on_event, OnPiece on_piece) {
    if (is_too_long_ || buffer_.size() + rest.size() > event_bytes_max_) {
      spill(rest, on_piece);
      is_too_long_ = false;
    } else if (buffer_.empty()) {
      on_event(rest);
    } else {
      buffer_.append(rest);
      on_event(std::string_view(buffer_));
      release();
    }
  }
  /// An idle stream keeps little.
  void release() {
    buffer_.clear();
    if (buffer_.capacity() > kBufferKept) buffer_ = {};
  }

  static constexpr std::size_t kBufferKept = 2'048;
  std::size_t event_bytes_max_;
  std::string buffer_;
  bool line_is_empty_ = true, after_cr_ = false, end_pending_ = false, is_too_long_ = false;
};

/// One line of an event: its field and value, and its bytes with the line's end.
struct SseLine {
  std::string_view bytes, field, value;
};
/// Cuts the next line from `event`. A byte order mark before the field is left out of it.
SseLine next_line(std::string_view& event);

/// The event's data: a view into it, or the lines joined in `joined`. Nothing when it has none.
std::optional<std::string_view> data_of(std::string_view event, std::string& joined);
/// The event with its data replaced, appended to `out`; other lines stay as they are.
void append_with_data(std::string_view event, std::string_view data, std::string& out);

}  // namespace stillwatch::intake
