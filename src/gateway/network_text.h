// Texts of the configuration that name places in a network: listen addresses, URLs, CIDRs, header names.
//
// Invariant: what is accepted here can be used as it stands; nothing is looked up.
// Threads: pure functions. Cost: well below 1 µs.
// Spec: RFC 3986 (URLs, the part used), RFC 4632 and 4291 (CIDR), RFC 9110 (field names).
#pragma once

#include <string_view>

namespace stillwatch::gateway {

/// "host:port", "[v6]:port" or "unix:PATH".
bool is_listen_address(std::string_view text);
/// A valid listen address that only this machine can reach: loopback or a unix socket.
bool is_local_address(std::string_view text);
/// http:// or https:// and a host with an optional port and path, or http://unix:PATH.
bool is_url(std::string_view text);
/// "203.0.113.0/24", "2001:db8::/32", or one address. Bits beyond the length must be 0.
bool is_network(std::string_view text);
bool is_field_name(std::string_view text);

}  // namespace stillwatch::gateway
