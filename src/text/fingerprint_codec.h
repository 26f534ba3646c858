// The `fingerprint` field of a query record: {"v":3,"b":"<base64>"}; b is this byte form, little endian,
// fixed length. Written when content is not logged, and enough to replay. Its first byte is the version, and says it
// whatever the record's `v` claims. Version 2
// ends with the language class; version 1 had none and reads as unknown. Version 3 adds the passages of prompt and
// reply; it is written where there are any, version 2 where not.
//
// Invariant: decode(encode(f)) == f; any other length or version is an error, never a guess.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "event/query.h"

namespace stillwatch::text {

inline constexpr int kFingerprintVersion = 3;      // the newest that is written and read
inline constexpr int kFingerprintVersionRead = 1;  // the oldest that is read

std::vector<std::uint8_t> encode(const event::Fingerprint& fingerprint);
base::Result<event::Fingerprint> decode(std::span<const std::uint8_t> bytes);

}  // namespace stillwatch::text
