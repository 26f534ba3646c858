// The primitives of the audit log: hash, signature, encryption, random bytes.
#include <benchmark/benchmark.h>

#include "crypto/aead.h"
#include "crypto/ed25519.h"
#include "crypto/random_bytes.h"
#include "crypto/sha256.h"

namespace stillwatch::crypto {
namespace {

void sha256_of(benchmark::State& state) {
  std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) bytes[0] = static_cast<char>(sha256(bytes)[0]);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sha256_of)->Arg(65)->Arg(4'096)->Arg(1 << 20);

void ed25519_sign(benchmark::State& state) {
  const Ed25519Key key(random_secret<kEd25519SeedBytes>());
  std::string message(100, 'x');
  for (auto _ : state) message[0] = static_cast<char>(key.sign(message)[0]);
}
BENCHMARK(ed25519_sign)->Unit(benchmark::kMicrosecond);

void ed25519_check(benchmark::State& state) {
  const Ed25519Key key(random_secret<kEd25519SeedBytes>());
  const std::string message(100, 'x');
  const Ed25519Signature signature = key.sign(message);
  for (auto _ : state) {
    if (!ed25519_verify(key.public_key(), message, signature)) state.SkipWithError("the signature is wrong");
  }
}
BENCHMARK(ed25519_check)->Unit(benchmark::kMicrosecond);

void seal(benchmark::State& state) {
  const AeadKey key = random_secret<kAeadKeyBytes>();
  const AeadNonce nonce = random_array<kAeadNonceBytes>();
  const std::string plain(static_cast<std::size_t>(state.range(0)), 'x');
  std::string out;
  for (auto _ : state) {
    out.clear();
    aead_seal(key, nonce, plain, "associated", out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(seal)->Arg(32)->Arg(4'096);

void open(benchmark::State& state) {
  const AeadKey key = random_secret<kAeadKeyBytes>();
  std::string sealed, out;
  aead_seal(key, std::string(static_cast<std::size_t>(state.range(0)), 'x'), "associated", sealed);
  for (auto _ : state) {
    out.clear();
    if (!aead_open(key, sealed, "associated", out)) state.SkipWithError("it does not open");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(open)->Arg(32)->Arg(4'096);

void random_bytes(benchmark::State& state) {
  std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) fill_random({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
}
BENCHMARK(random_bytes)->Arg(32)->Arg(88)->Arg(4'096);

}  // namespace
}  // namespace stillwatch::crypto
