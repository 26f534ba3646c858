// Cost of one fingerprint over distinct prompts of one size, against one SipHash of the same bytes.
#include <benchmark/benchmark.h>

#include <memory>

#include "crypto/keyed_hash_fixture.h"
#include "text/fingerprint.h"
#include "text/fingerprint_codec.h"
#include "text/language.h"
#include "text/test_prompts.h"

namespace stillwatch::text {
namespace {

// Distinct prompts of exactly `bytes`: corpus text run together and cut, or made prose without corpora.
std::vector<std::string> prompts_of(std::size_t bytes) {
  const std::size_t count = bytes > 100'000 ? 8 : bytes > 5'000 ? 200 : 4'000;
  static const std::vector<std::string> corpus = corpus_prompts("sharegpt", 100'000);
  std::vector<std::string> prompts;
  base::Random random(bytes);
  std::string text;
  std::size_t next = 0;
  while (prompts.size() < count) {
    if (corpus.empty()) {
      prompts.push_back(made_prose(random, bytes));
      continue;
    }
    text += corpus[next++ % corpus.size()] + "\n\n";
    if (text.size() < bytes) continue;
    prompts.push_back(text.substr(0, bytes));
    text.clear();
  }
  return prompts;
}

void fingerprint(benchmark::State& state) {
  const auto prompts = prompts_of(static_cast<std::size_t>(state.range(0)));
  Fingerprinter fingerprinter(crypto::test::fixed_hash());
  std::size_t next = 0;
  for (auto _ : state) {
    fingerprinter.begin();
    fingerprinter.begin_turn(Role::user);
    fingerprinter.add_text(prompts[next]);
    benchmark::DoNotOptimize(fingerprinter.finish());
    if (++next == prompts.size()) next = 0;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(fingerprint)->Arg(100)->Arg(300)->Arg(800)->Arg(4'000)->Arg(10'000)->Arg(400'000);

void siphash_of_the_same(benchmark::State& state) {
  const auto prompts = prompts_of(static_cast<std::size_t>(state.range(0)));
  const auto hash = crypto::test::fixed_hash();
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(hash(crypto::Domain::prompt, prompts[next]));
    if (++next == prompts.size()) next = 0;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(siphash_of_the_same)->Arg(100)->Arg(800)->Arg(10'000)->Arg(400'000);

// A chat of eight turns of 400 bytes under a system prompt of 2 KB with tools of 4 KB.
void fingerprint_chat(benchmark::State& state) {
  const auto prompts = prompts_of(400);
  const auto system = prompts_of(2'000).front(), tools = prompts_of(4'000).front();
  Fingerprinter fingerprinter(crypto::test::fixed_hash());
  std::size_t next = 0;
  for (auto _ : state) {
    fingerprinter.begin();
    fingerprinter.begin_turn(Role::system);
    fingerprinter.add_text(system);
    for (std::size_t turn = 0; turn < 7; ++turn) {
      fingerprinter.begin_turn(turn % 2 == 0 ? Role::user : Role::assistant);
      fingerprinter.add_text(prompts[(next + turn) % prompts.size()]);
    }
    fingerprinter.set_tools(tools);
    benchmark::DoNotOptimize(fingerprinter.finish());
    if (++next == prompts.size()) next = 0;
  }
}
BENCHMARK(fingerprint_chat);

// The language class alone, over masked prompts.
void language(benchmark::State& state) {
  const auto prompts = prompts_of(static_cast<std::size_t>(state.range(0)));
  std::vector<std::unique_ptr<MaskedText>> masked;
  for (std::size_t i = 0; i < 50; ++i) {
    masked.push_back(std::make_unique<MaskedText>(WordHashKey{1, 2, 3}));
    masked.back()->clear();
    masked.back()->add(std::string_view(prompts[i]).substr(0, MaskedText::kBytesMax), false, false);
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(language_of(*masked[next]));
    if (++next == masked.size()) next = 0;
  }
}
BENCHMARK(language)->Arg(100)->Arg(800);

void encode_decode(benchmark::State& state) {
  Fingerprinter fingerprinter(crypto::test::fixed_hash());
  fingerprinter.begin();
  fingerprinter.begin_turn(Role::user);
  fingerprinter.add_text(prompts_of(800).front());
  const auto fingerprint = fingerprinter.finish();
  for (auto _ : state) benchmark::DoNotOptimize(decode(encode(fingerprint)));
}
BENCHMARK(encode_decode);

}  // namespace
}  // namespace stillwatch::text
