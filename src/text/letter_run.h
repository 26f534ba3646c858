// The innermost steps of masking: the class of an ASCII character, and the run of letters at a place.
//
// Invariant: 16 bytes at once where the machine can (SSE2, part of every x86-64), eight at a time otherwise, with
// equal results. Threads: pure functions. Cost: about 10 instructions for a word of up to 16 letters, and 50 for the
// places of the words in 64 bytes.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "text/lexicon.h"

namespace stillwatch::text {

enum Ascii : std::uint8_t {
  kSpace,
  kNewline,
  kLetter,
  kDigit,
  kDoubleQuote,
  kApostrophe,
  kBacktick,
  kMark,
  kListMark,
  kDrop,
  kHigh
};

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    std::uint8_t& cls = classes[static_cast<std::size_t>(c)];
    if (c >= 0x80)
      cls = kHigh;
    else if (c == '\n' || c == '\r')
      cls = kNewline;
    else if (c <= ' ' || c == 0x7F)
      cls = kSpace;
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
      cls = kLetter;  // '_' joins identifiers
    else if (c >= '0' && c <= '9')
      cls = kDigit;
    else
      cls = kDrop;
  }
  classes['"'] = kDoubleQuote;
  classes['\''] = kApostrophe;
  classes['`'] = kBacktick;
  for (const char c : {':', '?', '[', ']', '{', '}', '<', '>', '|', '='})
    classes[static_cast<unsigned char>(c)] = kMark;
  for (const char c : {'-', '*', '+', '#'}) classes[static_cast<unsigned char>(c)] = kListMark;
  return classes;
}
inline constexpr auto kClasses = make_classes();

// What may follow a plain word: ends it whatever comes then ('.' and ':' only mostly, see plain_word()).
inline constexpr auto kEndsWord = [] {
  std::array<bool, 256> ends{};
  for (std::size_t c = 0; c < 256; ++c) {
    const auto cls = kClasses[c];
    ends[c] = cls == kSpace || cls == kNewline || cls == kListMark || cls == kMark || (cls == kDrop && c != '@');
  }
  return ends;
}();
// What is passed over between words.
inline constexpr auto kSkipped = [] {
  std::array<bool, 256> skipped{};
  for (std::size_t c = 0; c < 256; ++c) skipped[c] = kClasses[c] == kSpace || kClasses[c] == kDrop;
  return skipped;
}();

inline bool ends_word(char c) { return kEndsWord[static_cast<unsigned char>(c)]; }
inline bool is_skipped(char c) { return kSkipped[static_cast<unsigned char>(c)]; }
inline std::uint8_t ascii_class(char c) { return kClasses[static_cast<unsigned char>(c)]; }
inline bool is_alnum(char c) { return ascii_class(c) == kLetter || ascii_class(c) == kDigit; }

/// The ASCII letters from a place on: their number, at most 16, and the folded letters, zero filled.
struct LetterRun {
  WordKey key;
  std::size_t length = 0;
};

/// Eight bytes at once: the high bit of each byte that is an ASCII letter.
constexpr std::uint64_t letters_of(std::uint64_t bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL, kHighBits = 0x80 * kOnes;
  const std::uint64_t folded = (bytes | 0x20 * kOnes) & ~kHighBits;
  return (folded + (0x80 - 'a') * kOnes) & ~(folded + (0x80 - 'z' - 1) * kOnes) & ~bytes & kHighBits;
}

/// `at` starts 16 readable bytes. For any machine.
inline LetterRun letter_run_portable(const char* at) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080ULL, kFold = 0x2020202020202020ULL;
  LetterRun run;
  std::uint64_t low = 0, high = 0;
  std::memcpy(&low, at, 8);
  std::memcpy(&high, at + 8, 8);
  const std::uint64_t low_stop = ~letters_of(low) & kHighBits, high_stop = ~letters_of(high) & kHighBits;
  run.length = low_stop != 0 ? static_cast<std::size_t>(std::countr_zero(low_stop)) / 8
                             : 8 + static_cast<std::size_t>(std::countr_zero(high_stop)) / 8;  // no stop: 8 + 64 / 8
  run.key = word_key(at, run.length);
  const std::size_t beyond = run.length < 8 ? 0 : run.length - 8;
  run.key.low |= run.length >= 8 ? kFold : kFold & ((std::uint64_t{1} << (8 * run.length)) - 1);
  run.key.high |= beyond >= 8 ? kFold : kFold & ((std::uint64_t{1} << (8 * beyond)) - 1);
  return run;
}

/// Of 64 bytes, a bit each, the first one lowest: ASCII letters, what may stand alone between two words of prose, and
/// which of that are full stops.
struct ProseMask {
  std::uint64_t letters = 0, gaps = 0, stops = 0;
};
inline constexpr std::size_t kProseBytes = 64;

/// For any machine; the definition.
inline ProseMask prose_mask_portable(const char* at) {
  ProseMask mask;
  for (std::size_t i = 0; i < kProseBytes; ++i) {
    const char c = at[i];
    const std::uint64_t bit = std::uint64_t{1} << i;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) mask.letters |= bit;
    if (c == ' ' || c == ',' || c == '.') mask.gaps |= bit;
    if (c == '.') mask.stops |= bit;
  }
  return mask;
}

/// Of a word's first and second eight bytes, those that n letters fill.
inline constexpr auto kLetterBytes = [] {
  std::array<WordKey, 17> bytes{};
  for (std::size_t n = 0; n <= 16; ++n) {
    for (std::size_t i = 0; i < n; ++i) (i < 8 ? bytes[n].low : bytes[n].high) |= std::uint64_t{0xFF} << (8 * (i % 8));
  }
  return bytes;
}();

/// The folded letters at a place, when their number is known. `at` starts 16 readable bytes.
inline WordKey folded_letters(const char* at, std::size_t length) {
  constexpr std::uint64_t kFold = 0x2020202020202020ULL;
  WordKey key;
  std::memcpy(&key.low, at, 8);
  std::memcpy(&key.high, at + 8, 8);
  key.low = (key.low | kFold) & kLetterBytes[length].low;
  key.high = (key.high | kFold) & kLetterBytes[length].high;
  return key;
}

#ifdef __SSE2__
/// Loaded at 16 - n: n bytes of ones, then zeros.
alignas(16) inline constexpr std::array<std::uint8_t, 32> kKeepBytes = [] {
  std::array<std::uint8_t, 32> bytes{};
  for (std::size_t i = 0; i < 16; ++i) bytes[i] = 0xFF;
  return bytes;
}();

inline LetterRun letter_run(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
  const __m128i place = _mm_sub_epi8(folded, _mm_set1_epi8('a'));  // in the alphabet; others are above 25, unsigned
  const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(place, _mm_set1_epi8(25)), place);
  LetterRun run;
  run.length = static_cast<std::size_t>(std::countr_one(static_cast<std::uint32_t>(_mm_movemask_epi8(is_letter))));
  const __m128i keep = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kKeepBytes.data() + 16 - run.length));
  const __m128i word = _mm_and_si128(folded, keep);
  run.key.low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(word));
  run.key.high = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(word, word)));
  return run;
}

inline ProseMask prose_mask(const char* at) {
  const auto bits = [](__m128i bytes) { return static_cast<std::uint64_t>(_mm_movemask_epi8(bytes)); };
  ProseMask mask;
  for (unsigned i = 0; i < kProseBytes; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
    const __m128i place = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i is_stop = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'));
    const __m128i is_other =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')));
    mask.letters |= bits(_mm_cmpeq_epi8(_mm_min_epu8(place, _mm_set1_epi8(25)), place)) << i;
    mask.gaps |= bits(_mm_or_si128(is_other, is_stop)) << i;
    mask.stops |= bits(is_stop) << i;
  }
  return mask;
}
#else
inline LetterRun letter_run(const char* at) { return letter_run_portable(at); }
inline ProseMask prose_mask(const char* at) { return prose_mask_portable(at); }
#endif

}  // namespace stillwatch::text
