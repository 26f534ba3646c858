// Where a record's time goes: composing text, writing the line, the whole engine. Distinct prompts throughout.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/folder_fixture.h"
#include "sim/actor.h"
#include "sim/simulate.h"

namespace {

using namespace stillwatch;

void compose_prompt(benchmark::State& state) {
  const sim::TextSources texts = sim::TextSources::builtin();
  base::Random random(1);
  std::string text;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    text.clear();
    texts.chat(0).append(random, 20, text);
    bytes += static_cast<std::int64_t>(text.size());
    benchmark::DoNotOptimize(text.data());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(compose_prompt);

void write_line(benchmark::State& state) {
  sim::Draft draft;
  const std::string client =
      R"("user_agent":"openai-python/1.99.1","ja4":"t13d1516h2_8daaf6152771_b0da82dd1658","headers":["host",)"
      R"("accept","user-agent"])";
  const std::string prompt(500, 'x');
  draft.time_us = 1'772'323'200'123'456;
  draft.account = 7;
  draft.country = "US";
  draft.client = client;
  draft.model = "m-large";
  draft.prompt = prompt;
  const sim::Names names(1);
  sim::ByteBuffer buffer;
  std::uint64_t record = 0;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    buffer.clear();
    sim::write_query(draft, names, record++, buffer);
    bytes += static_cast<std::int64_t>(buffer.size());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(write_line);

void simulate_world(benchmark::State& state) {
  const base::test::Folder folder;
  sim::SimulateOptions options;
  options.out = folder.path();
  options.stream_to = ::open("/dev/null", O_WRONLY);
  const auto world = sim::parse_world(
      "[world]\ndays = 4\n[benign.chat_multi]\naccounts = 3000\n[benign.saas_tenant]\naccounts = "
      "3000\n[benign.developer]\naccounts = 3000\n",
      "bench");
  if (!world) return state.SkipWithError("the world does not parse");
  options.world = *world;
  std::int64_t records = 0, bytes = 0;
  for (auto _ : state) {
    const auto summary = sim::simulate(options);
    if (!summary) return state.SkipWithError("the world does not run");
    records += static_cast<std::int64_t>(summary->records);
    bytes += static_cast<std::int64_t>(summary->bytes);
  }
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(bytes);
  ::close(*options.stream_to);
}
BENCHMARK(simulate_world)->Unit(benchmark::kMillisecond);

}  // namespace
