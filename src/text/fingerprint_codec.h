// The `fingerprint` field of a query record: {"v":3,"b":"<base64>"}; b is this byte form, little endian,
// fixed length. Written when content is not logged, and enough to replay. Its first byte is the version, and says it
// whatever the record's `v` claims. Version 3 ends with passages
// of the prompt and of the reply; version 2 ended with the language class; version 1 had none and reads as unknown.
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

inline constexpr int kFingerprintVersion = 3;      // what is written
inline constexpr int kFingerprintVersionRead = 1;  // the oldest that is read

std::vector<std::uint8_t> encode(const event::Fingerprint& fingerprint);
base::Result<event::Fingerprint> decode(std::span<const std::uint8_t> bytes);

}  // namespace stillwatch::text
