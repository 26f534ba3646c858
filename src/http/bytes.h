// Which bytes may stand where in a head (RFC 9110 section 5.6.2, RFC 3986), as tables.
// Threads: constants. Cost: one look-up a byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace stillwatch::http {

using ByteSet = std::array<bool, 256>;

/// tchar: names of fields, methods.
inline constexpr ByteSet kTokenBytes = [] {
  ByteSet set{};
  for (int c = '0'; c <= '9'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) set[static_cast<std::size_t>(c)] = set[static_cast<std::size_t>(c - 32)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) set[static_cast<unsigned char>(c)] = true;
  return set;
}();

/// Values of fields: visible, obs-text, space and tab.
inline constexpr ByteSet kValueBytes = [] {
  ByteSet set{};
  for (std::size_t c = 0x20; c < 256; ++c) set[c] = c != 0x7f;
  set['\t'] = true;
  return set;
}();

/// Path and query of a target. Brackets, braces and '|' are no part of RFC 3986 but usual in queries.
inline constexpr ByteSet kTargetBytes = [] {
  ByteSet set{};
  for (std::size_t c = 0x21; c < 0x7f; ++c) set[c] = true;
  for (const char c : std::string_view("\"#<>\\^`")) set[static_cast<unsigned char>(c)] = false;
  return set;
}();

/// Host and port, with the brackets of an IPv6 address. No '@': user names in a host are a trick.
inline constexpr ByteSet kHostBytes = [] {
  ByteSet set{};
  for (int c = '0'; c <= '9'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) set[static_cast<std::size_t>(c)] = set[static_cast<std::size_t>(c - 32)] = true;
  for (const char c : std::string_view("-._~%!$&'()*+,;=:[]")) set[static_cast<unsigned char>(c)] = true;
  return set;
}();

inline bool all_of(std::string_view text, const ByteSet& set) {
  bool good = true;
  for (const char c : text) good &= set[static_cast<unsigned char>(c)];
  return good;
}

/// Without spaces and tabs at both ends.
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Calls the function with every trimmed element of a comma-separated list; empty elements are skipped.
template <class F>
void for_each_element(std::string_view list, F&& f) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = trimmed(list.substr(0, comma));
    if (!element.empty()) f(element);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

}  // namespace stillwatch::http
