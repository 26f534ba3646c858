// The anchor log's leaf and its manifest: what every shard log's state is committed to, once an interval.
//
// Invariant: a leaf has kAnchorLeafBytes bytes whatever happened in the interval, and shows nothing of it without the
// salt: m is a salted hash of the manifest, p the hash of the newest time stamp.
// Threads: pure functions. Cost: one SHA-256 over the manifest (about 500 bytes a shard).
// Spec: docs/reference/audit-log.md, "Anchor log".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/leaf.h"

namespace stillwatch::ledger {

inline constexpr std::size_t kAnchorLeafBytes = 160;
inline constexpr std::size_t kManifestLogsMax = 256;           // 64 shards, each with its old log when a month ends
inline constexpr std::size_t kManifestBytesMax = 1024U << 10;  // so many notes of 2 KiB are half of it. More: error

struct AnchorLeaf {
  std::int64_t time_s = 0;  // seconds since 1970, years 1970-9999
  Hash32 manifest{};        // m
  Hash32 stamp{};           // p; zeros: no stamp yet
  bool operator==(const AnchorLeaf&) const = default;
};

/// {"v":1,"t":"2026-11-22T00:00:10Z","m":"<43>","p":"<43>"} and spaces up to kAnchorLeafBytes.
std::string anchor_leaf_text(const AnchorLeaf& leaf);
/// Accepts exactly what anchor_leaf_text writes. Input error that says what is wrong.
base::Result<AnchorLeaf> read_anchor_leaf(std::string_view text);

/// One shard log in a manifest.
struct ManifestLog {
  std::string origin;
  std::uint64_t size = 0;
  Hash32 root{};
  std::string note;  // its published checkpoint, whole
  bool operator==(const ManifestLog&) const = default;
};

/// What a published checkpoint adds to a manifest. Input error when it is no checkpoint.
base::Result<ManifestLog> manifest_log(std::string note);
/// Lines `<origin> <size> <base64 root>\n` sorted by origin, an empty line, then the notes in the same order, each
/// after a line `note <bytes>\n`. Caller error for two logs of one origin, or too much.
base::Result<std::string> manifest_text(std::vector<ManifestLog> logs);
/// The way back, strict: exactly what manifest_text writes, and each note says what its line says. Signatures are not
/// checked here.
base::Result<std::vector<ManifestLog>> read_manifest(std::string_view text);

/// SHA-256("aud1 anchor\0" || salt || manifest).
Hash32 manifest_hash(const Hash32& salt, std::string_view manifest);

}  // namespace stillwatch::ledger
