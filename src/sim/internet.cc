#include "sim/internet.h"

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

constexpr std::uint32_t kFirstAsn = 131'100;  // invented numbers in the 32-bit range

// First /24 of usable space, stepping over the blocks of RFC 6890 (private, loopback, multicast, documentation).
std::uint32_t next_free(std::uint32_t subnet) {
  struct Block {
    std::uint32_t first, last;
  };
  static constexpr Block kReserved[] = {{0x0A0000, 0x0AFFFF}, {0x644000, 0x647FFF}, {0x7F0000, 0x7FFFFF},
                                        {0xA9FE00, 0xA9FEFF}, {0xAC1000, 0xAC1FFF}, {0xC00000, 0xC00002},
                                        {0xC05863, 0xC05863}, {0xC0A800, 0xC0A8FF}, {0xC61200, 0xC613FF},
                                        {0xC63364, 0xC63364}, {0xCB0071, 0xCB0071}};
  for (const Block& block : kReserved) {
    if (subnet >= block.first && subnet <= block.last) return block.last + 1;
  }
  return subnet;
}

bool crosses_reserved(std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t subnet = first; subnet < first + count; ++subnet) {
    if (next_free(subnet) != subnet) return true;
  }
  return false;
}

}  // namespace

const std::vector<Country>& countries() {
  static const std::vector<Country> kCountries = {
      {"US", -6, 0, 26}, {"IN", 5, 0, 12}, {"GB", 0, 0, 6}, {"DE", 1, 2, 6},   {"BR", -3, 4, 6},  {"FR", 1, 3, 5},
      {"JP", 9, 0, 4},   {"CA", -5, 0, 4}, {"ES", 1, 1, 4}, {"MX", -6, 1, 4},  {"SG", 8, 5, 3},   {"TW", 8, 5, 3},
      {"AU", 10, 0, 3},  {"NL", 1, 0, 2},  {"PL", 1, 0, 2}, {"ID", 7, 0, 3},   {"KE", 3, 7, 1.5}, {"NG", 1, 0, 2},
      {"PT", 0, 4, 1},   {"AR", -3, 1, 2}, {"KR", 9, 0, 3}, {"IS", 0, 9, 0.4}, {"SE", 1, 0, 1},   {"MY", 8, 5, 1.5}};
  return kCountries;
}

Internet::Internet(std::uint64_t seed) {
  base::Random random(seed, 0x1E7);
  std::uint32_t subnet = 0x0B0000;  // 11.0.0.0
  std::uint32_t asn = kFirstAsn;
  const auto add = [&](NetworkKind kind, std::size_t country, std::uint32_t subnets) {
    while (crosses_reserved(subnet, subnets)) ++subnet;
    by_kind_[static_cast<std::size_t>(kind)].push_back(static_cast<std::uint32_t>(networks_.size()));
    networks_.push_back({asn, static_cast<std::uint16_t>(country), subnet, subnets});
    subnet += subnets + static_cast<std::uint32_t>(random.below(64));
    asn += 1 + static_cast<std::uint32_t>(random.below(9));
  };
  for (std::size_t country = 0; country < countries().size(); ++country) {
    const auto size = static_cast<std::uint32_t>(40 + 60 * countries()[country].weight);
    for (int i = 0; i < 4; ++i) add(NetworkKind::home, country, size * (4U >> (i / 2)));
    for (int i = 0; i < 2; ++i) add(NetworkKind::mobile, country, 6 + size / 40);
    add(NetworkKind::office, country, 300);
    add(NetworkKind::hosting, country, 120);
  }
  constexpr std::size_t kCloudCountries[] = {0, 0, 0, 2, 3, 10};
  for (const std::size_t country : kCloudCountries) add(NetworkKind::cloud, country, 900);
  constexpr std::size_t kVpnCountries[] = {13, 13, 22, 0, 3, 10};
  for (const std::size_t country : kVpnCountries) add(NetworkKind::vpn, country, 30);
}

std::uint32_t Internet::some(NetworkKind kind, std::size_t country, base::Random& random) const {
  const auto& candidates = by_kind_[static_cast<std::size_t>(kind)];
  std::uint32_t chosen = candidates[random.below(candidates.size())];
  if (kind == NetworkKind::cloud || kind == NetworkKind::vpn) return chosen;
  std::uint32_t seen = 0;
  for (const std::uint32_t candidate : candidates) {
    if (networks_[candidate].country == country && random.below(++seen) == 0) chosen = candidate;
  }
  return chosen;
}

Egress Internet::home(std::size_t country, base::Random& random) const {
  const std::uint32_t network = some(NetworkKind::home, country, random);
  const auto days = static_cast<std::int64_t>(4 + random.below(20));
  return {network, 0, networks_[network].subnets, 250, 2, days * base::kDayUs, random.next()};
}

Egress Internet::mobile(std::size_t country, base::Random& random) const {
  const std::uint32_t network = some(NetworkKind::mobile, country, random);
  return {network, 0, networks_[network].subnets, 60, 10, 6 * base::kHourUs, random.next()};
}

Egress Internet::server(NetworkKind kind, base::Random& random) const {
  const std::uint32_t network = some(kind, random.below(countries().size()), random);
  return {network,
          static_cast<std::uint32_t>(random.below(networks_[network].subnets)),
          1,
          1,
          static_cast<std::uint32_t>(2 + random.below(250)),
          0,
          random.next()};
}

Egress Internet::roaming(NetworkKind kind, base::Random& random, std::int64_t rotate_us) const {
  const std::uint32_t network = some(kind, random.below(countries().size()), random);
  return {network, 0, networks_[network].subnets, 250, 2, rotate_us, random.next()};
}

std::uint32_t Internet::address_at(const Egress& egress, std::int64_t time_us) const {
  const std::uint64_t period = egress.rotate_us == 0 ? 0 : static_cast<std::uint64_t>(time_us / egress.rotate_us);
  const std::uint64_t hash = base::mix64(egress.salt ^ base::mix64(period + 1));
  const std::uint32_t subnet = networks_[egress.network].first_subnet + egress.subnet_first +
                               static_cast<std::uint32_t>((hash & 0xFFFFFFFFU) % egress.subnet_count);
  return subnet << 8 | (egress.host_first + static_cast<std::uint32_t>(hash >> 32) % egress.hosts);
}

}  // namespace stillwatch::sim
