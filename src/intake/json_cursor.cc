#include "intake/json_cursor.h"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace stillwatch::intake {
namespace {

static_assert(base::limits::kJsonDepthMax <= 64, "the kinds of open brackets stand in 64 bits");

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

}  // namespace

bool JsonCursor::skip_string() {
  if (at_ >= text_.size() || text_[at_] != '"') return false;
  std::size_t end = find_quote_or_backslash(text_, at_ + 1);
  while (end < text_.size() && text_[end] == '\\') {
    if (end + 2 > text_.size()) return false;
    end = find_quote_or_backslash(text_, end + 2);
  }
  if (end >= text_.size()) return false;
  at_ = end + 1;
  return true;
}

bool JsonCursor::skip_scalar() {
  for (const std::string_view word : {"true", "false", "null"}) {
    if (text_.substr(at_, word.size()) != word) continue;
    at_ += word.size();
    return true;
  }
  std::size_t at = at_;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text_.size() && is_digit(text_[at])) ++at;
    return at > begin;
  };
  if (at < text_.size() && text_[at] == '-') ++at;
  if (at < text_.size() && text_[at] == '0')
    ++at;
  else if (!digits())
    return false;
  if (at < text_.size() && text_[at] == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < text_.size() && (text_[at] == 'e' || text_[at] == 'E')) {
    ++at;
    if (at < text_.size() && (text_[at] == '+' || text_[at] == '-')) ++at;
    if (!digits()) return false;
  }
  at_ = at;
  return true;
}

bool JsonCursor::skip_key() {
  (void)peek();
  if (!skip_string() || peek() != ':') return false;
  ++at_;
  return true;
}

bool JsonCursor::skip() {
  std::uint64_t objects = 0;  // a bit for each open bracket, the innermost lowest
  std::size_t open_here = 0;
  for (;;) {
    const char letter = peek();
    bool is_value_over = true;
    if (letter == '{' || letter == '[') {
      if (depth_ + open_here >= base::limits::kJsonDepthMax) return false;
      const bool is_object = letter == '{';
      objects = objects << 1 | static_cast<std::uint64_t>(is_object);
      ++open_here;
      ++at_;
      is_value_over = peek() == (is_object ? '}' : ']');
      if (is_value_over) {
        ++at_;
        objects >>= 1;
        --open_here;
      } else if (is_object && !skip_key()) {
        return false;
      }
    } else if (letter == '"') {
      if (!skip_string()) return false;
    } else if (!skip_scalar()) {
      return false;
    }
    while (is_value_over && open_here > 0) {
      const bool is_object = (objects & 1) != 0;
      const char next = peek();
      if (next == ',') {
        ++at_;
        if (is_object && !skip_key()) return false;
        break;
      }
      if (next != (is_object ? '}' : ']')) return false;
      ++at_;
      objects >>= 1;
      --open_here;
    }
    if (open_here == 0) return true;
  }
}

std::optional<std::string_view> JsonCursor::raw_string() {
  (void)peek();
  const std::size_t begin = at_;
  if (!skip_string()) return std::nullopt;
  return text_.substr(begin + 1, at_ - begin - 2);
}

bool JsonCursor::string_or_skip(JsonText& text, std::string_view& out) {
  out = {};
  if (peek() != '"') return skip();
  const std::size_t begin = at_;
  if (!skip_string()) return false;
  const auto unescaped = text.unescape(text_.substr(begin + 1, at_ - begin - 1));
  if (!unescaped) return false;
  out = *unescaped;
  return true;
}

bool JsonCursor::number_or_skip(double& out) {
  const char first = peek();
  const std::size_t begin = at_;
  if (!skip()) return false;
  if (!is_digit(first)) return true;
  // Longer ones are no counts.
  const std::string digits(text_.substr(begin, at_ - begin));
  if (digits.size() <= 32) out = std::strtod(digits.c_str(), nullptr);
  return true;
}

std::string_view JsonCursor::look_for(std::string_view key, JsonText& text) const {
  JsonCursor ahead = *this;
  std::string_view found;
  if (ahead.peek() != '{') return {};
  const bool is_whole = ahead.each_member([&](std::string_view name, std::size_t) {
    return name == key ? ahead.string_or_skip(text, found) : ahead.skip();
  });
  return is_whole ? found : std::string_view{};
}

}  // namespace stillwatch::intake
