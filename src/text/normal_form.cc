#include "text/normal_form.h"

#include <array>

namespace stillwatch::text {
namespace {

constexpr bool is_space(char c) { return static_cast<unsigned char>(c) <= ' '; }

constexpr std::array<char, 256> make_folded() {
  std::array<char, 256> folded{};
  for (int c = 0; c < 256; ++c) {
    const auto letter = static_cast<char>(static_cast<unsigned char>(c));
    folded[static_cast<std::size_t>(c)] = is_space(letter) ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : letter;
  }
  return folded;
}
constexpr auto kFolded = make_folded();

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Both loops write every byte and advance only past those that stay: no branch to mispredict.
std::size_t fold_spaces(std::string_view text, char* out) {
  std::size_t length = 0;
  char before = 0;
  for (const char c : text) {
    const char folded = kFolded[static_cast<unsigned char>(c)];
    out[length] = folded;
    length += static_cast<std::size_t>(!((folded == ' ') & (before == ' ')));
    before = folded;
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
