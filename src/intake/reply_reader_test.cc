#include "intake/reply_reader.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "intake/parser_fixture.h"

namespace stillwatch::intake {
namespace {

using event::Dialect;

std::string reply_in(Dialect dialect, std::string json) {
  static ReplyReader reader;
  const std::size_t size = json.size();
  json.resize(size + kJsonPadding, '"');
  return std::string(reader.read(dialect, std::string_view(json).substr(0, size)));
}

TEST(ReplyReader, ReadsEveryDialect) {
  EXPECT_EQ(
      reply_in(Dialect::openai_chat, R"({"choices":[{"index":0,"message":{"role":"assistant","content":"a\nb"}}]})"),
      "a\nb");
  EXPECT_EQ(
      reply_in(Dialect::openai_chat,
               R"({"choices":[{"message":{"content":[{"type":"text","text":"a"}]}},{"message":{"content":"b"}}]})"),
      "a\nb");
  EXPECT_EQ(reply_in(Dialect::openai_responses,
                     R"({"output":[{"type":"reasoning","summary":[{"text":"no"}]},{"type":"message","content":)"
                     R"([{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]}]})"),
            "a");
  EXPECT_EQ(reply_in(Dialect::anthropic_messages,
                     R"({"content":[{"type":"thinking","thinking":"no"},{"text":"a","type":"text"},)"
                     R"({"type":"tool_use","input":{"text":"no"}},{"type":"text","text":"b"}]})"),
            "a\nb");
  EXPECT_EQ(reply_in(Dialect::text, R"({"text":"a"})"), "a");
  EXPECT_EQ(reply_in(Dialect::text, R"({"choices":[{"text":"a"},{"text":"b"}]})"), "a\nb");
}

TEST(ReplyReader, AnythingElseHasNoText) {
  for (const Dialect dialect :
       {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic_messages, Dialect::text}) {
    for (const char* json :
         {"", "{}", "[]", "\"choices\"", R"({"error":{"message":"overloaded"}})", R"({"choices":null,"content":3})",
          R"({"choices":[null,4,{"message":null}],"output":[[]],"content":[{"type":"text","text":5}]})",
          "{\"choices\":[", R"({"content":[{"type":["text"],"text":"a"}]})"}) {
      EXPECT_EQ(reply_in(dialect, json), "") << json;
    }
  }
  EXPECT_EQ(reply_in(Dialect::anthropic_messages, R"({"content":"first","content":[{"type":"text","text":"last"}]})"),
            "last");
}

std::string record(const std::string& account, const std::string& prompt, const std::string& rest) {
  return R"({"v":1,"id":"r","time":"2026-04-22T08:15:30Z","account":")" + account +
         R"(","dialect":"openai.chat","request":{"model":"m","messages":[{"role":"user","content":")" + prompt +
         R"("}]})" + rest + "}";
}

const std::string kReply =
    "Write a function that merges two sorted lists of intervals, keeps the colour of the longer one where they "
    "overlap, "
    "and explain in one paragraph why it needs no more than linear time and no further memory than its result.";
const std::string kBody = R"("body":{"choices":[{"message":{"role":"assistant","content":")" + kReply + R"("}}]})";

TEST(ReplyOfARecord, MeetsThePromptThatQuotesIt) {
  test::Lines lines;
  const auto given = lines.parse(record("a", "Rewrite it.", R"(,"response":{"status":200,)" + kBody + "}"));
  ASSERT_TRUE(given.accepted);
  const auto quoting = lines.parse(record(
      "b", "#Given#:\\n\\\"" + kReply + "\\\"\\n#Rewritten#:", R"(,"response":{"status":200,"body":{"choices":[]}})"));
  ASSERT_TRUE(quoting.accepted);
  int met = 0;
  for (const auto reply : given.query.fingerprint.replies) {
    for (const auto quote : quoting.query.fingerprint.quotes) met += reply != 0 && reply == quote ? 1 : 0;
  }
  EXPECT_GE(met, 2);
  EXPECT_EQ(quoting.query.fingerprint.replies, event::Fingerprint{}.replies) << "nothing of the record before";
}

TEST(ReplyOfARecord, OrderOfFieldsMakesNoDifference) {
  test::Lines lines;
  const std::string response = R"("response":{"status":200,)" + kBody + R"(,"usage":{"output_tokens":7}})";
  const std::string after = record("a", "Rewrite it.", "," + response);
  const std::string before = "{" + response + "," + record("a", "Rewrite it.", "").substr(1);
  const std::string swapped =
      record("a", "Rewrite it.", R"(,"response":{"usage":{"output_tokens":7},)" + kBody + R"(,"status":200})");
  const auto expected = test::bytes_of(lines.parse(after).query);
  EXPECT_NE(lines.parse(after).query.fingerprint.replies[0], 0U);
  EXPECT_EQ(test::bytes_of(lines.parse(before).query), expected);
  EXPECT_EQ(test::bytes_of(lines.parse(swapped).query).size(), expected.size());
  EXPECT_EQ(lines.parse(swapped).query.fingerprint, lines.parse(after).query.fingerprint);
  // A later response counts alone, and a key that is repeated in the request, which is then read twice, drops nothing.
  EXPECT_EQ(lines.parse(record("a", "Rewrite it.", "," + response + R"(,"response":{"status":200})"))
                .query.fingerprint.replies,
            event::Fingerprint{}.replies);
  const std::string repeated = record("a", R"(x","content":"Rewrite it.)", "," + response);
  EXPECT_EQ(lines.parse(repeated).query.fingerprint.replies, lines.parse(after).query.fingerprint.replies);
}

TEST(ReplyOfARecord, AFingerprintCarriesIt) {
  test::Lines lines;
  const auto whole = lines.parse(record("a", "Rewrite it.", R"(,"response":{"status":200,)" + kBody + "}"));
  const std::string kept = base::base64_encode(text::encode(whole.query.fingerprint));
  const auto again =
      lines.parse(R"({"v":1,"id":"r","time":"2026-04-22T08:15:30Z","account":"a","dialect":"openai.chat","response":)"
                  R"({"status":200},"fingerprint":{"v":3,"b":")" +
                  kept + "\"}}");
  ASSERT_TRUE(again.accepted) << again.refusal.field;
  EXPECT_EQ(again.query.fingerprint, whole.query.fingerprint);
}

TEST(ReplyOfARecord, ABrokenBodyIsNoReasonToRefuse) {
  test::Lines lines;
  for (const char* body :
       {R"("body":null)", R"("body":"text")", R"("body":[1])", R"("body":{"choices":[{"message":7}]})",
        R"("body":{"usage":{"completion_tokens":3},"choices":"x"})"}) {
    const auto parsed =
        lines.parse(record("a", "Rewrite it.", std::string(R"(,"response":{"status":200,)") + body + "}"));
    EXPECT_TRUE(parsed.accepted) << body;
    EXPECT_EQ(parsed.query.fingerprint.replies, event::Fingerprint{}.replies);
  }
}

}  // namespace
}  // namespace stillwatch::intake
