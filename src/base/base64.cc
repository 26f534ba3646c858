#include "base/base64.h"

#include "base/base64_alphabet.h"

namespace stillwatch::base {
namespace {

constexpr std::string_view kAlphabet = kBase64.letters;
constexpr const auto& kValues = kBase64.values;

}  // namespace

std::string base64_encode(std::span<const std::uint8_t> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  char* out = text.data();
  const std::size_t whole = bytes.size() / 3 * 3;
  for (std::size_t i = 0; i < whole; i += 3, out += 4) {
    const std::uint32_t group = std::uint32_t{bytes[i]} << 16 | std::uint32_t{bytes[i + 1]} << 8 | bytes[i + 2];
    for (unsigned k = 0; k < 4; ++k) out[k] = kAlphabet[group >> (18 - 6 * k) & 63U];
  }
  const std::size_t rest = bytes.size() - whole;
  if (rest > 0) {
    const std::uint32_t group = std::uint32_t{bytes[whole]} << 16 | (rest == 2 ? bytes[whole + 1] << 8 : 0U);
    for (unsigned k = 0; k <= rest; ++k) out[k] = kAlphabet[group >> (18 - 6 * k) & 63U];
  }
  return text;
}

std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::vector<std::uint8_t> bytes(text.size() / 4 * 3);
  // A value below zero leaves the sign in `all`; looked at once, since nearly all texts are good.
  std::int32_t all = 0;
  const auto value_at = [&](std::size_t at) {
    const std::int32_t value = kValues[static_cast<unsigned char>(text[at])];
    all |= value;
    return static_cast<std::uint32_t>(value);
  };
  const std::size_t whole = padding == 0 ? text.size() : text.size() - 4;
  std::uint8_t* out = bytes.data();
  for (std::size_t i = 0; i < whole; i += 4, out += 3) {
    const std::uint32_t group = value_at(i) << 18 | value_at(i + 1) << 12 | value_at(i + 2) << 6 | value_at(i + 3);
    out[0] = static_cast<std::uint8_t>(group >> 16);
    out[1] = static_cast<std::uint8_t>(group >> 8);
    out[2] = static_cast<std::uint8_t>(group);
  }
  if (padding > 0) {
    const std::uint32_t third = padding == 1 ? value_at(whole + 2) : 0;
    const std::uint32_t group = value_at(whole) << 18 | value_at(whole + 1) << 12 | third << 6;
    // Bits that no byte takes must be zero, or a value had several texts.
    if ((group & (padding == 2 ? 0xFFFFU : 0xFFU)) != 0) return std::nullopt;
    out[0] = static_cast<std::uint8_t>(group >> 16);
    if (padding == 1) out[1] = static_cast<std::uint8_t>(group >> 8);
    bytes.resize(bytes.size() - padding);
  }
  if (all < 0) return std::nullopt;
  return bytes;
}

}  // namespace stillwatch::base
