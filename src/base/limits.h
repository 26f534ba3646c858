// Every bound in one place, with its reason. All bytes are the attacker's: each limit has a stated
// behaviour when it is met (reject, cut, evict, drop) and a counter where that is counted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stillwatch::base::limits {

// Intake.
inline constexpr std::size_t kLineBytesMax = 8U << 20;  // formats.md: 8 MiB (setting). Longer: reject the line
inline constexpr std::size_t kIdBytesMax = 128;         // formats.md. Longer: reject
inline constexpr std::size_t kJsonDepthMax = 64;        // bodies nest < 20 deep in practice. Deeper: reject
inline constexpr std::size_t kMessagesMax = 20'000;     // turns read of one conversation. Further: ignored, counted
inline constexpr std::int64_t kLatenessMinutes = 30;    // formats.md (setting). Later: reject
inline constexpr std::uint64_t kDecompressRatioMax =
    1'000;  // real logs shrink 5-30 times; a bomb shrinks 10,000 times. Beyond: error
inline constexpr std::size_t kDecompressWindowLogMax = 27;  // 128 MiB, zstd's own default for untrusted frames
inline constexpr std::size_t kAccountsMax = 16'000'000;     // names held, ~60 B each. Further: no name, counted
inline constexpr std::size_t kDeclaredUsesMax = 16;         // per account. Further: reject the line

// Fingerprint.
inline constexpr std::size_t kFingerprintHeadBytes =
    2'048;  // skeleton and shingles read head, tail, and a sample between
inline constexpr std::size_t kFingerprintTailBytes = 2'048;
inline constexpr std::size_t kFingerprintMiddleBytes =
    32'768;  // of the middle are scanned for samples (half after the head, half
             // before the tail): beyond one hash 400 KB cost what 40 KB do
inline constexpr std::size_t kFingerprintSamplesMax = 64;  // 32 KiB at one anchor in 512 bytes. Further: not sampled
inline constexpr std::size_t kTurnBytesMax = 8U << 20;     // as a whole line. Text of a turn beyond it is not read

// Outputs.
inline constexpr std::uint64_t kRejectsListedMax =
    100'000;  // lines written to rejects.ndjson; further are counted only

}  // namespace stillwatch::base::limits
