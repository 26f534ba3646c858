// Whether a body is one JSON object and nothing else: what stood behind it would reach the fields of the record around
// it.
//
// Invariant: said of JSON whose strings are closed and whose escapes are whole, as a reader has found it. Threads:
// pure. Cost: one pass, strings by memchr. RFC 8259.
#pragma once

#include <cstddef>
#include <string_view>

namespace stillwatch::gateway {

/// Whether the text is one object and nothing behind it; of JSON that was read, so strings are closed and escapes
/// whole. What stands behind the object would reach the record's own fields.
inline bool is_one_object(std::string_view json) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char letter = json[at];
    if (letter == '"') {
      // To the quote that ends the string: one behind an even number of backslashes.
      for (std::size_t escapes = 1; escapes % 2 == 1;) {
        at = json.find('"', at + 1);
        if (at == std::string_view::npos) return false;
        for (escapes = 0; json[at - 1 - escapes] == '\\';) ++escapes;
      }
    } else if (letter == '{' || letter == '[') {
      ++depth;
    } else if (letter == '}' || letter == ']') {
      if (depth == 0) return false;
      if (--depth == 0) return json.substr(at + 1).find_first_not_of(" \t\r\n") == std::string_view::npos;
    }
  }
  return false;
}

}  // namespace stillwatch::gateway
