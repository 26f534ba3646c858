// Network and software of a client as tokens: which network bucket, which program whatever its version.
//
// Invariant: an address has one normal form (IPv4 inside IPv6 is IPv4), so two spellings of it meet.
// Threads: pure functions. Cost: under 200 ns. Spec: RFC 4291 section 2.5.5.2 for mapped addresses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stillwatch::intake {

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t size = 0;  // 4 or 16

  std::string_view whole() const { return {reinterpret_cast<const char*>(bytes.data()), size}; }
  /// IPv4: /24, the usual allocation to one customer site. IPv6: /48, the same.
  std::string_view bucket() const { return {reinterpret_cast<const char*>(bytes.data()), size == 4 ? 3U : 6U}; }
};

/// "203.0.113.7", "2001:db8::1", each also with a port ("203.0.113.7:443", "[2001:db8::1]:443").
std::optional<Address> parse_address(std::string_view text);

/// Appends the user agent with every version number replaced by "#": "openai-python/1.99.1" -> "openai-python/#".
void append_without_versions(std::string_view user_agent, std::string& out);

}  // namespace stillwatch::intake
