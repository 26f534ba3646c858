// What one proxied request costs its network thread: 64 or 1,024 requests at once over kept connections, 1.1 KB bodies
// both ways, a streamed answer; and with fewer kept connections to the upstream than requests at once. Only the proxy's
// thread is counted (cpu_us_per_request); the client and the upstream run beside it. And what memory
// a thousand silent streams hold, in the proxy and in the upstream beside it together (bytes_per_stream).
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <ctime>

#include "http/head_scan.h"
#include "http/socket_fixture.h"

namespace {

using namespace stillwatch::http;

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
  client.release_body();
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

/// An upstream that answers with `body`, or with a stream that stays silent after its first event.
Handler origin_handler(const std::string& body) {
  return [&body](Exchange& exchange) -> Task<void> {
    const auto got = co_await exchange.read_all(1U << 20);
    if (!got) co_return;
    ResponseHead head;
    if (exchange.head().target == "/silent") {
      head.fields.add("content-type", "text/event-stream");
      co_await exchange.begin(std::move(head));
      co_await exchange.write("data: {}\n\n");
      for (bool goes_on = true; goes_on && !exchange.client_gone();) goes_on = co_await sleep_ms(exchange.io(), 60'000);
      co_return;
    }
    head.fields.add("content-type", "application/json");
    head.fields.add("x-request-id", "0123456789abcdef");
    co_await exchange.respond(std::move(head), body);
  };
}

std::unique_ptr<Server> proxy_to(const Server& origin, std::atomic<double>& cpu_us, std::size_t idle_max = 256,
                                 std::atomic<double>* opened = nullptr) {
  const std::string address = "127.0.0.1:" + std::to_string(origin.port());
  auto started = Server::start(loopback_options(), [&](unsigned, boost::asio::io_context& io) -> Handler {
    UpstreamOptions options;
    options.address = address;
    options.idle_max = idle_max;
    std::shared_ptr<Upstream> upstream = std::move(*Upstream::create(io, options));
    return [upstream, &cpu_us, opened](Exchange& exchange) -> Task<void> {
      co_await forward(exchange, *upstream);
      if (opened != nullptr) opened->store(static_cast<double>(upstream->connections_opened()));
      cpu_us.store(thread_cpu_us(), std::memory_order_relaxed);
    };
  });
  return std::move(*started);
}

std::string request_text(const std::string& target, const std::string& body) {
  return "POST " + target +
         " HTTP/1.1\r\nhost: api.example\r\ncontent-type: application/json\r\n"
         "authorization: Bearer 0123456789abcdef0123456789abcdef\r\nuser-agent: bench/1.0\r\n"
         "accept: application/json\r\ncontent-length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void BM_proxy(benchmark::State& state) {
  const std::string body(1'100, 'b');
  const auto origin = serve(loopback_options(), origin_handler(body));
  const auto connections = static_cast<int>(state.range(0));
  std::atomic<double> cpu_us{0}, opened{0};
  const auto proxy = proxy_to(*origin, cpu_us, static_cast<std::size_t>(state.range(1)), &opened);
  std::vector<RawSocket> clients;
  for (int i = 0; i < connections; ++i) clients.push_back(RawSocket::to(proxy->port()));
  const std::string request = request_text("/v1/chat/completions", body);
  double before_us = -1;
  std::int64_t requests = 0;
  for (auto _ : state) {
    for (RawSocket& client : clients) client.send(request);
    for (RawSocket& client : clients) benchmark::DoNotOptimize(client.until(body));
    if (before_us < 0)
      before_us = cpu_us;
    else
      requests += connections;
  }
  state.counters["cpu_us_per_request"] =
      (cpu_us - before_us) / static_cast<double>(std::max<std::int64_t>(requests, 1));
  state.counters["opened_per_request"] = opened / static_cast<double>(std::max<std::int64_t>(requests, 1));
  state.SetItemsProcessed(requests);
}
void BM_head_scan(benchmark::State& state) {
  const std::string text = request_text("/v1/chat/completions", "");
  for (auto _ : state) {
    const HeadLimits limits;
    HeadEnd end;
    Refusal refusal;
    RequestHead head;
    const std::size_t size = end.find(text, limits, refusal);
    refusal = HeadScan::request(std::string_view(text).substr(0, size), limits, head);
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK(BM_head_scan);
BENCHMARK(BM_proxy)
    ->ArgNames({"connections", "kept"})
    ->ArgsProduct({{64, 1'024}, {256, 1'024}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void BM_silent_streams(benchmark::State& state) {
  constexpr int kStreams = 1'000;
  const std::string body(1'100, 'b');
  const auto origin = serve(loopback_options(), origin_handler(body));
  std::atomic<double> cpu_us{0};
  const auto proxy = proxy_to(*origin, cpu_us);
  const auto held = [] { return static_cast<double>(::mallinfo2().uordblks); };
  for (auto _ : state) {
    const double before = held();
    std::vector<RawSocket> clients;
    for (int i = 0; i < kStreams; ++i) {
      clients.push_back(RawSocket::to(proxy->port()));
      clients.back().send(request_text("/silent", body));
      clients.back().until("data: {}\n\n");
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
    state.counters["bytes_per_stream"] = (held() - before) / kStreams;
  }
}
BENCHMARK(BM_silent_streams)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
