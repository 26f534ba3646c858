// A whole log in memory for tests and benchmarks: its files by path, signed.
//
// Invariant: files are written from the leaves by root_of, not by the code that reads them.
// Threads: for tests, one. Cost: linear in the entries.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tlog/bundle.h"
#include "tlog/checkpoint.h"
#include "tlog/tree_fixture.h"
#include "tlog/verifier.h"

namespace stillwatch::tlog::test {

inline crypto::Ed25519Seed seed_of(std::uint8_t number) {
  crypto::Ed25519Seed seed;
  seed.writable()[0] = number;
  return seed;
}

inline std::vector<std::string> entries_of(std::size_t count) {
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < count; ++i) entries.push_back("entry-" + std::to_string(i));
  return entries;
}

class MemoryLog final : public LogSource {
 public:
  MemoryLog(std::string origin, const std::vector<std::string>& entries)
      : signer_(std::move(origin), seed_of(1)), entries_(entries) {
    for (const std::string& entry : entries) leaves_.push_back(leaf_hash(entry));
    visit_new_tiles(0, leaves_.size(), [&](const TileId& tile) { files[tile_path(tile)] = bytes_of(tile); });
    files["checkpoint"] = checkpoint_of(leaves_.size());
  }

  const VerifierKey& key() const { return signer_.verifier_key(); }
  const std::vector<Hash>& leaves() const { return leaves_; }
  /// The note that the log signed when it had `size` entries.
  std::string checkpoint_of(std::size_t size) const {
    const Hash root = root_of(std::span<const Hash>(leaves_).first(size));
    return *sign_checkpoint({signer_.verifier_key().name, size, root, ""}, signer_);
  }
  std::string bytes_of(const TileId& tile) const {
    std::string bytes;
    for (std::uint64_t i = 0; i < tile.width; ++i) {
      const std::uint64_t at = tile.index * kTileWidth + i;
      if (tile.kind == TileId::Kind::entries) {
        STILLWATCH_ASSERT(append_entry(bytes, entries_[at]));
      } else {
        const std::uint64_t under = std::uint64_t{1} << kTileHeight * tile.level;
        bytes += hash_bytes(root_of(std::span<const Hash>(leaves_).subspan(at * under, under)));
      }
    }
    return bytes;
  }

  base::Result<std::string> read_checkpoint() override {
    std::string bytes;
    STILLWATCH_CHECK(read("checkpoint", bytes));
    return bytes;
  }
  base::Status read_tile(const TileId& tile, std::string& out) override { return read_either(tile, out); }
  base::Status read_bundle(const TileId& tile, std::string& out) override { return read_either(tile, out); }

  std::map<std::string, std::string> files;

 private:
  base::Status read_either(const TileId& tile, std::string& out) {
    return files.contains(tile_path(tile)) ? read(tile_path(tile), out) : read(tile_path(tile.full()), out);
  }
  base::Status read(const std::string& path, std::string& out) {
    const auto file = files.find(path);
    if (file == files.end()) return base::fail(base::Fault::environment, "no file " + path);
    out = file->second;
    return {};
  }

  Ed25519NoteSigner signer_;
  std::vector<std::string> entries_;
  std::vector<Hash> leaves_;
};

}  // namespace stillwatch::tlog::test
