// The write path beside the disk's own limit, what a request's thread pays, and proofs in a log of 100 million.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>

#include "ledger/leaf_examples.h"
#include "ledger/measure.h"

namespace stillwatch::ledger {
namespace {

// Where the benchmark runs: the disk of the working folder, not one in memory.
std::string folder() { return "ledger-bench-" + std::to_string(::getpid()); }

void fail(benchmark::State& state, const base::Error& error) { state.SkipWithError(error.message.c_str()); }

void append_durably(benchmark::State& state) {
  constexpr std::uint64_t kEntries = 1'000'000, kEntryBytes = 300;
  for (auto _ : state) {
    const auto figures = measure_append(folder(), kEntries, kEntryBytes, static_cast<std::uint64_t>(state.range(0)),
                                        static_cast<std::uint64_t>(state.range(1)));
    if (!figures) return fail(state, figures.error());
    state.SetIterationTime(figures->seconds);
    state.counters["entries/s"] = figures->entries_per_second();
    state.counters["disk_entries/s"] = figures->disk_entries_per_second();
    state.counters["cpu_ns/entry"] = figures->cpu_seconds * 1e9 / static_cast<double>(figures->entries);
    state.counters["syncs"] = static_cast<double>(figures->syncs);
    state.counters["disk_syncs"] = static_cast<double>(figures->disk_syncs);
    state.counters["checkpoints"] = static_cast<double>(figures->checkpoints);
    state.counters["worst_batch_ms"] = figures->worst_batch_ms;
    state.counters["bytes_beside"] = figures->bytes_beside_entry;
  }
}
// Batch size, and batches between checkpoints.
BENCHMARK(append_durably)
    ->Args({256, 100})
    ->Args({4'096, 1})
    ->Args({4'096, 20})
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

void hand_over(benchmark::State& state) {
  for (auto _ : state) {
    const HandOverFigures figures = measure_hand_over(folder(), 200'000);
    state.SetIterationTime(figures.ns_each * 1e-9);
    state.counters["worst_us"] = figures.worst_us;
    state.counters["sequenced_p50_ms"] = figures.sequenced_p50_ms;
    state.counters["sequenced_p99_ms"] = figures.sequenced_p99_ms;
    state.counters["lost"] = static_cast<double>(figures.lost);
  }
}
BENCHMARK(hand_over)->UseManualTime()->Iterations(1)->Unit(benchmark::kNanosecond);

void prove(benchmark::State& state) {
  for (auto _ : state) {
    const auto figures = measure_proofs(folder(), 100'000'000, 2'000);
    if (!figures) return fail(state, figures.error());
    state.SetIterationTime(figures->inclusion_us * 1e-6);
    state.counters["consistency_us"] = figures->consistency_us;
    state.counters["cpu_us"] = figures->cpu_us;
    state.counters["worst_us"] = figures->worst_us;
  }
}
BENCHMARK(prove)->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);

void write_query_leaf(benchmark::State& state) {
  const QueryLeaf leaf = test::query_example();
  std::string out;
  for (auto _ : state) {
    (void)write_leaf(leaf, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK(write_query_leaf);

void read_query_leaf(benchmark::State& state) {
  std::string bytes;
  (void)write_leaf(test::query_example(), bytes);
  for (auto _ : state) benchmark::DoNotOptimize(read_leaf(bytes));
}
BENCHMARK(read_query_leaf);

}  // namespace
}  // namespace stillwatch::ledger
