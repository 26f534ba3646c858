// Network addresses and networks: parsed strictly, compared exactly.
//
// Invariants: one address has one value: an IPv4 address mapped into IPv6 is the IPv4 address. Leading zeros, zone
// names and host bits below a prefix are refused, never guessed. Threads: pure functions. Cost: about 50 ns to parse,
// 2 ns to compare, no allocation. Spec: RFC 4291 section 2.2, RFC 4632.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace stillwatch::policy {

struct Address {
  std::array<std::uint8_t, 16> bytes{};  // IPv4: the first four
  bool is_v6 = false;

  bool operator==(const Address&) const = default;
};

/// Nothing for anything but one whole address.
std::optional<Address> parse_address(std::string_view text);

struct Network {
  Address address;
  std::uint8_t prefix_bits = 0;

  bool contains(const Address& address) const;
  bool operator==(const Network&) const = default;
};

/// "10.0.0.0/8", "2001:db8::/32"; a bare address is a network of one. The error says what is wrong with the text.
base::Result<Network> parse_network(std::string_view text);

}  // namespace stillwatch::policy
