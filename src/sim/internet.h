// A made-up internet: access providers, mobile carriers, clouds, hosting, offices and privacy VPNs.
//
// Numbers and addresses are invented; what matters is their shape: consumers move among many /24s, clouds
// and carriers put unrelated people behind few. Countries differ in nothing but their names and clocks.
// Invariant: address_at depends on the egress and the time only. Threads: read-only. Cost: two hashes an address.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace stillwatch::sim {

enum class NetworkKind : std::uint8_t { home, mobile, cloud, hosting, office, vpn };
inline constexpr std::size_t kNetworkKinds = 6;

struct Network {
  std::uint32_t asn = 0;
  std::uint16_t country = 0;
  std::uint32_t first_subnet = 0;  // a /24 as address >> 8
  std::uint32_t subnets = 0;
};

struct Country {
  std::string_view code;
  int utc_offset_hours;
  std::size_t language;  // index into builtin_languages()
  double weight;
};
const std::vector<Country>& countries();

/// Where an account's requests come from: some addresses of a network, changing at an interval.
struct Egress {
  std::uint32_t network = 0;       // index into Internet::networks()
  std::uint32_t subnet_first = 0;  // relative to the network
  std::uint32_t subnet_count = 1;
  std::uint32_t hosts = 1;  // addresses used in a /24
  std::uint32_t host_first = 1;
  std::int64_t rotate_us = 0;  // 0: never
  std::uint64_t salt = 0;
};

class Internet {
 public:
  explicit Internet(std::uint64_t seed);
  const std::vector<Network>& networks() const { return networks_; }
  /// Some network of a kind; of the country where the kind has one there.
  std::uint32_t some(NetworkKind kind, std::size_t country, base::Random& random) const;

  Egress home(std::size_t country, base::Random& random) const;    // a line that changes its address every week or two
  Egress mobile(std::size_t country, base::Random& random) const;  // a few shared gateways
  Egress server(NetworkKind kind, base::Random& random) const;     // one address in a cloud or a hosting firm
  Egress roaming(NetworkKind kind, base::Random& random, std::int64_t rotate_us) const;  // any address of a network
  std::uint32_t address_at(const Egress& egress, std::int64_t time_us) const;

 private:
  std::vector<Network> networks_;
  std::vector<std::uint32_t> by_kind_[kNetworkKinds];
};

}  // namespace stillwatch::sim
