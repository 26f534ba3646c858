// What reading costs: simdjson alone on the same fields, and the whole way to a query, on distinct 1.25 KB records; and
// what the gateway does with bodies of 1 KB and 400 KB and with streams of 200 events.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/random.h"
#include "intake/body_edit.h"
#include "intake/parser_fixture.h"
#include "intake/query_parser.h"
#include "intake/request_facts.h"
#include "intake/response_reader.h"
#include "intake/stream_edit.h"

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

/// A chat request of about this size that asks for what is restricted, padding behind it.
std::string chat_request(std::size_t bytes) {
  std::string body = R"({"model":"m-large","messages":[)";
  for (int turn = 0; body.size() + 200 < bytes; ++turn) {
    body += fmt::format(R"({}{{"role":"{}","content":")", turn == 0 ? "" : ",", turn % 2 == 0 ? "user" : "assistant");
    while (body.size() % 4'000 < 3'900 && body.size() + 150 < bytes) body += "some words of a turn\\n";
    body += "\"}";
  }
  return body +
         R"(],"temperature":1.0,"n":2,"logprobs":true,"top_logprobs":5,"reasoning_effort":"high","user":"u-882"})";
}

void request_facts(benchmark::State& state) {
  std::string body = chat_request(static_cast<std::size_t>(state.range(0)));
  const std::size_t size = body.size();
  body.append(kJsonPadding, ' ');
  RequestFactsReader reader;
  RequestFacts facts;
  for (auto _ : state) {
    if (reader.read(Endpoint::chat_completions, std::string_view(body).substr(0, size), facts))
      state.SkipWithError("the body was refused");
    benchmark::DoNotOptimize(facts.n);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}
BENCHMARK(request_facts)->Arg(1'000)->Arg(400'000);

void restrict_request(benchmark::State& state) {
  const std::string body = chat_request(static_cast<std::size_t>(state.range(0)));
  BodyEditor editor;
  std::string out;
  for (auto _ : state) {
    if (editor.edit_request(Endpoint::chat_completions, body, out) != EditOutcome::edited)
      state.SkipWithError("nothing was edited");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(restrict_request)->Arg(1'000)->Arg(400'000);

const std::vector<std::string>& stream_of_200() {
  static const std::vector<std::string> value = [] {
    std::vector<std::string> events;
    for (int i = 0; i < 200; ++i) {
      events.push_back(
          fmt::format(R"(data: {{"id":"chatcmpl-AbC123","object":"chat.completion.chunk","created":1776845730,)"
                      R"("model":"m-large","choices":[{{"index":0,"delta":{{"{}":" word{}"}},)"
                      R"("logprobs":null,"finish_reason":null}}]}})",
                      i < 60 ? "reasoning_content" : "content", i) +
          "\n\n");
    }
    return events;
  }();
  return value;
}

void read_stream(benchmark::State& state) {
  for (auto _ : state) {
    ResponseReader reader(Endpoint::chat_completions, ResponseForm::stream);
    for (const std::string& event : stream_of_200()) reader.feed(event);
    benchmark::DoNotOptimize(reader.finish().output_tokens);
  }
  state.SetItemsProcessed(state.iterations() * 200);
}
BENCHMARK(read_stream);

void restrict_stream(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    StreamEditor editor(Endpoint::chat_completions, {});
    out.clear();
    for (const std::string& event : stream_of_200()) editor.feed(event, out);
    editor.finish(out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * 200);
}
BENCHMARK(restrict_stream);

}  // namespace
