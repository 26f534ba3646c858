// `stillwatch bench load` and `bench upstream`: the two ends of bench/gateway, between which a proxy stands.
#include <csignal>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "app/load_generator.h"
#include "http/server.h"

namespace stillwatch::app {
namespace {

struct UpstreamFlags {
  std::string listen = "127.0.0.1:9100";
  int events = 200;
  std::int64_t pause_ms = 0;
  bool silent = false, whole = false;
};

constexpr std::string_view kEvent =
    R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"gpt-bench",)"
    R"("choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kWhole =
    R"({"id":"chatcmpl-bench","object":"chat.completion","created":1767225600,"model":"gpt-bench",)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":"A fixed answer."},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":250,"completion_tokens":200,"total_tokens":450}})";
constexpr std::string_view kUsage =
    R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"gpt-bench",)"
    R"("choices":[],"usage":{"prompt_tokens":250,"completion_tokens":200,"total_tokens":450}})"
    "\n\ndata: [DONE]\n\n";

http::Task<void> answer(http::Exchange& exchange, const UpstreamFlags& flags) {
  for (;;) {
    const auto piece = co_await exchange.read();
    if (!piece) co_return;
    if (piece->empty()) break;
  }
  http::ResponseHead head;
  if (flags.whole) {
    head.fields.add("content-type", "application/json");
    co_await exchange.respond(std::move(head), kWhole);
    co_return;
  }
  head.fields.add("content-type", "text/event-stream");
  head.fields.add("cache-control", "no-cache");
  co_await exchange.begin(std::move(head));
  for (int i = 0; i < flags.events; ++i) {
    const auto sent = co_await exchange.write(kEvent);
    if (!sent) co_return;
    bool goes_on = true;
    while (flags.silent && goes_on && !exchange.client_gone()) goes_on = co_await http::sleep_ms(exchange.io(), 60'000);
    if (flags.pause_ms > 0) goes_on = co_await http::sleep_ms(exchange.io(), flags.pause_ms);
    if (!goes_on) co_return;
  }
  const auto last = co_await exchange.write(kUsage);
  if (!last) co_return;
  co_await exchange.end();
}

int run_upstream(const UpstreamFlags& flags) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  http::ServerOptions options;
  http::ListenAddress address;
  address.address = flags.listen;
  options.listen.push_back(address);
  options.limits.streams_max = options.limits.connections_max;
  const auto server = http::Server::start(std::move(options), [&flags](unsigned, boost::asio::io_context&) {
    return [&flags](http::Exchange& exchange) { return answer(exchange, flags); };
  });
  if (!server) return report_error(server.error());
  std::fprintf(stderr, "stillwatch: streams on port %u\n", (*server)->port());
  int number = 0;
  while (sigwait(&signals, &number) != 0) continue;
  return 0;
}

std::string times(const char* name, const std::vector<std::int64_t>& sorted) {
  const auto us = [&](double share) { return static_cast<double>(quantile(sorted, share)) / 1e3; };
  return fmt::format(R"("{}_us":{{"p50":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f}}})", name, us(0.5), us(0.99),
                     us(0.999), us(1));
}

int run_generator(const LoadOptions& options) {
  const auto result = run_load(options);
  if (!result) return report_error(result.error());
  if (options.hold) return 0;
  std::printf(R"({"requests":%llu,"failed":%llu,"unsent":%llu,"seconds":%.3f,%s,%s})"
              "\n",
              static_cast<unsigned long long>(result->requests), static_cast<unsigned long long>(result->failed),
              static_cast<unsigned long long>(result->unsent), result->seconds,
              times("whole", result->whole_ns).c_str(), times("first", result->first_ns).c_str());
  return 0;
}

void add_upstream(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<UpstreamFlags>();
  CLI::App* command = bench.add_subcommand("upstream", "A model server that answers everything with a stream");
  command->add_option("--listen", flags->listen, "Address")->capture_default_str()->type_name("HOST:PORT");
  command->add_option("--events", flags->events, "Events of a stream, each sent by itself")->capture_default_str();
  command->add_option("--pause-ms", flags->pause_ms, "Pause after each event")->capture_default_str();
  command->add_flag("--silent", flags->silent, "Send one event, then nothing for ever");
  command->add_flag("--whole", flags->whole, "Read the request, then answer in one piece");
  command->callback([flags, &run] { run = [flags] { return run_upstream(*flags); }; });
}

}  // namespace

void add_bench_load(CLI::App& bench, Run& run) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* command = bench.add_subcommand(
      "load", "Requests at random times of a given rate; latencies count from the time at which each was due");
  command->add_option("--address", options->address, "Server")->capture_default_str()->type_name("IPv4:PORT");
  command->add_option("--path", options->path, "Path")->capture_default_str();
  command->add_option("--requests", options->requests, "Lines of API_KEY SPACE BODY, sent in turn")->required();
  command->add_option("--header", options->headers, "Field of every request")->type_name("NAME:VALUE");
  command->add_option("--connections", options->connections, "Kept connections")->capture_default_str();
  command->add_option("--rate", options->rate, "Requests a second; 0: as fast as answers come")->capture_default_str();
  command->add_option("--seconds", options->seconds, "Measured time")->capture_default_str();
  command->add_option("--warm-up", options->warm_up_seconds, "Seconds before it")->capture_default_str();
  command->add_flag("--hold", options->hold, "Open a stream on each connection and keep it until standard input ends");
  command->callback([options, &run] { run = [options] { return run_generator(*options); }; });
  add_upstream(bench, run);
}

}  // namespace stillwatch::app
