// The alphabets of RFC 4648 and their inverses, for what encodes and decodes with them.
// Invariant: values[c] is the place of c in `letters`, or -1. Threads: constants. Cost: made by the compiler.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace stillwatch::base {

struct Base64Alphabet {
  std::string_view letters;
  std::array<std::int8_t, 256> values{};

  constexpr explicit Base64Alphabet(std::string_view of) : letters(of) {
    values.fill(-1);
    for (std::size_t i = 0; i < of.size(); ++i) values[static_cast<unsigned char>(of[i])] = static_cast<std::int8_t>(i);
  }
};

inline constexpr Base64Alphabet kBase64(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");  // section 4
inline constexpr Base64Alphabet kBase64Url("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");  // 5

}  // namespace stillwatch::base
