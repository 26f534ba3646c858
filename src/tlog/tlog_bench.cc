// Hashing, appending, proving from tiles and verifying whole logs. Each beside its limit: SHA-256 of as many bytes.
#include <benchmark/benchmark.h>

#include "tlog/log_fixture.h"

namespace stillwatch::tlog {
namespace {

constexpr std::size_t kEntryBytes = 300;

std::vector<std::string> long_entries(std::size_t count) {
  auto entries = test::entries_of(count);
  for (std::string& entry : entries) entry.resize(kEntryBytes, 'x');
  return entries;
}

void node(benchmark::State& state) {
  Hash left = leaf_hash("l"), right = leaf_hash("r");
  for (auto _ : state) left = node_hash(left, right);
  benchmark::DoNotOptimize(left);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(node);

void sha256_of_65_bytes(benchmark::State& state) {
  std::string bytes(65, 'x');
  for (auto _ : state) bytes[0] = static_cast<char>(crypto::sha256(bytes)[0]);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sha256_of_65_bytes);

void leaf(benchmark::State& state) {
  const std::string entry(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(leaf_hash(entry));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(leaf)->Arg(160)->Arg(300)->Arg(1'000)->Arg(4'096);

// An entry of 300 bytes into a bundle, its hash, and the tree's right edge.
void append(benchmark::State& state) {
  const auto entries = long_entries(4'096);
  RightEdge edge;
  std::string bundle;
  for (auto _ : state) {
    bundle.clear();
    for (const std::string& entry : entries) {
      benchmark::DoNotOptimize(append_entry(bundle, entry));
      edge.append(leaf_hash(entry));
    }
    benchmark::DoNotOptimize(edge.root());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(entries.size()));
}
BENCHMARK(append);

void root_of_a_tile(benchmark::State& state) {
  const auto leaves = test::leaves_of(kTileWidth);
  for (auto _ : state) benchmark::DoNotOptimize(root_of(leaves));
}
BENCHMARK(root_of_a_tile);

// A log of `range` entries of 300 bytes from memory: reading files is not in it.
void verify_whole_log(benchmark::State& state) {
  test::MemoryLog log("log.example/bench", long_entries(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) {
    const auto report = verify_log(log, log.key(), {});
    if (!report || !report->holds()) state.SkipWithError("the log does not hold");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(verify_whole_log)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Tiles of a log of equal leaves, of any size: each level has one hash.
class EqualTiles final : public TileSource {
 public:
  EqualTiles() : hashes_{leaf_hash("x")} {
    while (hashes_.size() < 64) hashes_.push_back(node_hash(hashes_.back(), hashes_.back()));
  }
  base::Status read_tile(const TileId& tile, std::string& out) override {
    out.clear();
    for (unsigned i = 0; i < tile.width; ++i) out += hash_bytes(hashes_[kTileHeight * tile.level]);
    return {};
  }

 private:
  std::vector<Hash> hashes_;
};

void inclusion_from_tiles(benchmark::State& state) {
  const auto size = static_cast<std::uint64_t>(state.range(0));
  EqualTiles tiles;
  std::uint64_t index = 0;
  for (auto _ : state) {
    TileHashSource source(tiles, size);
    index = (index + 7'919'777) % size;
    benchmark::DoNotOptimize(inclusion_proof(source, index, size));
  }
}
BENCHMARK(inclusion_from_tiles)->Arg(1'000'000)->Arg(100'000'003)->Unit(benchmark::kMicrosecond);

void consistency_from_tiles(benchmark::State& state) {
  const auto size = static_cast<std::uint64_t>(state.range(0));
  EqualTiles tiles;
  std::uint64_t old_size = 1;
  for (auto _ : state) {
    TileHashSource source(tiles, size);
    old_size = (old_size + 7'919'777) % size + 1;
    benchmark::DoNotOptimize(consistency_proof(source, old_size, size));
  }
}
BENCHMARK(consistency_from_tiles)->Arg(100'000'003)->Unit(benchmark::kMicrosecond);

void verify_proof(benchmark::State& state) {
  constexpr std::uint64_t kSize = 100'000'003, kIndex = 12'345'678;
  EqualTiles tiles;
  TileHashSource source(tiles, kSize);
  const Hash root = *tree_root(source, kSize);
  const Proof proof = *inclusion_proof(source, kIndex, kSize);
  for (auto _ : state) {
    if (!verify_inclusion(kIndex, kSize, leaf_hash("x"), proof, root)) state.SkipWithError("the proof does not hold");
  }
}
BENCHMARK(verify_proof)->Unit(benchmark::kMicrosecond);

void sign_a_checkpoint(benchmark::State& state) {
  const Ed25519NoteSigner signer("log.example/bench", test::seed_of(1));
  std::uint64_t size = 1;
  for (auto _ : state)
    benchmark::DoNotOptimize(sign_checkpoint({"log.example/bench", ++size, leaf_hash("x"), ""}, signer));
}
BENCHMARK(sign_a_checkpoint)->Unit(benchmark::kMicrosecond);

void open_a_checkpoint(benchmark::State& state) {
  const Ed25519NoteSigner signer("log.example/bench", test::seed_of(1));
  const std::string note = *sign_checkpoint({"log.example/bench", 7, leaf_hash("x"), ""}, signer);
  for (auto _ : state) {
    if (!open_checkpoint(note, signer.verifier_key())) state.SkipWithError("the checkpoint does not open");
  }
}
BENCHMARK(open_a_checkpoint)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace stillwatch::tlog
