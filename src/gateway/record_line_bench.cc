// What the observer does for one request: its line from its body, and the record from the line.
#include <benchmark/benchmark.h>

#include "gateway/record_line.h"
#include "intake/parser_fixture.h"

namespace stillwatch::gateway {
namespace {

Exchange exchange_of(std::size_t body_bytes) {
  Exchange exchange;
  exchange.arrived_us = 1'776'845'730'123'456;
  exchange.id = request_id(exchange.arrived_us, 1);
  exchange.account = "acct_7f3a";
  exchange.key = "key_19";
  exchange.address = "203.0.113.7";
  exchange.user_agent = "openai-python/1.99.1";
  exchange.headers = "host\naccept\nuser-agent\nauthorization\ncontent-type\ncontent-length";
  exchange.status = 200;
  exchange.has_usage = true;
  std::string text;
  while (text.size() < body_bytes) text += "Explain how lake number " + std::to_string(text.size()) + " came to be. ";
  exchange.body = R"({"model":"m-large","messages":[{"role":"user","content":")" + text + R"("}]})";
  return exchange;
}

void write_line(benchmark::State& state) {
  const auto hash = intake::test::fixed_hash();
  RecordLine record_line(hash, Content::fingerprint);
  Exchange exchange = exchange_of(static_cast<std::size_t>(state.range(0)));
  std::string line;
  for (auto _ : state) record_line.write(exchange, false, line);
  state.counters["line_bytes"] = static_cast<double>(line.size());
}
BENCHMARK(write_line)->Arg(1'000)->Arg(400'000);

void parse_line(benchmark::State& state) {
  const auto hash = intake::test::fixed_hash();
  RecordLine record_line(hash, Content::fingerprint);
  Exchange exchange = exchange_of(1'000);
  std::string line;
  record_line.write(exchange, false, line);
  const std::size_t size = line.size();
  line.append(intake::kJsonPadding, ' ');
  const auto parser = intake::make_query_parser(hash, nullptr);
  intake::ParsedLine parsed;
  for (auto _ : state) {
    parser->parse(std::string_view(line).substr(0, size), parsed);
    parser->new_ids().clear();
  }
  if (!parsed.accepted) state.SkipWithError("the line was refused");
}
BENCHMARK(parse_line);

}  // namespace
}  // namespace stillwatch::gateway
