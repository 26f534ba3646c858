#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace stillwatch::http {

base::Result<Address> parse_address(std::string_view text) {
  const auto refuse = [&] {
    return base::fail(base::Fault::caller,
                      fmt::format("{} is no address; write host:port, [ipv6]:port or unix:PATH", text));
  };
  Address out;
  if (text.substr(0, 5) == "unix:") {
    out.unix_socket = true;
    out.host = text.substr(5);
    if (out.host.empty() || out.host.size() >= sizeof(sockaddr_un{}.sun_path)) return refuse();
    return out;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return refuse();
  const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (host.empty() || port.empty() || code != std::errc() || end != port.data() + port.size()) return refuse();
  out.host = host;
  return out;
}

bool numeric_address(const Address& address, SocketAddress& out) {
  out = {};
  if (address.unix_socket) {
    auto* path = reinterpret_cast<sockaddr_un*>(&out.storage);
    if (address.host.size() >= sizeof path->sun_path) return false;
    path->sun_family = AF_UNIX;
    std::memcpy(path->sun_path, address.host.c_str(), address.host.size() + 1);
    out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.host.size() + 1);
    return true;
  }
  auto* four = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(address.port);
    out.size = sizeof *four;
    return true;
  }
  auto* six = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET6, address.host.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(address.port);
    out.size = sizeof *six;
    return true;
  }
  return false;
}

std::string address_text(const SocketAddress& address, std::uint16_t& port) {
  char text[INET6_ADDRSTRLEN] = "";
  port = 0;
  if (address.storage.ss_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
    port = ntohs(four->sin_port);
    return text;
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    ::inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
    port = ntohs(six->sin6_port);
    return text;
  }
  return "unix";
}

}  // namespace stillwatch::http
