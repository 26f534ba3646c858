#include "base/json_text.h"

#include <charconv>
#include <cmath>

namespace stillwatch::base {
namespace {

constexpr std::size_t plain_bytes(std::string_view bytes) {
  std::size_t count = 0;
  while (count < bytes.size() && bytes[count] >= ' ' && bytes[count] <= '~' && bytes[count] != '"' &&
         bytes[count] != '\\')
    ++count;
  return count;
}

constexpr double kWholeMax = 1e15;  // below it every whole double has an exact, readable integer form

}  // namespace

std::size_t utf8_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return continues(1) ? 2 : 0;
  if (first < 0xF0) {
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (first > 0xF4 || (first == 0xF0 && at(1) < 0x90) || (first == 0xF4 && at(1) > 0x8F)) return 0;
  return continues(1) && continues(2) && continues(3) ? 4 : 0;
}

void append_json_string(std::string& out, std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (;;) {
    // Nearly all bytes stand for themselves.
    const std::size_t plain = plain_bytes(bytes);
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;
    const auto byte = static_cast<unsigned char>(bytes[0]);
    std::size_t length = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += bytes[0];
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      length = utf8_length(bytes);
      if (length == 0) {
        out += "\xEF\xBF\xBD";
        length = 1;
      } else {
        out += bytes.substr(0, length);
      }
    }
    bytes.remove_prefix(length);
  }
  out += '"';
}

void append_json_number(std::string& out, std::uint64_t number) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

void append_json_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char text[40];
  if (std::fabs(number) < kWholeMax && number == std::trunc(number)) {
    out.append(text, std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(number)).ptr);
    return;
  }
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

}  // namespace stillwatch::base
