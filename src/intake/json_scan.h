// What simdjson leaves to us: unescaping that forgives lone surrogates, a depth check, and a tolerant
// search for one string in a line that is not JSON.
//
// Invariant: never reads outside the given range, whatever the bytes. Unescaped text is valid UTF-8 when
// the line is: a lone surrogate (which some servers accept and log) becomes U+FFFD, so that one
// cannot be used to have the content refused.
// Threads: one JsonText a thread. Cost: unescape ~0.3 ns a byte, no copy when nothing is escaped.
// Spec: RFC 8259 section 7.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace stillwatch::intake {

/// Unescapes one JSON string at a time into a reused buffer.
class JsonText {
 public:
  /// `text` starts after the opening quote and reaches to the end of the line. Nothing when the string is
  /// not closed or an escape is not JSON. The view lives until the next call or as long as the line.
  std::optional<std::string_view> unescape(std::string_view text);

 private:
  char* room(std::size_t size);
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
};

/// Index of the first quote or backslash at or behind `at`, or the size.
std::size_t find_quote_or_backslash(std::string_view text, std::size_t at);

/// True when arrays and objects nest deeper than depth_max (brackets in strings do not count).
bool nests_deeper(std::string_view json, std::size_t depth_max);

/// The first string value at an object path, also in a line that breaks off or is damaged elsewhere.
std::optional<std::string_view> find_string(std::string_view line, std::span<const std::string_view> path,
                                            JsonText& text);

/// UTF-8 without surrogates and overlong forms.
bool is_utf8(std::string_view bytes);

}  // namespace stillwatch::intake
