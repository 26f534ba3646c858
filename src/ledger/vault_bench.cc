// What a payload of 4 KiB costs on its way into the vault, with the limits beside it: encryption alone, both hashes,
// RocksDB's rows alone, the bytes alone. CPU time is of the whole process, so that RocksDB's threads count.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>

#include "crypto/aead.h"
#include "crypto/random_bytes.h"
#include "crypto/sha256.h"
#include "ledger/row_store.h"
#include "ledger/vault.h"
#include "ledger/vault_fixture.h"

namespace {

using namespace stillwatch;

constexpr std::size_t kPayloadBytes = 4'096;
constexpr std::size_t kTenants = 1'000;

std::string random_text(std::size_t size) {
  std::string out(size, '\0');
  crypto::fill_random({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

void BM_Encrypt(benchmark::State& state) {
  const auto key = crypto::random_secret<32>();
  const std::string payload = random_text(kPayloadBytes);
  std::string out;
  for (auto _ : state) {
    out.clear();
    crypto::aead_seal(key, crypto::AeadNonce{}, payload, "record", out);
    benchmark::DoNotOptimize(out);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Encrypt);

void BM_TwoHashes(benchmark::State& state) {
  const std::string payload = random_text(kPayloadBytes);
  for (auto _ : state) {
    benchmark::DoNotOptimize(crypto::sha256(payload));
    benchmark::DoNotOptimize(crypto::sha256(payload));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TwoHashes);

void BM_Rows(benchmark::State& state) {
  const ledger::test::Folder folder("");
  const auto rows = ledger::RowStore::open(folder / "rows", false).value();
  std::string key = random_text(29);
  const std::string value = random_text(112);
  std::uint64_t number = 0;
  for (auto _ : state) {
    const std::uint64_t tenant = number % kTenants * 0x9E3779B97F4A7C15ULL, id = number * 0xBF58476D1CE4E5B9ULL;
    std::memcpy(key.data() + 1, &tenant, sizeof tenant);
    std::memcpy(key.data() + 13, &id, sizeof id);
    rows->put(key, value);
    if (++number % 1'000 == 0) (void)rows->write(state.range(0) != 0);
  }
  (void)rows->write(true);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Rows)->Arg(0)->Arg(1)->ArgName("sync")->MeasureProcessCPUTime()->UseRealTime()->Iterations(300'000);

void BM_BytesAlone(benchmark::State& state) {
  const ledger::test::Folder folder("");
  const std::string bytes = random_text(4U << 20);
  auto file = ledger::AppendFile::open(folder / "bytes", 0600).value();
  std::uint64_t waiting = 0;
  for (auto _ : state) {
    waiting += kPayloadBytes;
    if (waiting < bytes.size()) continue;
    waiting = 0;
    (void)file.append(bytes);
    if (state.range(0) != 0) (void)file.sync();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_BytesAlone)->Arg(0)->Arg(1)->ArgName("sync")->MeasureProcessCPUTime()->UseRealTime()->Iterations(200'000);

void BM_Seal(benchmark::State& state) {
  ledger::test::Bookcase shelf{ledger::test::Folder("")};
  const auto book = shelf.open();
  ledger::VaultOptions options;
  options.sync_each_commit = state.range(0) != 0;
  const auto vault = ledger::Vault::open(shelf.folder / "vault", *book, options).value();
  const std::string prompt = random_text(kPayloadBytes - 1'024), response = random_text(1'024);
  std::vector<std::string> tenants;
  for (std::size_t i = 0; i < kTenants; ++i) tenants.push_back("tenant-" + std::to_string(i));
  std::uint64_t number = 0;
  for (auto _ : state) {
    ledger::SealRequest request;
    request.tenant = request.account = tenants[number % kTenants];
    const std::uint64_t id = ++number * 0x9E3779B97F4A7C15ULL;
    std::memcpy(request.id.data(), &id, sizeof id);
    request.time_us = ledger::test::kNow;
    request.prompt = prompt;
    request.response = response;
    if (!vault->seal(request)) state.SkipWithError("not sealed");
  }
  if (!vault->commit()) state.SkipWithError("not committed");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Seal)->Arg(0)->Arg(1)->ArgName("sync")->MeasureProcessCPUTime()->UseRealTime()->Iterations(200'000);

}  // namespace
