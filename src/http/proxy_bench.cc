// What one proxied request costs its network thread: 64 kept connections, 1.1 KB bodies both ways, a streamed answer.
// Only the proxy's thread is counted (cpu_us_per_request); the client and the upstream run beside it.
#include <benchmark/benchmark.h>
#include <time.h>

#include "http/socket_fixture.h"

namespace {

using namespace stillwatch::http;

constexpr int kConnections = 64;

double thread_cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

Task<void> forward(Exchange& client, Upstream& upstream) {
  RequestHead& head = client.head();
  strip_hop_by_hop(head.fields);
  UpstreamExchange exchange(upstream);
  const auto first = co_await client.read();
  if (!first) co_return;
  const auto sent = co_await exchange.open(head, *first, client.body_at_end());
  if (!sent) co_return;
  auto answer = co_await exchange.read_head();
  if (!answer) co_return;
  strip_hop_by_hop(answer->fields);
  ResponseHead out = std::move(*answer);
  co_await client.begin(std::move(out));
  for (;;) {
    const auto piece = co_await exchange.read();
    if (!piece || piece->empty()) break;
    const auto written = co_await client.write(*piece);
    if (!written) co_return;
  }
  co_await client.end();
}

void BM_proxy(benchmark::State& state) {
  const std::string body(1'100, 'b');
  const auto origin = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    co_await exchange.read_all(1U << 20);
    ResponseHead head;
    head.fields.add("content-type", "application/json");
    head.fields.add("x-request-id", "0123456789abcdef");
    co_await exchange.respond(std::move(head), body);
  });
  std::atomic<double> cpu_us{0};
  auto started = Server::start(loopback_options(), [&](unsigned, boost::asio::io_context& io) -> Handler {
    UpstreamOptions options;
    options.address = "127.0.0.1:" + std::to_string(origin->port());
    std::shared_ptr<Upstream> upstream = std::move(*Upstream::create(io, options));
    return [upstream, &cpu_us](Exchange& exchange) -> Task<void> {
      co_await forward(exchange, *upstream);
      cpu_us.store(thread_cpu_us(), std::memory_order_relaxed);
    };
  });
  const auto proxy = std::move(*started);
  std::vector<RawSocket> clients;
  for (int i = 0; i < kConnections; ++i) clients.push_back(RawSocket::to(proxy->port()));
  const std::string request =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: api.example\r\ncontent-type: application/json\r\n"
      "authorization: Bearer 0123456789abcdef0123456789abcdef\r\nuser-agent: bench/1.0\r\naccept: application/json\r\n"
      "content-length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  double before_us = -1;
  std::int64_t requests = 0;
  for (auto _ : state) {
    for (RawSocket& client : clients) client.send(request);
    for (RawSocket& client : clients) benchmark::DoNotOptimize(client.until(body));
    if (before_us < 0)
      before_us = cpu_us;
    else
      requests += kConnections;
  }
  state.counters["cpu_us_per_request"] =
      (cpu_us - before_us) / static_cast<double>(std::max<std::int64_t>(requests, 1));
  state.SetItemsProcessed(requests);
}
BENCHMARK(BM_proxy)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
