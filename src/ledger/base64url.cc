#include "base/base64_alphabet.h"
#include "ledger/leaf.h"

namespace stillwatch::ledger {
namespace {

constexpr std::string_view kAlphabet = base::kBase64Url.letters;
constexpr const auto& kValues = base::kBase64Url.values;

}  // namespace

void append_base64url(std::string& out, std::string_view bytes) {
  const std::size_t begin = out.size(), characters = (bytes.size() * 8 + 5) / 6;
  out.resize(begin + characters);
  char* to = out.data() + begin;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char byte : bytes) {
    held = held << 8 | static_cast<unsigned char>(byte);
    for (bits += 8; bits >= 6; bits -= 6) *to++ = kAlphabet[held >> (bits - 6) & 63U];
  }
  if (bits > 0) *to = kAlphabet[held << (6 - bits) & 63U];
}

std::string base64url(std::string_view bytes) {
  std::string out;
  append_base64url(out, bytes);
  return out;
}

bool read_base64url(std::string_view text, std::uint8_t* out, std::size_t size) {
  if (text.size() != (size * 8 + 5) / 6) return false;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char character : text) {
    const int value = kValues[static_cast<unsigned char>(character)];
    if (value < 0) return false;
    held = held << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      *out++ = static_cast<std::uint8_t>(held >> bits);
    }
  }
  return (held & ((1U << bits) - 1)) == 0;  // bits that stand for nothing are zero in the canonical form
}

}  // namespace stillwatch::ledger
