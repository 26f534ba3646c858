// The anchor log's leaf and its manifest: what every shard log's state is committed to, once an interval.
//
// Invariant: a leaf has kAnchorLeafBytes bytes whatever happened in the interval, and shows nothing of it without the
// salt: m is a salted hash of the manifest, p the hash of the newest time stamp.
// Threads: pure functions. Cost: one SHA-256 over the manifest (about 500 bytes a shard).
// Spec: docs/reference/audit-log.md, "Anchor log".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::ledger {

inline constexpr std::size_t kAnchorLeafBytes = 160;
inline constexpr std::size_t kManifestBytesMax = 256U
                                                 << 10;  // 64 shards with cosigned notes need < 100 KB. More: error

using AnchorHash = std::array<std::uint8_t, 32>;
using AnchorSalt = std::array<std::uint8_t, 32>;

struct AnchorLeaf {
  std::int64_t t_s = 0;  // seconds since 1970
  AnchorHash manifest{};
  AnchorHash stamp{};  // zeros: no stamp yet
};

/// {"v":1,"t":"2026-11-22T00:00:10Z","m":"<43>","p":"<43>"} and spaces up to kAnchorLeafBytes. Years 1970-9999.
std::string anchor_leaf_text(const AnchorLeaf& leaf);
/// Accepts exactly what anchor_leaf_text writes. Input error that says what is wrong.
base::Result<AnchorLeaf> parse_anchor_leaf(std::string_view text);

/// One shard log in a manifest.
struct ManifestLog {
  std::string origin;
  std::uint64_t size = 0;
  AnchorHash root{};
  std::string note;  // its whole published checkpoint
};

/// Lines `<origin> <size> <base64 root>\n` sorted by origin, an empty line, then the notes in the same order, each
/// preceded by a line `note <bytes>\n`. Caller error for two logs of one origin or too much.
base::Result<std::string> manifest_text(std::vector<ManifestLog> logs);
/// The way back; strict. That a note says what its line says is checked as well.
base::Result<std::vector<ManifestLog>> parse_manifest(std::string_view text);

/// SHA-256("aud1 anchor\0" || salt || manifest).
AnchorHash manifest_hash(const AnchorSalt& salt, std::string_view manifest);

}  // namespace stillwatch::ledger
