// Content from beside the gateway: OTLP exports, Envoy AI Gateway's access log, LiteLLM's guardrail request.
#include "intake/otlp.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/random.h"
#include "intake/guardrail.h"
#include "intake/log_reader.h"
#include "intake/parser_fixture.h"

namespace stillwatch::intake {
namespace {

using test::bytes_of;
using test::parse;

std::string text_attribute(std::string_view key, std::string_view value) {
  return fmt::format(R"({{"key":"{}","value":{{"stringValue":"{}"}}}},)", key, value);
}
std::string span_of(const std::string& attributes, std::string_view more = "") {
  return fmt::format(R"({{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",)"
                     R"("startTimeUnixNano":"1776845730123456789","endTimeUnixNano":"1776845738243456000",{})"
                     R"("attributes":[{}{{"key":"x","value":{{"boolValue":true}}}}]}})",
                     more, attributes);
}
std::string export_of(const std::string& spans) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + spans +
         R"(]}],"resource":{"attributes":[{"key":"user.id","value":{"stringValue":"acct_1"}}]}}]})";
}
const std::string& call() {
  static const std::string value = text_attribute("gen_ai.operation.name", "chat") +
                                   text_attribute("gen_ai.request.model", "m-large") +
                                   R"({"key":"gen_ai.usage.input_tokens","value":{"intValue":"812"}},)"
                                   R"({"key":"gen_ai.usage.output_tokens","value":{"intValue":1490}},)"
                                   R"({"key":"gen_ai.request.temperature","value":{"doubleValue":0.5}},)";
  return value;
}

/// The same request as a query record.
ParsedLine wanted() {
  test::Lines lines;
  return lines.parse(
      R"({"v":1,"id":"0af7651916cd43dd8448eb211c80319cb7ad6b7169203331","time":"2026-04-22T08:15:30.123456Z",)"
      R"("ended":"2026-04-22T08:15:38.243456Z","account":"acct_1","dialect":"openai.chat",)"
      R"("request":{"model":"m-large",)"
      R"("temperature":0.5,"messages":[{"role":"system","content":[{"type":"text","text":"Be brief."}]},)"
      R"({"role":"user","content":[{"type":"text","text":"why is the \"sky\" blue?\n"}]}]},)"
      R"("response":{"status":200,"usage":{"input_tokens":812,"output_tokens":1490}}})");
}

void expect_wanted(const std::string& line) {
  const crypto::KeyedHash hash = test::fixed_hash();
  const auto parser = make_otlp_parser(hash, nullptr);
  ParsedLine got = parse(*parser, line);
  const ParsedLine same = wanted();
  ASSERT_TRUE(same.accepted);
  ASSERT_TRUE(got.accepted) << name(got.refusal.reason) << " " << got.refusal.field << "\n" << line;
  EXPECT_EQ(got.query.line_bytes, line.size());
  got.query.line_bytes = same.query.line_bytes;
  EXPECT_EQ(bytes_of(got.query), bytes_of(same.query)) << line;
}

TEST(Otlp, EveryVersionOfTheConventionsGivesTheSameQuery) {
  // 1.37: messages in attributes, as JSON in a text.
  expect_wanted(export_of(span_of(
      call() + text_attribute("gen_ai.system_instructions", R"([{\"type\":\"text\",\"content\":\"Be brief.\"}])") +
      text_attribute("gen_ai.input.messages", R"([{\"role\":\"user\",\"parts\":[{\"type\":\"text\",)"
                                              R"(\"content\":\"why is the \\\"sky\\\" blue?\\n\"}]}])"))));
  // The same, structured.
  expect_wanted(export_of(span_of(
      call() +
      R"({"key":"gen_ai.input.messages","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[)"
      R"({"key":"role","value":)"
      R"({"stringValue":"system"}},{"key":"parts","value":{"arrayValue":{"values":[{"kvlistValue":)"
      R"({"values":[{"key":"type",)"
      R"("value":{"stringValue":"text"}},{"key":"content","value":{"stringValue":"Be brief."}}]}}]}}}]}},)"
      R"({"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}},{"key":"parts","value":{"arrayValue":)"
      R"({"values":[{"kvlistValue":{"values":[{"key":"type","value":{"stringValue":"text"}},{"key":"content","value":)"
      R"({"stringValue":"why is the \"sky\" blue?\n"}}]}}]}}}]}}]}}},)")));
  // Before: one event a message, or one event with all, or flat attributes.
  expect_wanted(
      export_of(span_of(call(), R"("events":[{"name":"gen_ai.system.message","attributes":[{"key":"content","value":)"
                                R"({"stringValue":"Be brief."}}]},)"
                                R"({"name":"gen_ai.user.message","attributes":[{"key":"content","value":)"
                                R"({"stringValue":"why is the \"sky\" blue?\n"}}]}],)")));
  expect_wanted(export_of(span_of(
      call(),
      R"("events":[{"name":"gen_ai.content.prompt","attributes":[{"key":"gen_ai.prompt","value":{"stringValue":)"
      R"("[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",)"
      R"(\"content\":\"why is the \\\"sky\\\" blue?\\n\"}]"}}]}],)")));
  expect_wanted(export_of(span_of(call() + text_attribute("gen_ai.prompt.1.content", R"(why is the \"sky\" blue?\n)") +
                                  text_attribute("gen_ai.prompt.0.role", "system") +
                                  text_attribute("gen_ai.prompt.0.content", "Be brief.") +
                                  text_attribute("gen_ai.prompt.1.role", "user"))));
}

TEST(Otlp, LogRecordsWithTheDetails) {
  OtlpReader reader;
  std::vector<std::string> records;
  const auto sink = [&](std::string_view record) { records.emplace_back(record); };
  const std::string log = R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1776845730123456000",)"
                          R"("traceId":"t","spanId":"s",)"
                          R"("eventName":"gen_ai.client.inference.operation.details","attributes":[)" +
                          call() + text_attribute("user.id", "acct_2") +
                          R"({"key":"gen_ai.input.messages","value":{"stringValue":"[]"}}]},)"
                          R"({"eventName":"gen_ai.choice","attributes":[]}]}]}]})";
  ASSERT_FALSE(reader.read(log, sink));
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(reader.counters().log_records, 2U);
  EXPECT_EQ(reader.counters().not_a_call, 1U);
  EXPECT_EQ(reader.counters().without_content, 1U);
  test::Lines lines;
  const ParsedLine parsed = lines.parse(records[0]);
  ASSERT_TRUE(parsed.accepted) << records[0];
  EXPECT_EQ(parsed.query.fingerprint.prompt, 0U);
  EXPECT_EQ(parsed.query.fingerprint.conversation, 0U);
  EXPECT_EQ(parsed.query.output_tokens, 1490U);
}

TEST(Otlp, AccountsErrorsAndOtherSpans) {
  OtlpReader reader("tenant.id");
  std::vector<std::string> records;
  const auto sink = [&](std::string_view record) { records.emplace_back(record); };
  const std::string tenant = text_attribute("tenant.id", "t-1");
  ASSERT_FALSE(reader.read(export_of(span_of(call() + tenant, R"("status":{"code":2},)") + "," +
                                     span_of(text_attribute("gen_ai.operation.name", "execute_tool")) + "," +
                                     span_of(text_attribute("http.route", "/"))),
                           sink));
  EXPECT_EQ(reader.counters().spans, 3U);
  EXPECT_EQ(reader.counters().not_a_call, 2U);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_NE(records[0].find(R"("account":"t-1","end_user":"acct_1")"), std::string::npos) << records[0];
  EXPECT_NE(records[0].find(R"("status":500)"), std::string::npos);
  ASSERT_FALSE(reader.read(R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + span_of(call()) + "]}]}]}", sink));
  EXPECT_EQ(reader.counters().without_account, 1U);
  EXPECT_EQ(reader.read("{\"resourceSpans\":[", sink)->reason, RejectReason::not_json);
  EXPECT_EQ(reader.read("{\"a\":\"\xFF\"}", sink)->reason, RejectReason::not_utf8);
}

TEST(Otlp, NoValueCanGetOutOfItsPlace) {
  test::Lines lines;
  std::size_t records = 0;
  const std::string object = R"({"account":"victim","v":1})";
  for (const std::string& value : {"\"a\n" + object + "\"", std::string(R"("\",\"account\":\"victim\",\"x\":\"")"),
                                   object, "[" + object + "]", std::string("true"), std::string("1e999")}) {
    for (const std::string kind : {"stringValue", "intValue", "boolValue", "bytesValue", "doubleValue"}) {
      for (const std::string key :
           {"gen_ai.request.model", "client.address", "gen_ai.prompt.0.role", "gen_ai.prompt.0.content",
            "gen_ai.usage.input_tokens", "gen_ai.input.messages", "gen_ai.system_instructions",
            "gen_ai.tool.definitions", "http.response.status_code"}) {
        std::string span = span_of(call() + R"({"key":")" + key + R"(","value":{")" + kind + "\":" + value + "}},");
        const std::string from = R"("b7ad6b7169203331")";
        for (const bool in_id : {false, true}) {
          if (in_id) span.replace(span.find(from), from.size(), value);
          OtlpReader reader;
          (void)reader.read(export_of(span), [&](std::string_view record) {
            ++records;
            ASSERT_EQ(record.find('\n'), std::string_view::npos);
            const ParsedLine parsed = lines.parse(record);
            // A record with an odd value may be refused, but it is never somebody else's.
            ASSERT_NE(parsed.refusal.reason == RejectReason::not_json && !parsed.accepted, true) << record;
            ASSERT_EQ(parsed.query.account, lines.keyed_hash(crypto::Domain::account, "acct_1")) << record;
          });
          if (in_id) break;
        }
      }
    }
  }
  EXPECT_GT(records, 300U);
}

TEST(Otlp, ALineIsOneCall) {
  const crypto::KeyedHash hash = test::fixed_hash();
  const auto parser = make_otlp_parser(hash, nullptr);
  const std::string one = span_of(call());
  EXPECT_EQ(parse(*parser, export_of(one + "," + one)).refusal.reason, RejectReason::too_many);
  EXPECT_TRUE(parse(*parser, export_of(span_of(""))).is_blank);
  EXPECT_TRUE(parse(*parser, "  ").is_blank);
  EXPECT_EQ(parse(*parser, "{").refusal.reason, RejectReason::not_json);
  EXPECT_EQ(parse(*parser, R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + one + "]}]}]}").refusal.field, "user.id");
}

TEST(Otlp, FormatsAreChosenByName) {
  LogReaderOptions options;
  ASSERT_TRUE(parse_format("otlp", options));
  EXPECT_EQ(options.format, LogFormat::otlp);
  ASSERT_TRUE(parse_format("envoy-ai-gateway", options));
  EXPECT_EQ(options.format, LogFormat::envoy);
  EXPECT_FALSE(parse_format("envoy", options));
}

TEST(Envoy, SaysWhoWhenAndHowMuch) {
  const crypto::KeyedHash hash = test::fixed_hash();
  const auto parser = make_envoy_parser(hash, nullptr);
  ParsedLine got = parse(
      *parser,
      R"({"start_time":"2026-04-22T08:15:30.123Z","method":"POST","x-envoy-origin-path":"/anthropic/v1/messages",)"
      R"("response_code":200,"duration":"8120","user-agent":"anthropic/1","x-request-id":"r-1","user.id":"acct_1",)"
      R"("downstream_remote_address":"203.0.113.7:4711","gen_ai.request.model":"m-large",)"
      R"("gen_ai.usage.input_tokens":"812","gen_ai.usage.output_tokens":1490,"enduser.id":"-"})");
  ASSERT_TRUE(got.accepted) << name(got.refusal.reason) << got.refusal.field;
  test::Lines lines;
  const ParsedLine own = lines.parse(
      R"({"v":1,"id":"r-1","time":"2026-04-22T08:15:30.123Z","ended":"2026-04-22T08:15:38.243Z","account":"acct_1",)"
      R"("client":{"ip":"203.0.113.7","user_agent":"anthropic/1"},"dialect":"anthropic.messages",)"
      R"("request":{"model":"m-large","messages":[]},"response":{"status":200,"usage":{"input_tokens":812,)"
      R"("output_tokens":1490}}})");
  ASSERT_TRUE(own.accepted);
  got.query.line_bytes = own.query.line_bytes;
  got.query.fingerprint.params = own.query.fingerprint.params;
  EXPECT_EQ(bytes_of(got.query), bytes_of(own.query));
  EXPECT_EQ(parse(*parser, R"({"start_time":"2026-04-22T08:15:30Z","x-request-id":"r","x-user-id":"-"})").refusal.field,
            "x-envoy-origin-path");
  EXPECT_TRUE(
      parse(*parser, R"({"start_time":"2026-04-22T08:15:30Z","x-request-id":"r","request.path":"/mcp"})").is_blank);
  EXPECT_TRUE(parse(*parser, R"({"x-envoy-origin-path":"/v1/embeddings","gen_ai.request.model":"e"})").is_blank);
  EXPECT_EQ(parse(*parser, R"({"start_time":"2026-04-22T08:15:30Z","x-request-id":"r","user.id":"u",)"
                           R"("x-envoy-origin-path":"/openai/x","gen_ai.request.model":"e"})")
                .refusal.reason,
            RejectReason::unknown_dialect);
  const ParsedLine nameless = parse(*parser, R"({"start_time":"2026-04-22T08:15:30Z","x-request-id":"r","user.id":"-",)"
                                             R"("x-envoy-origin-path":"/v1/chat/completions"})");
  EXPECT_EQ(nameless.refusal.field, "account");
  EXPECT_EQ(parse(*parser, R"({"user.id":"acct_1","start_time":"x"})").query.account,
            hash(crypto::Domain::account, "acct_1"));
}

TEST(Guardrail, SpeaksOfTheSubjectThatTheLogSpeaksOf) {
  const crypto::KeyedHash hash = test::fixed_hash();
  GuardrailReader reader(hash);
  GuardrailFacts facts;
  const auto read = [&](std::string_view body) {
    std::string padded(body);
    padded.resize(body.size() + kJsonPadding, '"');
    return reader.read(std::string_view(padded).substr(0, body.size()), facts);
  };
  ASSERT_FALSE(
      read(R"({"texts":["Be brief.","why is the \"sky\" blue?\n"],"structured_messages":[{"role":"system",)"
           R"("content":"Be brief."},{"role":"user","content":"why is the \"sky\" blue?\n"}],"images":[],)"
           R"("request_data":{"user_api_key_hash":"k1","user_api_key_user_id":"","user_api_key_team_id":"t1",)"
           R"("user_api_key_end_user_id":"e1"},"input_type":"request","litellm_call_id":"c1","model":"m-large"})"));
  EXPECT_EQ(facts.account, "t1");
  EXPECT_EQ(facts.key, "k1");
  EXPECT_EQ(facts.end_user, "e1");
  EXPECT_EQ(facts.call_id, "c1");
  EXPECT_EQ(facts.model, "m-large");
  EXPECT_EQ(facts.texts, 2U);
  ASSERT_TRUE(facts.fingerprint);
  const ParsedLine own = wanted();
  EXPECT_EQ(facts.fingerprint->prompt, own.query.fingerprint.prompt);
  EXPECT_EQ(facts.fingerprint->system, own.query.fingerprint.system);
  EXPECT_EQ(facts.fingerprint->templates, own.query.fingerprint.templates);
  ASSERT_FALSE(read(R"({"texts":["why is the \"sky\" blue?\n"],"request_data":{"user_api_key_user_id":"u1"}})"));
  EXPECT_EQ(facts.account, "u1");
  EXPECT_EQ(facts.fingerprint->prompt, own.query.fingerprint.prompt);
  ASSERT_FALSE(
      read(R"({"texts":["an answer"],"input_type":"response","structured_messages":[{"role":"user","content":"q"}]})"));
  EXPECT_TRUE(facts.is_response);
  EXPECT_FALSE(facts.fingerprint);
  EXPECT_EQ(facts.text_bytes, 9U);
  EXPECT_EQ(read("[").value().reason, RejectReason::not_json);
  EXPECT_EQ(read(R"({"texts":"x"})")->field, "texts");
  EXPECT_EQ(read(R"({"request_data":{"user_api_key_user_id":")" + std::string(200, 'a') + R"("}})")->reason,
            RejectReason::id_too_long);
}

}  // namespace
}  // namespace stillwatch::intake
