// Addresses as text ("host:port", "[::1]:443", "unix:PATH") and as the system wants them.
//
// Threads: plain values. Cost: parsing only; names are looked up by name_cache.h.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::http {

struct Address {
  bool unix_socket = false;
  std::string host;  // or the path of the socket
  std::uint16_t port = 0;
};

/// A caller error says what an address looks like.
base::Result<Address> parse_address(std::string_view text);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// From a numeric host or a path; false when the host is a name, or the path too long.
bool numeric_address(const Address& address, SocketAddress& out);
/// "192.0.2.1" and the port; "unix" and 0.
std::string address_text(const SocketAddress& address, std::uint16_t& port);

}  // namespace stillwatch::http
