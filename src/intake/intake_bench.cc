// What reading costs: simdjson alone on the same fields, and the whole way to a query, on distinct 1.25 KB records.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/random.h"
#include "intake/parser_fixture.h"
#include "intake/query_parser.h"

namespace {

using namespace stillwatch::intake;

const std::vector<std::string>& records() {
  static const std::vector<std::string> value = [] {
    std::vector<std::string> out;
    stillwatch::base::Random random(7);
    for (int i = 0; i < 20'000; ++i) {
      std::string prompt;
      while (prompt.size() < 780) {
        for (std::uint64_t letters = 2 + random.below(8); letters > 0; --letters)
          prompt.push_back(static_cast<char>('a' + random.below(26)));
        prompt += random.chance(0.02) ? ".\\n" : " ";
      }
      out.push_back(
          fmt::format(R"({{"v":1,"id":"req_{0}","time":"{1}","account":"acct_{2}","key":"key_{2}",)"
                      R"("client":{{"ip":"203.0.{3}.7","asn":64500,"country":"US","user_agent":"openai-python/1.99.1",)"
                      R"("ja4":"t13d1516h2_8daaf6152771_b0da82dd1658","headers":["host","accept","user-agent",)"
                      R"("authorization"]}},"dialect":"openai.chat","request":{{"model":"m-large",)"
                      R"("messages":[{{"role":"user","content":"{4}"}}],"temperature":1.0}},"response":{{"status":200,)"
                      R"("ttft_ms":412,"duration_ms":8120,"stop":"stop","usage":{{"input_tokens":812,)"
                      R"("output_tokens":1490}}}}}})",
                      i, stillwatch::base::format_time(1'776'845'730'000'000 + i * 1000), i % 5000, i % 250, prompt));
      out.back().append(kJsonPadding, ' ');
    }
    return out;
  }();
  return value;
}

void parse_only(benchmark::State& state) {
  FieldCounter counter;
  std::size_t at = 0, bytes = 0;
  for (auto _ : state) {
    const std::string& record = records()[at++ % records().size()];
    benchmark::DoNotOptimize(
        counter.count_fields_only(std::string_view(record).substr(0, record.size() - kJsonPadding)));
    bytes += record.size() - kJsonPadding;
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(parse_only);

void to_query(benchmark::State& state) {
  test::Lines lines;
  Identities identities;
  lines.parser = make_query_parser(lines.keyed_hash, &identities);
  ParsedLine parsed;
  std::size_t at = 0;
  for (auto _ : state) {
    const std::string& record = records()[at++ % records().size()];
    lines.parser->parse(std::string_view(record).substr(0, record.size() - kJsonPadding), parsed);
    identities.add(lines.parser->new_ids());
    lines.parser->new_ids().clear();
    benchmark::DoNotOptimize(parsed.query.account);
  }
  if (!parsed.accepted) state.SkipWithError("a record was refused");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(to_query);

}  // namespace
