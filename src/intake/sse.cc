#include "intake/sse.h"

#include <algorithm>

namespace stillwatch::intake {
namespace {

/// Index of the next CR or LF, or the size. In windows: a stream whose lines end with CR alone must not have the rest
/// of it searched for an LF at each line.
std::size_t line_end(std::string_view bytes, std::size_t at) {
  constexpr std::size_t kWindow = 256;
  for (; at < bytes.size(); at += kWindow) {
    const std::string_view window = bytes.substr(at, kWindow);
    const std::size_t newline = std::min(window.find('\n'), window.size());
    const std::size_t found = std::min(window.substr(0, newline).find('\r'), newline);
    if (found < window.size()) return at + found;
  }
  return bytes.size();
}

}  // namespace

bool SseSplitter::step(std::string_view bytes, std::size_t& at) {
  if (end_pending_) {
    // The event ended with CR: an LF right behind it belongs to it.
    end_pending_ = false;
    if (bytes[at] == '\n') ++at;
    return true;
  }
  if (after_cr_) {
    after_cr_ = false;
    if (bytes[at] == '\n') {
      ++at;
      return false;
    }
  }
  const std::size_t end = line_end(bytes, at);
  const bool is_blank = line_is_empty_ && end == at;
  if (end == bytes.size()) {
    line_is_empty_ = is_blank;
    at = end;
    return false;
  }
  at = end + 1;
  line_is_empty_ = true;
  if (bytes[end] == '\n') return is_blank;
  (is_blank ? end_pending_ : after_cr_) = true;
  return false;
}

SseLine next_line(std::string_view& event) {
  const std::size_t end = line_end(event, 0);
  std::size_t next = end < event.size() ? end + 1 : end;
  if (end < event.size() && event[end] == '\r' && next < event.size() && event[next] == '\n') ++next;
  SseLine line{event.substr(0, next), event.substr(0, end), {}};
  event.remove_prefix(next);
  if (line.field.starts_with("\xEF\xBB\xBF")) line.field.remove_prefix(3);
  const std::size_t colon = line.field.find(':');
  if (colon != std::string_view::npos) {
    line.value = line.field.substr(colon + 1);
    line.field = line.field.substr(0, colon);
    if (line.value.starts_with(' ')) line.value.remove_prefix(1);
  }
  return line;
}

std::optional<std::string_view> data_of(std::string_view event, std::string& joined) {
  std::optional<std::string_view> data;
  bool is_joined = false;
  while (!event.empty()) {
    const SseLine line = next_line(event);
    if (line.field != "data") continue;
    if (!data) {
      data = line.value;
      continue;
    }
    if (!is_joined) joined.assign(*data);
    is_joined = true;
    joined.push_back('\n');
    joined.append(line.value);
    data = joined;
  }
  return data;
}

void append_with_data(std::string_view event, std::string_view data, std::string& out) {
  bool is_written = false;
  while (!event.empty()) {
    const SseLine line = next_line(event);
    if (line.field != "data") {
      out.append(line.bytes);
      continue;
    }
    if (is_written) continue;
    is_written = true;
    // As far as the value, as it was: "data:" with or without a space.
    const auto prefix_bytes = static_cast<std::size_t>(line.value.data() - line.bytes.data());
    const std::string_view prefix =
        line.value.data() == nullptr ? std::string_view("data: ") : line.bytes.substr(0, prefix_bytes);
    const std::size_t end_at =
        line.value.data() == nullptr ? line.bytes.find_first_of("\r\n") : prefix_bytes + line.value.size();
    const std::string_view end = end_at < line.bytes.size() ? line.bytes.substr(end_at) : std::string_view("\n");
    for (;;) {
      const std::size_t newline = data.find('\n');
      out.append(prefix).append(data.substr(0, newline));
      if (newline == std::string_view::npos) break;
      out.append(end);
      data.remove_prefix(newline + 1);
    }
    if (end_at < line.bytes.size()) out.append(end);
  }
}

}  // namespace stillwatch::intake
