#include "intake/client.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace stillwatch::intake {
namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
bool is_letter(char letter) { return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'); }
bool in_version(char letter) {
  return is_digit(letter) || is_letter(letter) || letter == '.' || letter == '-' || letter == '_' || letter == '+';
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    text = text.substr(1, close - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  char copy[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  Address out;
  if (::inet_pton(AF_INET, copy, out.bytes.data()) == 1) {
    out.size = 4;
    return out;
  }
  if (::inet_pton(AF_INET6, copy, out.bytes.data()) != 1) return std::nullopt;
  out.size = 16;
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(kMapped.begin(), kMapped.end(), out.bytes.begin())) {
    std::memmove(out.bytes.data(), out.bytes.data() + kMapped.size(), 4);
    std::fill(out.bytes.begin() + 4, out.bytes.end(), std::uint8_t{0});
    out.size = 4;
  }
  return out;
}

void append_without_versions(std::string_view user_agent, std::string& out) {
  for (std::size_t at = 0; at < user_agent.size();) {
    const bool word_starts =
        at == 0 || !(is_letter(user_agent[at - 1]) || is_digit(user_agent[at - 1]) || user_agent[at - 1] == '_');
    const std::size_t digit = at + static_cast<std::size_t>(user_agent[at] == 'v' || user_agent[at] == 'V');
    if (word_starts && digit < user_agent.size() && is_digit(user_agent[digit])) {
      out.push_back('#');
      while (at < user_agent.size() && in_version(user_agent[at])) ++at;
    } else {
      out.push_back(user_agent[at++]);
    }
  }
}

}  // namespace stillwatch::intake
