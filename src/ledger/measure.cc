#include "ledger/measure.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/random.h"
#include "ledger/disk_file.h"
#include "ledger/log_files.h"
#include "ledger/log_reader.h"
#include "ledger/log_store.h"
#include "ledger/sequencer.h"
#include "tlog/bundle.h"
#include "tlog/checkpoint.h"

namespace stillwatch::ledger {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point started) {
  return std::chrono::duration<double>(SteadyClock::now() - started).count();
}
double cpu_seconds() {
  struct timespec now {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

constexpr const char* kOrigin = "audit.example/audit/s00/2026-11";
KeySeed fixed_seed() { return KeySeed(); }

std::vector<std::string> batch_of(std::uint64_t count, std::uint64_t bytes) {
  base::Random random(7);
  std::vector<std::string> entries(count);
  for (std::string& entry : entries) {
    entry.resize(bytes);
    for (char& byte : entry) byte = static_cast<char>('a' + random.below(26));
  }
  return entries;
}

class FolderRemoval {
 public:
  explicit FolderRemoval(std::string path) : path_(std::move(path)) {}
  FolderRemoval(const FolderRemoval&) = delete;
  FolderRemoval& operator=(const FolderRemoval&) = delete;
  ~FolderRemoval() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

 private:
  std::string path_;
};

}  // namespace

base::Result<AppendFigures> measure_append(const std::string& folder, std::uint64_t entries, std::uint64_t entry_bytes,
                                           std::uint64_t batch_entries, std::uint64_t checkpoint_batches) {
  const FolderRemoval removal(folder);
  STILLWATCH_CHECK(make_folder(folder));
  const std::vector<std::string> batch = batch_of(batch_entries, entry_bytes);
  const std::vector<std::string_view> views(batch.begin(), batch.end());
  AppendFigures figures;
  figures.entry_bytes = entry_bytes;
  figures.batch_entries = batch_entries;
  const std::uint64_t batches = (entries + batch_entries - 1) / batch_entries;
  figures.entries = batches * batch_entries;
  {
    STILLWATCH_TRY(store, LogStore::create(folder + "/log", kOrigin, fixed_seed()));
    const std::uint64_t syncs_before = store.counters().syncs;
    const auto started = SteadyClock::now();
    const double cpu_before = cpu_seconds();
    for (std::uint64_t i = 0; i < batches; ++i) {
      const auto batch_started = SteadyClock::now();
      STILLWATCH_CHECK(store.append(views));
      if ((i + 1) % checkpoint_batches == 0) STILLWATCH_CHECK(store.sign());
      figures.worst_batch_ms = std::max(figures.worst_batch_ms, seconds_since(batch_started) * 1e3);
    }
    STILLWATCH_CHECK(store.sign());
    figures.seconds = seconds_since(started);
    figures.cpu_seconds = cpu_seconds() - cpu_before;
    figures.syncs = store.counters().syncs - syncs_before;
    figures.checkpoints = store.counters().checkpoints;
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder + "/log")) bytes += file.file_size();
    figures.bytes_beside_entry = (static_cast<double>(bytes) - static_cast<double>(figures.entries * entry_bytes)) /
                                 static_cast<double>(figures.entries);
  }
  STILLWATCH_TRY(file, DiskFile::create(folder + "/limit"));
  std::string bytes;
  for (const std::string& entry : batch) (void)tlog::append_entry(bytes, entry);
  const auto started = SteadyClock::now();
  for (std::uint64_t i = 0; i < batches; ++i) {
    STILLWATCH_CHECK(file.write_at(i * bytes.size(), bytes));
    STILLWATCH_CHECK(file.sync());
    ++figures.disk_syncs;
  }
  figures.disk_seconds = seconds_since(started);
  return figures;
}

HandOverFigures measure_hand_over(const std::string& folder, std::uint64_t leaves) {
  const FolderRemoval removal(folder);
  HandOverFigures figures;
  LogChainOptions chain_options;
  chain_options.folder = folder;
  chain_options.folder_prefix = "shard-s00";
  chain_options.origin_prefix = "audit.example/audit/s00";
  auto chain = LogChain::open(chain_options, 0);
  if (!chain) return figures;
  std::vector<SteadyClock::time_point> handed_over(leaves);
  std::vector<double> waits_ms;
  waits_ms.reserve(leaves);
  SequencerOptions options;
  options.on_sequenced = [&](const std::string&, std::span<const Sequenced> done) {
    for (const Sequenced& leaf : done) waits_ms.push_back(seconds_since(handed_over[leaf.cookie - 1]) * 1e3);
  };
  Sequencer sequencer(std::move(*chain), std::move(options), [] { return std::int64_t{0}; });
  const std::string leaf = batch_of(1, 300)[0];
  double total = 0;
  for (std::uint64_t i = 0; i < leaves; ++i) {
    // A request every few microseconds, not a tight loop that only fills the queue.
    if (i % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    const auto started = handed_over[i] = SteadyClock::now();
    const bool taken = sequencer.try_append(leaf, i + 1);
    const double seconds = seconds_since(started);
    total += seconds;
    figures.worst_us = std::max(figures.worst_us, seconds * 1e6);
    if (!taken) ++figures.lost;
  }
  figures.leaves = leaves;
  figures.ns_each = total / static_cast<double>(leaves) * 1e9;
  (void)sequencer.stop();
  std::sort(waits_ms.begin(), waits_ms.end());
  if (!waits_ms.empty()) {
    figures.sequenced_p50_ms = waits_ms[waits_ms.size() / 2];
    figures.sequenced_p99_ms = waits_ms[waits_ms.size() * 99 / 100];
  }
  return figures;
}

namespace {

// A tree over `size` zero hashes, in the files that a log of that size has.
base::Status make_sparse_log(const LogFiles& files, std::uint64_t size) {
  STILLWATCH_CHECK(make_folder(files.folder));
  for (std::uint64_t segment = 0; segment * kSegmentEntries < size; ++segment) {
    STILLWATCH_TRY(hashes, DiskFile::create(files.hashes(segment)));
    const std::uint64_t count = std::min(kSegmentEntries, size - segment * kSegmentEntries);
    STILLWATCH_CHECK(hashes.truncate(count * tlog::kHashBytes));
  }
  const std::vector<tlog::Hash> zeros(tlog::kTileWidth, tlog::Hash{});
  const tlog::Hash tile = tlog::root_of(zeros);
  LogState state;
  std::string levels[tlog::kTileLevels];
  while (state.size() + tlog::kTileWidth <= size) {
    state.edge.append_subtree(tlog::kTileHeight, tile, [&levels](unsigned level, const tlog::Hash& hash) {
      if (level % tlog::kTileHeight == 0) levels[level / tlog::kTileHeight] += tlog::hash_bytes(hash);
    });
  }
  state.edge.append(std::span(zeros).first(size - state.size()));
  for (unsigned level = 1; level < tlog::kTileLevels; ++level) {
    if (!levels[level].empty()) STILLWATCH_CHECK(put_file(files.level(level), levels[level]));
  }
  const tlog::Ed25519NoteSigner signer(kOrigin, fixed_seed());
  STILLWATCH_TRY(note, tlog::sign_checkpoint({kOrigin, size, state.edge.root(), ""}, signer));
  STILLWATCH_CHECK(put_file(files.key(), signer.verifier_key().text() + "\n"));
  return put_file(files.checkpoint(), note);
}

}  // namespace

base::Result<ProofFigures> measure_proofs(const std::string& folder, std::uint64_t size, std::uint64_t proofs) {
  const FolderRemoval removal(folder);
  STILLWATCH_CHECK(make_sparse_log({folder}, size));
  STILLWATCH_TRY(reader, LogReader::open(folder));
  ProofFigures figures;
  figures.size = size;
  figures.proofs = proofs;
  base::Random random(3);
  const double cpu_before = cpu_seconds();
  for (std::uint64_t i = 0; i < proofs; ++i) {
    const auto started = SteadyClock::now();
    STILLWATCH_CHECK(reader.inclusion_proof(random.below(size)));
    const double inclusion_us = seconds_since(started) * 1e6;
    STILLWATCH_CHECK(reader.consistency_proof(1 + random.below(size)));
    const double both_us = seconds_since(started) * 1e6;
    figures.inclusion_us += inclusion_us / static_cast<double>(proofs);
    figures.consistency_us += (both_us - inclusion_us) / static_cast<double>(proofs);
    figures.worst_us = std::max({figures.worst_us, inclusion_us, both_us - inclusion_us});
  }
  figures.cpu_us = (cpu_seconds() - cpu_before) * 1e6 / static_cast<double>(2 * proofs);
  return figures;
}

}  // namespace stillwatch::ledger
