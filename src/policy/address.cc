#include "policy/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace stillwatch::policy {
namespace {

constexpr std::size_t kTextBytesMax = 45;  // the longest IPv6 form, with an IPv4 tail
constexpr std::size_t kNetworkBytesMax = kTextBytesMax + 4;

std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) {
      if (text.empty() || text[0] != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < text.size() && digits < 4 && text[digits] >= '0' && text[digits] <= '9') {
      value = value * 10 + static_cast<unsigned>(text[digits++] - '0');
    }
    // A leading zero means octal to some readers: two hosts in one text.
    if (digits == 0 || digits > 3 || value > 255 || (digits > 1 && text[0] == '0')) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(value);
    text.remove_prefix(digits);
  }
  if (!text.empty()) return std::nullopt;
  return bytes;
}

std::optional<unsigned> parse_group(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || text.size() > 4 || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Groups between colons, into `out`; false when the text is none. The last may be an IPv4 address when `may_end_v4`.
bool parse_groups(std::string_view text, bool may_end_v4, std::array<std::uint8_t, 16>& out, std::size_t& size) {
  size = 0;
  if (text.empty()) return true;
  for (;;) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    const bool is_last = colon == std::string_view::npos;
    if (is_last && may_end_v4 && group.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(group);
      if (!v4 || size + 4 > 16) return false;
      std::copy(v4->begin(), v4->end(), out.begin() + static_cast<std::ptrdiff_t>(size));
      size += 4;
      return true;
    }
    const auto value = parse_group(group);
    if (!value || size + 2 > 16) return false;
    out[size++] = static_cast<std::uint8_t>(*value >> 8);
    out[size++] = static_cast<std::uint8_t>(*value & 255);
    if (is_last) return true;
    text.remove_prefix(colon + 1);
  }
}

std::optional<std::array<std::uint8_t, 16>> parse_v6(std::string_view text) {
  std::array<std::uint8_t, 16> bytes{}, tail{};
  std::size_t head_size = 0, tail_size = 0;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (!parse_groups(text, true, bytes, head_size) || head_size != 16) return std::nullopt;
    return bytes;
  }
  if (!parse_groups(text.substr(0, gap), false, bytes, head_size)) return std::nullopt;
  if (!parse_groups(text.substr(gap + 2), true, tail, tail_size)) return std::nullopt;
  if (head_size + tail_size > 14) return std::nullopt;  // "::" stands for at least one group
  std::copy_n(tail.begin(), tail_size, bytes.end() - static_cast<std::ptrdiff_t>(tail_size));
  return bytes;
}

bool is_mapped(const std::array<std::uint8_t, 16>& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
         bytes[10] == 0xFF && bytes[11] == 0xFF;
}

bool bits_equal(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& b, unsigned bits) {
  const unsigned whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  if (bits % 8 == 0) return true;
  const unsigned mask = 0xFFU << (8 - bits % 8) & 0xFFU;
  return (a[whole] & mask) == (b[whole] & mask);
}

base::Result<Network> fail_network(std::string_view text, std::string_view why) {
  return base::fail(base::Fault::caller,
                    fmt::format("\"{}\" is no network: {}", text.substr(0, kNetworkBytesMax), why));
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  if (text.size() > kTextBytesMax) return std::nullopt;
  Address address;
  if (text.find(':') == std::string_view::npos) {
    const auto v4 = parse_v4(text);
    if (!v4) return std::nullopt;
    std::copy(v4->begin(), v4->end(), address.bytes.begin());
    return address;
  }
  const auto v6 = parse_v6(text);
  if (!v6) return std::nullopt;
  if (is_mapped(*v6)) {
    std::copy(v6->begin() + 12, v6->end(), address.bytes.begin());
    return address;
  }
  address.bytes = *v6;
  address.is_v6 = true;
  return address;
}

bool Network::contains(const Address& other) const {
  return other.is_v6 == address.is_v6 && bits_equal(address.bytes, other.bytes, prefix_bits);
}

base::Result<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address_text = text.substr(0, slash);
  const auto address = parse_address(address_text);
  if (!address) return fail_network(text, "write it like 10.0.0.0/8 or 2001:db8::/32");
  Network network{*address, static_cast<std::uint8_t>(address->is_v6 ? 128 : 32)};
  if (slash == std::string_view::npos) return network;
  const bool is_mapped_text = !address->is_v6 && address_text.find(':') != std::string_view::npos;
  if (is_mapped_text) return fail_network(text, "write a mapped IPv4 network as IPv4");
  const std::string_view bits_text = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(bits_text.data(), bits_text.data() + bits_text.size(), bits);
  const bool is_number = error == std::errc() && end == bits_text.data() + bits_text.size() && bits_text.size() <= 3 &&
                         (bits_text.size() == 1 || bits_text[0] != '0');
  if (!is_number || bits > network.prefix_bits) {
    return fail_network(text, fmt::format("after the slash stands a number from 0 to {}", network.prefix_bits));
  }
  network.prefix_bits = static_cast<std::uint8_t>(bits);
  Network other = network;
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned kept = bits <= i * 8 ? 0 : std::min<unsigned>(bits - static_cast<unsigned>(i) * 8, 8);
    other.address.bytes[i] &= static_cast<std::uint8_t>(0xFFU << (8 - kept));
  }
  if (!(other == network)) return fail_network(text, "bits behind the prefix are set; give the first address of it");
  return network;
}

}  // namespace stillwatch::policy
