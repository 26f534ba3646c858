// What the hot path pays: a count, an observation, a key look-up; and a line of the log.
#include <benchmark/benchmark.h>

#include <string>

#include "gateway/key_file.h"
#include "gateway/metrics.h"
#include "gateway/run_log.h"

namespace stillwatch::gateway {
namespace {

void count(benchmark::State& state) {
  Metrics metrics(1, {"one"}, 64);
  Metrics::Shard& shard = metrics.shard(0);
  for (auto _ : state) {
    shard.count(metric::ResponseCode::c2xx);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(count);

void observe(benchmark::State& state) {
  Metrics metrics(1, {"one"}, 64);
  double seconds = 20e-6;
  for (auto _ : state) {
    metrics.shard(0).observe(metric::Duration::overhead, seconds);
    seconds += 1e-6;
    benchmark::ClobberMemory();
  }
}
BENCHMARK(observe);

void exposition(benchmark::State& state) {
  Metrics metrics(4, {"one", "two"}, 64);
  for (auto _ : state) benchmark::DoNotOptimize(metrics.exposition());
}
BENCHMARK(exposition);

void find_key(benchmark::State& state) {
  std::string text;
  for (int i = 0; i < state.range(0); ++i) {
    text += key_line("sk-live-" + std::to_string(i), {"key", "acct", "", "", INT64_MAX}) + "\n";
  }
  const auto keys = KeyFile::parse(text, "keys.ndjson");
  int i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(keys->find("sk-live-" + std::to_string(i)));
    i = (i + 7'919) % static_cast<int>(state.range(0));
  }
}
BENCHMARK(find_key)->Arg(1'000)->Arg(200'000);

void log_text(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(log_line(1'777'000'000'000'000, settings::LogLevel::info, "refused",
                                      {{"reason", metric::Refusal::network}, {"status", 403}, {"account", Hashed{7}}}));
  }
}
BENCHMARK(log_text);

}  // namespace
}  // namespace stillwatch::gateway
