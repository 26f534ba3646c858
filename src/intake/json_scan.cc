#include "intake/json_scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace stillwatch::intake {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101ULL, kHighs = 0x8080808080808080ULL;

constexpr std::uint64_t zero_bytes(std::uint64_t word) { return (word - kOnes) & ~word & kHighs; }

/// Index of the first quote or backslash, or the size.
std::size_t find_special(std::string_view text, std::size_t at) {
#ifdef __SSE2__  // part of every x86-64
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const __m128i hits =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(hits));
    if (mask != 0) return at + static_cast<std::size_t>(std::countr_zero(mask));
  }
#endif
  if constexpr (std::endian::native == std::endian::little) {
    for (; at + 8 <= text.size(); at += 8) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      // The lowest set bit is exact: borrows only travel upward from a true zero byte.
      const std::uint64_t hits = zero_bytes(word ^ (kOnes * '"')) | zero_bytes(word ^ (kOnes * '\\'));
      if (hits != 0) return at + static_cast<std::size_t>(std::countr_zero(hits)) / 8;
    }
  }
  while (at < text.size() && text[at] != '"' && text[at] != '\\') ++at;
  return at;
}

/// How many '{' and '[' there are, inside strings too.
std::size_t count_opening(std::string_view text) {
  std::size_t count = 0, at = 0;
#ifdef __SSE2__
  const __m128i zero = _mm_setzero_si128();
  while (text.size() - at >= 16) {
    // A byte counts to 255 at most: summed before it could wrap.
    __m128i counts = zero;
    const std::size_t stop = at + std::min<std::size_t>((text.size() - at) / 16, 255) * 16;
    for (; at < stop; at += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
      const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
      counts = _mm_sub_epi8(counts, _mm_cmpeq_epi8(folded, _mm_set1_epi8('{')));
    }
    const __m128i sums = _mm_sad_epu8(counts, zero);
    count += static_cast<std::size_t>(_mm_cvtsi128_si64(sums)) +
             static_cast<std::size_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
  }
#endif
  for (; at < text.size(); ++at) count += static_cast<std::size_t>((text[at] | 0x20) == '{');
  return count;
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

/// Four hex digits at `at`, or -1.
std::int32_t code_unit(std::string_view text, std::size_t at) {
  if (text.size() < at + 4) return -1;
  std::int32_t unit = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

char* write_utf8(std::int32_t code, char* out) {
  const auto byte = [&](std::int32_t value) { *out++ = static_cast<char>(static_cast<unsigned char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
  return out;
}

/// The escape after the backslash at `at`: writes it and returns the position behind it, 0 when it is not JSON.
std::size_t write_escape(std::string_view text, std::size_t at, char*& out) {
  if (at + 1 >= text.size()) return 0;
  const char letter = text[at + 1];
  if (letter != 'u') {
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    const std::size_t which = kFrom.find(letter);
    if (which == std::string_view::npos) return 0;
    *out++ = kTo[which];
    return at + 2;
  }
  std::int32_t code = code_unit(text, at + 2);
  if (code < 0) return 0;
  at += 6;
  if (code >= 0xD800 && code < 0xE000) {
    const bool second_follows = code < 0xDC00 && at + 1 < text.size() && text[at] == '\\' && text[at + 1] == 'u';
    const std::int32_t second = second_follows ? code_unit(text, at + 2) : -1;
    if (second >= 0xDC00 && second < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
      at += 6;
    } else {
      code = 0xFFFD;
    }
  }
  out = write_utf8(code, out);
  return at;
}

}  // namespace

std::size_t find_quote_or_backslash(std::string_view text, std::size_t at) { return find_special(text, at); }

char* JsonText::room(std::size_t size) {
  if (size > capacity_) {
    capacity_ = std::max(size, std::max<std::size_t>(4096, 2 * capacity_));
    buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
  }
  return buffer_.get();
}

std::optional<std::string_view> JsonText::unescape(std::string_view text) {
  std::size_t at = find_special(text, 0);
  if (at >= text.size()) return std::nullopt;
  if (text[at] == '"') return text.substr(0, at);
  char* const begin = room(text.size());
  std::memcpy(begin, text.data(), at);
  char* out = begin + at;
  // An escape is never shorter than what it stands for, so the output fits where the input did.
  while (text[at] == '\\') {
    at = write_escape(text, at, out);
    if (at == 0) return std::nullopt;
    const std::size_t next = find_special(text, at);
    if (next >= text.size()) return std::nullopt;
    std::memcpy(out, text.data() + at, next - at);
    out += next - at;
    at = next;
  }
  return std::string_view(begin, static_cast<std::size_t>(out - begin));
}

bool nests_deeper(std::string_view json, std::size_t depth_max) {
  // Few lines have more opening brackets than the limit at all.
  if (count_opening(json) <= depth_max) return false;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < json.size(); ++at) {
    switch (json[at]) {
      case '"':
        for (at = find_special(json, at + 1); at < json.size() && json[at] == '\\';)
          at = find_special(json, std::min(at + 2, json.size()));
        break;
      case '{':
      case '[':
        if (++depth > depth_max) return true;
        break;
      case '}':
      case ']': depth -= static_cast<std::size_t>(depth > 0); break;
      default: break;
    }
  }
  return false;
}

std::optional<std::string_view> find_string(std::string_view line, std::span<const std::string_view> path,
                                            JsonText& text) {
  std::size_t depth = 0;    // open brackets
  std::size_t matched = 0;  // path elements whose objects enclose this place, outermost first
  bool is_key_next = false;
  const auto space = [&](std::size_t at) {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r' || line[at] == '\n')) ++at;
    return at;
  };
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char letter = line[at];
    if (letter == '{' || letter == '[') {
      ++depth;
      is_key_next = letter == '{';
    } else if (letter == '}' || letter == ']') {
      if (depth > 0) --depth;
      matched = std::min(matched, depth > 0 ? depth - 1 : 0);
      is_key_next = false;
    } else if (letter == ',') {
      is_key_next = true;
    } else if (letter == '"') {
      std::size_t end = find_special(line, at + 1);
      while (end < line.size() && line[end] == '\\') end = find_special(line, std::min(end + 2, line.size()));
      if (end >= line.size()) return std::nullopt;
      const bool here = is_key_next && depth == matched + 1 && line.substr(at + 1, end - at - 1) == path[matched];
      is_key_next = false;
      at = end;
      if (!here) continue;
      const std::size_t colon = space(end + 1);
      if (colon >= line.size() || line[colon] != ':') continue;
      const std::size_t value = space(colon + 1);
      if (value >= line.size()) return std::nullopt;
      if (matched + 1 == path.size()) {
        if (line[value] == '"') return text.unescape(line.substr(value + 1));
      } else if (line[value] == '{') {
        ++matched;
      }
      at = value - 1;
    }
  }
  return std::nullopt;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = [&](std::size_t i) -> unsigned {
      return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
    };
    const unsigned first = byte(at);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xC2 ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    if (length == 0) return false;
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(at + i) & 0xC0) != 0x80) return false;
    }
    const unsigned second = byte(at + 1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
        (first == 0xF4 && second > 0x8F)) {
      return false;
    }
    at += length;
  }
  return true;
}

}  // namespace stillwatch::intake
