// Usage, stop reasons and errors of each dialect, unary and streamed; the same however the bytes are cut.
#include "intake/response_reader.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace stillwatch::intake {
namespace {

ResponseFacts read(Endpoint endpoint, ResponseForm form, std::string_view bytes, base::Random* cuts = nullptr,
                   ResponseLimits limits = {}) {
  ResponseReader reader(endpoint, form, limits);
  while (!bytes.empty()) {
    const std::size_t size = cuts == nullptr ? bytes.size() : 1 + cuts->below(std::min<std::size_t>(bytes.size(), 30));
    reader.feed(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return reader.finish();
}

std::string told(const ResponseFacts& facts) {
  std::string out = facts.model + "|" + facts.stop + "|" + facts.error_type;
  for (const std::uint64_t number : {std::uint64_t{facts.input_tokens}, std::uint64_t{facts.output_tokens},
                                     std::uint64_t{facts.reasoning_tokens}, std::uint64_t{facts.cached_tokens}})
    out += "|" + std::to_string(number);
  if (facts.has_usage) out += " usage";
  if (facts.is_estimated) out += " estimated";
  if (facts.is_complete) out += " complete";
  if (facts.has_error) out += " error";
  return out;
}

struct Case {
  Endpoint endpoint;
  ResponseForm form;
  std::string bytes, wanted;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> value{
      {Endpoint::chat_completions, ResponseForm::unary,
       R"({"model":"m","choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":9}"},"finish_reason":"stop"}],)"
       R"("usage":{"prompt_tokens":12,"completion_tokens":34,"prompt_tokens_details":{"cached_tokens":4},)"
       R"("completion_tokens_details":{"reasoning_tokens":5}}})",
       "m|stop||12|34|5|4 usage complete"},
      {Endpoint::responses, ResponseForm::unary,
       R"({"model":"m","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"error":null,)"
       R"("output":[{"usage":{"input_tokens":1}}],"usage":{"input_tokens":12,"output_tokens":34,)"
       R"("output_tokens_details":{"reasoning_tokens":5},"input_tokens_details":{"cached_tokens":4}}})",
       "m|max_output_tokens||12|34|5|4 usage complete"},
      {Endpoint::messages, ResponseForm::unary,
       R"({"type":"message","model":"m","content":[],"stop_reason":"end_turn","usage":{"input_tokens":10,)"
       R"("cache_creation_input_tokens":3,"cache_read_input_tokens":2,"output_tokens":34}})",
       "m|end_turn||15|34|0|2 usage complete"},
      {Endpoint::count_tokens, ResponseForm::unary, R"({"input_tokens":14})", "|||14|0|0|0 usage complete"},
      {Endpoint::embeddings, ResponseForm::unary,
       R"({"data":[],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}})", "e|||8|0|0|0 usage complete"},
      {Endpoint::models, ResponseForm::unary, R"({"data":[{"id":"m"}]})", "|||0|0|0|0 complete"},
      {Endpoint::chat_completions, ResponseForm::unary,
       R"({"error":{"message":"secret","type":"invalid_request_error","code":"bad"}})",
       "||invalid_request_error|0|0|0|0 complete error"},
      {Endpoint::messages, ResponseForm::unary, R"({"type":"error","error":{"type":"overloaded_error","message":"x"}})",
       "||overloaded_error|0|0|0|0 complete error"},
      {Endpoint::chat_completions, ResponseForm::stream,
       "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
       "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}],\"usage\":null}\n\n"
       "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}\n\ndata: [DONE]\n\n",
       "m|stop||12|34|0|0 usage complete"},
      // Without include_usage: deltas count.
      {Endpoint::chat_completions, ResponseForm::stream,
       "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n"
       "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"b\"}}]}\r\n\r\n"
       "data: {\"choices\":[{\"delta\":{\"content\":\"c\"},\"finish_reason\":\"length\"}]}\r\n\r\n",
       "m|length||0|3|0|0 estimated complete"},
      {Endpoint::messages, ResponseForm::stream,
       "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":"
       "{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n"
       "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
       "data: "
       "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"output_tokens\":34}}\n\n"
       "data: {\"type\":\"message_stop\"}\n\n",
       "m|max_tokens||15|34|0|5 usage complete"},
      // Broken off: what came is estimated, not the one token that the beginning told.
      {Endpoint::messages, ResponseForm::stream,
       "data: "
       "{\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}"
       "\n\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hi\"}}\n\n"
       "data: {\"type\":\"content_block_delta\",\"delta\":{\"thinking\":\"Hi\"}}\n\nevent: error\n"
       "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
       "m||overloaded_error|10|2|0|0 usage estimated error"},
      {Endpoint::responses, ResponseForm::stream,
       "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"model\":\"m\",\"status\":"
       "\"in_progress\",\"usage\":null,\"error\":null}}\n\n"
       "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n"
       "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":12,"
       "\"output_tokens\":34,\"output_tokens_details\":{\"reasoning_tokens\":30}}}}\n\n",
       "m|completed||12|34|30|0 usage complete"},
  };
  return value;
}

TEST(ResponseReader, TellsWhatEachDialectTold) {
  base::Random random(1);
  for (const Case& one : cases()) {
    EXPECT_EQ(told(read(one.endpoint, one.form, one.bytes)), one.wanted) << one.bytes;
    for (int round = 0; round < 50; ++round)
      ASSERT_EQ(told(read(one.endpoint, one.form, one.bytes, &random)), one.wanted) << one.bytes;
  }
}

TEST(ResponseReader, AnythingCutOffIsEstimatedOrKnown) {
  for (const Case& one : cases()) {
    for (std::size_t size = 0; size < one.bytes.size(); ++size) {
      const ResponseFacts facts = read(one.endpoint, one.form, std::string_view(one.bytes).substr(0, size));
      EXPECT_EQ(facts.bytes, size);
      // A cut unary body has no end, so no facts but its size.
      if (one.form == ResponseForm::unary) {
        EXPECT_FALSE(facts.is_complete);
      }
      const bool answers = dialect_of_endpoint(one.endpoint).has_value() && size > 20;
      if (answers && one.form == ResponseForm::unary && !facts.has_usage && !facts.has_error) {
        EXPECT_TRUE(facts.is_estimated);
      }
    }
  }
}

TEST(ResponseReader, KeepsTheTextOfAnAnswerWhenToldTo) {
  const auto event = [](const std::string& data) { return "data: " + data + "\n\n"; };
  const std::string chat = event(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"The sea "}}]})") +
                           event(R"({"choices":[{"index":1,"delta":{"content":"another choice"}}]})") +
                           event(R"({"choices":[{"index":0,"delta":{"reasoning_content":"thinking"}}]})") +
                           event(R"({"choices":[{"index":0,"delta":{"content":"is \u00fcber\nblue"}}]})") +
                           event("[DONE]");
  const std::string messages = event(R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta",)"
                                     R"("thinking":"hm"}})") +
                               event(R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta",)"
                                     R"("text":"The sea is \u00fcber\nblue"}})");
  const std::string responses = event(R"({"type":"response.reasoning_summary_text.delta","delta":"hm"})") +
                                event(R"({"type":"response.output_text.delta","delta":"The sea is "})") +
                                event(R"({"type":"response.output_text.delta","delta":"\u00fcber\nblue"})");
  ResponseLimits limits;
  limits.reply_bytes_max = 1'000;
  base::Random random(7);
  for (const auto& [endpoint, bytes] : {std::pair{Endpoint::chat_completions, chat},
                                        {Endpoint::messages, messages},
                                        {Endpoint::responses, responses}}) {
    EXPECT_EQ(read(endpoint, ResponseForm::stream, bytes, &random, limits).reply, "The sea is \u00fcber\nblue");
    EXPECT_EQ(read(endpoint, ResponseForm::stream, bytes).reply, "");
    ResponseLimits few;
    few.reply_bytes_max = 7;
    EXPECT_EQ(read(endpoint, ResponseForm::stream, bytes, &random, few).reply, "The sea");
  }
  const std::string body = R"({"choices":[{"message":{"content":"The sea"}}],"usage":{"completion_tokens":2}})";
  EXPECT_EQ(read(Endpoint::chat_completions, ResponseForm::unary, body, &random, limits).reply, body);
  limits.reply_bytes_max = body.size() - 1;
  EXPECT_EQ(read(Endpoint::chat_completions, ResponseForm::unary, body, &random, limits).reply, "");
  EXPECT_EQ(
      read(Endpoint::chat_completions, ResponseForm::unary, R"({"error":{"message":"no"}})", nullptr, limits).reply,
      "");
}

TEST(ResponseReader, BeyondALimitItCountsAndGoesOn) {
  ResponseLimits limits;
  limits.event_bytes_max = 300;
  limits.unary_bytes_max = 300;
  const std::string big = "data: {\"x\":\"" + std::string(1'000, 'a') + "\"}\n\n", bad = "data: {\"x\n\n";
  base::Random random(2);
  for (int round = 0; round < 100; ++round) {
    const ResponseFacts facts =
        read(Endpoint::chat_completions, ResponseForm::stream, big + bad + cases()[8].bytes, &random, limits);
    ASSERT_EQ(facts.events_skipped, 1U);
    ASSERT_EQ(facts.events_unreadable, 1U);
    ASSERT_EQ(told(facts), cases()[8].wanted);
  }
  const ResponseFacts unary =
      read(Endpoint::chat_completions, ResponseForm::unary, std::string(4'000, 'x'), &random, limits);
  EXPECT_EQ(told(unary), "|||0|1000|0|0 estimated");
  EXPECT_EQ(told(read(Endpoint::messages, ResponseForm::opaque, "0123456789")), "|||0|10|0|0 estimated");
  EXPECT_EQ(told(read(Endpoint::models, ResponseForm::opaque, "0123456789")), "|||0|0|0|0");
}

TEST(ResponseReader, FormFollowsTheHeaders) {
  EXPECT_EQ(response_form("application/json; charset=utf-8", ""), ResponseForm::unary);
  EXPECT_EQ(response_form("Text/Event-Stream", "identity"), ResponseForm::stream);
  EXPECT_EQ(response_form("text/event-stream", "gzip"), ResponseForm::opaque);
  EXPECT_EQ(response_form("application/json", "gzip, identity"), ResponseForm::opaque);
  EXPECT_EQ(response_form("", ""), ResponseForm::opaque);
}

TEST(ResponseReader, HostileNumbersAndNamesStayInTheirBounds) {
  const std::string name(500, 'm');
  const ResponseFacts facts = read(Endpoint::chat_completions, ResponseForm::unary,
                                   R"({"model":")" + name + R"(","error":{"type":")" + name +
                                       R"("},"usage":{"prompt_tokens":1e300,"completion_tokens":-5}})");
  EXPECT_EQ(facts.model.size(), 128U);
  EXPECT_EQ(facts.error_type.size(), 64U);
  EXPECT_EQ(facts.input_tokens, UINT32_MAX);
  EXPECT_EQ(facts.output_tokens, 0U);
  // Cut at a character.
  const ResponseFacts wide = read(
      Endpoint::chat_completions, ResponseForm::unary, R"({"model":"a)" + [] {
        std::string text;
        for (int i = 0; i < 100; ++i) text += "\xC3\xA4";
        return text;
      }() + R"("})");
  EXPECT_EQ(wide.model.size(), 127U);
}

}  // namespace
}  // namespace stillwatch::intake
