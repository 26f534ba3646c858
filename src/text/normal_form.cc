#include "text/normal_form.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace stillwatch::text {
namespace {

constexpr bool is_space(char c) { return static_cast<unsigned char>(c) <= ' '; }

constexpr std::array<char, 256> make_folded() {
  std::array<char, 256> folded{};
  for (int c = 0; c < 256; ++c) {
    const auto letter = static_cast<char>(static_cast<unsigned char>(c));
    folded[static_cast<std::size_t>(c)] = is_space(letter)       ? ' '
                                          : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32)
                                                                 : letter;
  }
  return folded;
}
constexpr auto kFolded = make_folded();

constexpr std::uint64_t kOnes = 0x0101010101010101ULL, kHighBits = 0x80 * kOnes;

// The high bit of each byte below `limit` (1 to 128), exactly.
constexpr std::uint64_t below(std::uint64_t bytes, std::uint64_t limit) {
  return ~((bytes & ~kHighBits) + (0x80 - limit) * kOnes) & ~bytes & kHighBits;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Sixteen bytes at once (SSE2, part of every x86-64) or eight where blanks are single spaces, as in most text;
// otherwise byte by byte. Every byte is written, and the end advances only past those that stay: no branch to
// mispredict.
std::size_t fold_spaces(std::string_view text, char* out) {
  std::size_t length = 0, at = 0;
  char before = 0;
  while (at < text.size()) {
#ifdef __SSE2__
    while (text.size() - at >= 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
      const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
      const __m128i blank = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));
      const auto blanks = static_cast<std::uint32_t>(_mm_movemask_epi8(blank));
      const std::uint32_t after_blank = blanks << 1 | (before == ' ' ? 1U : 0U);
      if ((static_cast<std::uint32_t>(_mm_movemask_epi8(control)) | (blanks & after_blank)) != 0) break;
      const __m128i place = _mm_sub_epi8(bytes, _mm_set1_epi8('A'));
      const __m128i upper = _mm_cmpeq_epi8(_mm_min_epu8(place, _mm_set1_epi8(25)), place);
      const __m128i folded = _mm_or_si128(bytes, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + length), folded);
      length += 16;
      at += 16;
      before = (blanks & 0x8000U) != 0 ? ' ' : 'x';  // only whether it is a blank matters
    }
    if (at == text.size()) break;
#endif
    if (text.size() - at >= 8) {
      std::uint64_t bytes;
      std::memcpy(&bytes, text.data() + at, 8);
      const std::uint64_t blank = below(bytes, 0x21), control = below(bytes, 0x20);
      const std::uint64_t after_blank = blank << 8 | (before == ' ' ? 0x80U : 0U);
      if ((control | (blank & after_blank)) == 0) {
        const std::uint64_t upper = below(bytes, 'Z' + 1) & ~below(bytes, 'A');
        bytes |= upper >> 2;
        std::memcpy(out + length, &bytes, 8);
        length += 8;
        at += 8;
        before = out[length - 1];
        continue;
      }
    }
    for (const std::size_t stop = std::min(at + 8, text.size()); at < stop; ++at) {
      const char folded = kFolded[static_cast<unsigned char>(text[at])];
      out[length] = folded;
      length += static_cast<std::size_t>(!((folded == ' ') & (before == ' ')));
      before = folded;
    }
  }
  return length;
}

std::size_t drop_spaces(std::string_view text, char* out) {
  std::size_t length = 0;
  for (const char c : text) {
    out[length] = c;
    length += static_cast<std::size_t>(!is_space(c));
  }
  return length;
}

}  // namespace stillwatch::text
