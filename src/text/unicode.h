// UTF-8 decoding, classes of code points and simple case folding, as far as masking needs them.
//
// Invariant: decode() reads only inside the text; an invalid byte is a letter of length 1 (kInvalid), so
// every input makes progress and keeps its bytes. No locale, no tables of the system: the same on every machine.
// Threads: pure functions. Cost: ~2 ns a code point outside ASCII.
// Spec: RFC 3629 (UTF-8); folding follows the simple mappings of Unicode CaseFolding for Latin, Greek, Cyrillic.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stillwatch::text {

inline constexpr char32_t kInvalid = 0xFFFFFFFF;

struct Decoded {
  char32_t code = kInvalid;
  std::uint32_t length = 1;
};

/// Decodes one code point at `at` < `end`.
inline Decoded decode(const char* at, const char* end) {
  const auto byte = [&](std::ptrdiff_t i) { return static_cast<unsigned char>(at[i]); };
  const auto tail = [&](std::ptrdiff_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const std::ptrdiff_t left = end - at;
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first >= 0xC2 && first < 0xE0 && left >= 2 && tail(1)) return {(first & 0x1FU) << 6 | (byte(1) & 0x3FU), 2};
  if (first >= 0xE0 && first < 0xF0 && left >= 3 && tail(1) && tail(2)) {
    const char32_t code = (first & 0x0FU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
    if (code >= 0x800 && (code < 0xD800 || code > 0xDFFF)) return {code, 3};
  }
  if (first >= 0xF0 && first < 0xF5 && left >= 4 && tail(1) && tail(2) && tail(3)) {
    const char32_t code = (first & 0x07U) << 18 | (byte(1) & 0x3FU) << 12 | (byte(2) & 0x3FU) << 6 | (byte(3) & 0x3FU);
    if (code >= 0x10000 && code <= 0x10FFFF) return {code, 4};
  }
  return {};
}

/// What a code point outside ASCII is to masking.
enum class CodeClass : std::uint8_t {
  letter,
  sign,  // scripts without spaces: each character is half a word
  digit,
  space,
  newline,
  ignorable,  // zero width: dropped, so that hiding them in a word changes nothing
  punctuation,
};

constexpr CodeClass class_of(char32_t code) {
  if (code < 0xC0) {
    if (code == 0x85) return CodeClass::newline;
    if (code == 0xA0) return CodeClass::space;
    if (code == 0xAD) return CodeClass::ignorable;
    return code == 0xAA || code == 0xB5 || code == 0xBA ? CodeClass::letter : CodeClass::punctuation;
  }
  if (code < 0x0E00)
    return code == 0xD7 || code == 0xF7 || code == 0x60C || code == 0x61F ? CodeClass::punctuation : CodeClass::letter;
  if (code < 0x1100)
    return code < 0x0F00 || code >= 0x1000 ? CodeClass::sign : CodeClass::letter;  // Thai, Lao, Myanmar
  if (code < 0x2000) return code >= 0x1780 && code < 0x1800 ? CodeClass::sign : CodeClass::letter;  // Khmer
  if (code < 0x2070) {
    if (code <= 0x200A || code == 0x202F || code == 0x205F) return CodeClass::space;
    if (code <= 0x200F || (code >= 0x202A && code <= 0x202E) || code >= 0x2060) return CodeClass::ignorable;
    return code == 0x2028 || code == 0x2029 ? CodeClass::newline : CodeClass::punctuation;
  }
  if (code < 0x2C00) return CodeClass::punctuation;  // symbols, arrows, mathematical operators
  if (code < 0x2E80) return CodeClass::letter;
  if (code < 0x3040)
    return code == 0x3000 ? CodeClass::space : code == 0x3005 ? CodeClass::sign : CodeClass::punctuation;
  if (code < 0xA000) return CodeClass::sign;    // Kana, Bopomofo, Han
  if (code < 0xF900) return CodeClass::letter;  // Hangul has spaces
  if (code < 0xFB00) return CodeClass::sign;
  if (code >= 0xFE00 && code < 0xFE10) return CodeClass::ignorable;
  if (code == 0xFEFF) return CodeClass::ignorable;
  if (code >= 0xFE10 && code < 0xFE70) return CodeClass::punctuation;
  if (code >= 0xFF00 && code < 0xFFF0) {
    if (code >= 0xFF10 && code <= 0xFF19) return CodeClass::digit;
    if ((code >= 0xFF21 && code <= 0xFF3A) || (code >= 0xFF41 && code <= 0xFF5A)) return CodeClass::letter;
    return code >= 0xFF66 && code <= 0xFF9F ? CodeClass::sign : CodeClass::punctuation;
  }
  if (code >= 0x1F000 && code < 0x20000) return CodeClass::punctuation;  // pictographs
  if (code >= 0x20000 && code < 0x40000) return CodeClass::sign;
  if (code >= 0xE0000 && code < 0xE1000) return CodeClass::ignorable;
  return CodeClass::letter;
}

/// Simple folding to lower case; never needs more UTF-8 bytes than its input.
constexpr char32_t fold(char32_t code) {
  if (code < 0xC0) return code;
  if (code < 0x100) return code <= 0xDE && code != 0xD7 ? code + 32 : code;
  if (code < 0x180) {
    if (code == 0x130) return 'i';
    if (code == 0x178) return 0xFF;
    const bool even_is_upper = code < 0x138 || (code >= 0x14A && code < 0x178);
    if (code == 0x138 || code == 0x149 || code == 0x17F) return code;
    return (code & 1U) == (even_is_upper ? 0U : 1U) ? code + 1 : code;
  }
  if (code >= 0x391 && code <= 0x3A9) return code + 32;
  if (code >= 0x410 && code <= 0x42F) return code + 32;
  if (code >= 0x400 && code <= 0x40F) return code + 80;
  if (code >= 0x1E00 && code <= 0x1EFF && code != 0x1E9E)
    return (code & 1U) == 0 && (code < 0x1E96 || code > 0x1E9F) ? code + 1 : code;
  if (code >= 0xFF21 && code <= 0xFF3A) return code - 0xFF21 + 'a';
  if (code >= 0xFF41 && code <= 0xFF5A) return code - 0xFF41 + 'a';
  return code;
}

/// Writes UTF-8 and returns its length, 1 to 4.
inline std::uint32_t encode_utf8(char32_t code, char* out) {
  const auto put = [&](int i, char32_t value) { out[i] = static_cast<char>(static_cast<unsigned char>(value)); };
  if (code < 0x80) return put(0, code), 1;
  if (code < 0x800) return put(0, 0xC0 | code >> 6), put(1, 0x80 | (code & 0x3F)), 2;
  if (code < 0x10000)
    return put(0, 0xE0 | code >> 12), put(1, 0x80 | (code >> 6 & 0x3F)), put(2, 0x80 | (code & 0x3F)), 3;
  put(0, 0xF0 | code >> 18), put(1, 0x80 | (code >> 12 & 0x3F)), put(2, 0x80 | (code >> 6 & 0x3F)),
      put(3, 0x80 | (code & 0x3F));
  return 4;
}

}  // namespace stillwatch::text
