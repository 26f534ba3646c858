// Any bytes as addresses, networks and globs. Properties: what one reads, the other does; a network holds its own
// address; a glob matches what it was made from.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "policy/access.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::policy;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const std::size_t line_end = text.find('\n');
  const std::string_view first = text.substr(0, line_end);
  const std::string_view rest = line_end == std::string_view::npos ? "" : text.substr(line_end + 1);

  const auto address = parse_address(first);
  const auto network = parse_network(first);
  if (address) {
    STILLWATCH_ASSERT(network.has_value() && network->contains(*address));
  }
  if (network) {
    STILLWATCH_ASSERT(network->contains(network->address));
    STILLWATCH_ASSERT(network->prefix_bits <= (network->address.is_v6 ? 128 : 32));
    STILLWATCH_ASSERT(parse_address(first.substr(0, first.find('/'))) == network->address);
  } else {
    STILLWATCH_ASSERT(!network.error().message.empty() && network.error().message.size() < 200);
  }

  if (check_glob(first)) {
    // Each star stands for the second line: must match.
    std::string made;
    for (const char byte : first) {
      if (byte == '*') {
        made += rest.substr(0, 64);
      } else {
        made += byte;
      }
    }
    STILLWATCH_ASSERT(glob_matches(first, made));
    STILLWATCH_ASSERT(!glob_matches(first, rest) || std::count(first.begin(), first.end(), '*') > 0 || first == rest);
  }
  return 0;
}
