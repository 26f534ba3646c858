// What handing over costs a network thread, with a reader that swaps the shards out.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "gateway/exchange_queue.h"
#include "gateway/in_flight.h"

namespace stillwatch::gateway {
namespace {

void push(benchmark::State& state) {
  static ExchangeQueue queue(8, {1U << 20, std::size_t{1} << 32, 1U << 20});
  const bool is_reader = state.thread_index() == 0;
  std::atomic<bool> stop{false};
  std::thread reader;
  if (is_reader) {
    reader = std::thread([&stop] {
      std::vector<std::unique_ptr<Exchange>> out;
      std::vector<std::shared_ptr<EarlyBody>> bodies;
      while (!stop.load()) {
        out.clear();
        queue.drain(out, bodies);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  }
  for (auto _ : state) {
    auto exchange = std::make_unique<Exchange>();
    exchange->body.assign(1'024, 'x');
    benchmark::DoNotOptimize(queue.try_push(static_cast<unsigned>(state.thread_index()), std::move(exchange)));
  }
  stop.store(true);
  if (reader.joinable()) reader.join();
}
BENCHMARK(push)->Threads(1)->Threads(2)->MinTime(0.2);

void arrive_and_leave(benchmark::State& state) {
  static InFlight in_flight;
  for (auto _ : state) benchmark::DoNotOptimize(in_flight.arrive().arrived_us());
}
BENCHMARK(arrive_and_leave)->Threads(1)->Threads(2)->MinTime(0.2);

}  // namespace
}  // namespace stillwatch::gateway
