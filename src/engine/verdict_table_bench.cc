// What a look-up costs on the request path, with a million accounts and while verdicts come in.
#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>

#include "base/random.h"
#include "engine/verdict_table.h"

namespace stillwatch::engine {
namespace {

std::unique_ptr<VerdictTable> table_of(std::uint64_t subjects) {
  auto table = std::make_unique<VerdictTable>();
  event::Verdict verdict;
  verdict.level = event::Level::verify;
  verdict.rule = "campaign.member";
  verdict.expires_us = INT64_MAX / 2;
  for (std::uint64_t i = 1; i <= subjects; ++i) {
    verdict.subject = base::mix64(i);
    table->apply(verdict);
  }
  return table;
}

void look_up(benchmark::State& state, bool known) {
  static const std::unique_ptr<VerdictTable> table = table_of(1'000'000);
  base::Random random(static_cast<std::uint64_t>(state.thread_index()) + 1);
  std::uint64_t found = 0;
  for (auto _ : state) {
    const std::uint64_t account = 1 + random.below(1'000'000) + (known ? 0 : 10'000'000);
    found += table->look_up(base::mix64(account), 1).is_clear() ? 0 : 1;
  }
  benchmark::DoNotOptimize(found);
  if (known && found == 0) state.SkipWithError("nothing was found");
}
void look_up_acted_on(benchmark::State& state) { look_up(state, true); }
void look_up_clear(benchmark::State& state) { look_up(state, false); }
BENCHMARK(look_up_acted_on)->Threads(1)->Threads(2);
BENCHMARK(look_up_clear)->Threads(1)->Threads(2);

void apply(benchmark::State& state) {
  const auto table = table_of(1'000);
  event::Verdict verdict;
  verdict.rule = "campaign.member";
  std::uint64_t i = 0;
  for (auto _ : state) {
    verdict.subject = base::mix64(1 + i % 200'000);
    verdict.level = static_cast<event::Level>(1 + i++ % 6);
    table->apply(verdict);
  }
}
BENCHMARK(apply);

}  // namespace
}  // namespace stillwatch::engine
