#include "gateway/network_text.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace stillwatch::gateway {
namespace {

constexpr std::size_t kUnixPathBytesMax = 107;  // sockaddr_un
constexpr std::size_t kHostBytesMax = 253;      // RFC 1035

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  unsigned bits = 0;
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  Address address;
  if (text.size() > 45 || terminated.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
    address.bits = 32;
  } else if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
    address.bits = 128;
  } else {
    return std::nullopt;
  }
  return address;
}

std::optional<unsigned> parse_whole(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value > max) return std::nullopt;
  return value;
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > kHostBytesMax) return false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '-' && c != '.' && c != '_') return false;
  }
  return true;
}

bool is_unix_path(std::string_view path) {
  return !path.empty() && path.size() <= kUnixPathBytesMax && path.find('\0') == std::string_view::npos;
}

struct HostPort {
  std::string_view host;
  bool v6 = false, has_port = false;
};

// "host", "host:port", "[v6]" or "[v6]:port".
std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort out;
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = text.substr(1, end - 1);
    const auto address = parse_address(out.host);
    if (!address || address->bits != 128) return std::nullopt;
    out.v6 = true;
    rest = text.substr(end + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    out.host = text.substr(0, colon);
    if (!is_host(out.host)) return std::nullopt;
    rest = text.substr(colon);
  }
  if (rest.empty()) return out;
  if (rest.front() != ':' || !parse_whole(rest.substr(1), 65'535)) return std::nullopt;
  out.has_port = true;
  return out;
}

}  // namespace

bool is_listen_address(std::string_view text) {
  if (text.starts_with("unix:")) return is_unix_path(text.substr(5));
  const auto parsed = parse_host_port(text);
  return parsed && parsed->has_port;
}

bool is_local_address(std::string_view text) {
  if (!is_listen_address(text)) return false;
  if (text.starts_with("unix:")) return true;
  const auto parsed = parse_host_port(text);
  if (parsed->host == "localhost" || parsed->host == "::1") return true;
  const auto address = parse_address(parsed->host);
  return address && address->bits == 32 && address->bytes[0] == 127;
}

bool is_url(std::string_view text) {
  if (text.starts_with("http://unix:")) return is_unix_path(text.substr(12));
  const std::size_t begin = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
  if (begin == 0) return false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F || c == '#') return false;
  }
  text.remove_prefix(begin);
  const std::size_t path = std::min(text.find_first_of("/?"), text.size());
  return parse_host_port(text.substr(0, path)).has_value();  // an @ is no part of a host: no user names in URLs
}

bool is_network(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return false;
  if (slash == text.size()) return true;
  const auto length = parse_whole(text.substr(slash + 1), address->bits);
  if (!length) return false;
  for (unsigned bit = *length; bit < address->bits; ++bit) {
    if ((address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

bool is_field_name(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && kOthers.find(c) == std::string_view::npos) return false;
  }
  return true;
}

}  // namespace stillwatch::gateway
