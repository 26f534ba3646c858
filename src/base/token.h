// A token: the keyed 64-bit hash of something raw (crypto/keyed_hash.h makes them); 0 is "absent".
#pragma once

#include <cstdint>

namespace stillwatch::base {
using Token = std::uint64_t;
}  // namespace stillwatch::base
