// Edits of whole bodies: cases by dialect, and properties against the slow model of json_model.h.
#include "intake/body_edit.h"

#include <gtest/gtest.h>

#include <simdjson.h>

#include "base/random.h"
#include "intake/json_cursor.h"
#include "intake/json_model.h"

namespace stillwatch::intake {
namespace {

using test::Node;
using test::NodeReader;

constexpr Endpoint kEndpoints[] = {Endpoint::chat_completions, Endpoint::completions, Endpoint::responses,
                                   Endpoint::messages};

std::string request(Endpoint endpoint, std::string_view body, Restriction restriction = {}) {
  BodyEditor editor(restriction);
  std::string out;
  switch (editor.edit_request(endpoint, body, out)) {
    case EditOutcome::edited: return out;
    case EditOutcome::unchanged: return std::string(body);
    case EditOutcome::unreadable: break;
  }
  return "unreadable";
}
std::string response(Endpoint endpoint, std::string_view body, Restriction restriction = {}) {
  BodyEditor editor(restriction);
  std::string out;
  switch (editor.edit_response(endpoint, body, out)) {
    case EditOutcome::edited: return out;
    case EditOutcome::unchanged: return std::string(body);
    case EditOutcome::unreadable: break;
  }
  return "unreadable";
}

TEST(BodyEdit, TakesOnlyTheFlagsOutOfAChatRequest) {
  EXPECT_EQ(request(Endpoint::chat_completions,
                    R"({ "model" : "m", "logprobs":true,"top_logprobs": 5 ,"n": 4, "messages":[{"role":"user",)"
                    R"("content":"say \"logprobs\": true, \"n\": 9"}], "reasoning_effort":"high"} )"),
            R"({ "model" : "m" ,"n": 1, "messages":[{"role":"user",)"
            R"("content":"say \"logprobs\": true, \"n\": 9"}]} )");
  EXPECT_EQ(request(Endpoint::chat_completions, R"({"logprobs":true})"), "{}");
  EXPECT_EQ(request(Endpoint::chat_completions, R"({"\u006cogprobs":true,"\u006e":2,"a":{"n":3}})"),
            R"({"\u006e":1,"a":{"n":3}})");
  EXPECT_EQ(request(Endpoint::chat_completions, R"({"n":2,"n":3,"n":1,"logprobs":true,"logprobs":false})"),
            R"({"n":1,"n":1,"n":1,"logprobs":false})");
  EXPECT_EQ(request(Endpoint::completions, R"({"prompt":"x","logprobs":0,"best_of":5})"),
            R"({"prompt":"x","best_of":1})");
}

TEST(BodyEdit, WhatTurnsReasoningOffStays) {
  for (const std::string body :
       {R"({"reasoning_effort":"none"})", R"({"enable_thinking":false,"thinking":{"type":"disabled"}})",
        R"({"reasoning":{"effort":"none"},"include_reasoning":false,"reasoning_effort":null})",
        R"({"chat_template_kwargs":{"enable_thinking":false,"x":1}})"})
    EXPECT_EQ(request(Endpoint::chat_completions, body), body);
  EXPECT_EQ(request(Endpoint::messages, R"({"thinking":{"type":"disabled"}})"), R"({"thinking":{"type":"disabled"}})");
  // The last of a repeated key is what counts upstream.
  EXPECT_EQ(request(Endpoint::messages, R"({"thinking":{"type":"disabled","type":"enabled"},"a":1})"), R"({"a":1})");
  EXPECT_EQ(request(Endpoint::chat_completions, R"({"chat_template_kwargs":{"x":1,"enable_thinking":true}})"),
            R"({"chat_template_kwargs":{"x":1}})");
}

TEST(BodyEdit, ResponsesAndMessagesRequests) {
  EXPECT_EQ(
      request(Endpoint::responses,
              R"({"input":"hi","include":["reasoning.encrypted_content","file_search_call.results",)"
              R"("message.output_text.logprobs"],"reasoning":{"effort":"high","summary":"auto"},"top_logprobs":3})"),
      R"({"input":"hi","include":["file_search_call.results"]})");
  EXPECT_EQ(
      request(Endpoint::messages,
              R"({"thinking":{"type":"enabled","budget_tokens":9000},"max_tokens":99,"context_management":)"
              R"({"edits":[{"type":"clear_thinking_20251015","keep":"all"},{"type":"clear_tool_uses_20250919"}]}})"),
      R"({"max_tokens":99,"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}})");
  EXPECT_EQ(request(Endpoint::anthropic_batches,
                    R"({"requests":[{"custom_id":"a","params":{"thinking":{"type":"adaptive"},"model":"m"}},)"
                    R"({"custom_id":"b","params":{"model":"m"}}]})"),
            R"({"requests":[{"custom_id":"a","params":{"model":"m"}},{"custom_id":"b","params":{"model":"m"}}]})");
  const std::string other = R"({"logprobs":true,"n":5})";
  EXPECT_EQ(request(Endpoint::embeddings, other), other);
}

TEST(BodyEdit, ResponsesOfEachDialect) {
  EXPECT_EQ(response(Endpoint::chat_completions,
                     R"({"choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"hmm","content":"hi",)"
                     R"("provider_specific_fields":{"reasoning_content":"hmm"}},"logprobs":{"content":[]}}],)"
                     R"("usage":{"completion_tokens_details":{"reasoning_tokens":5}}})"),
            R"({"choices":[{"index":0,"message":{"role":"assistant","content":"hi",)"
            R"("provider_specific_fields":{}},"logprobs":null}],)"
            R"("usage":{"completion_tokens_details":{"reasoning_tokens":5}}})");
  EXPECT_EQ(response(Endpoint::messages, R"({"content":[{"type":"thinking","thinking":"t","signature":"s"},)"
                                         R"({"type":"redacted_thinking","data":"x"},{"type":"text","text":"a"}]})"),
            R"({"content":[{"type":"text","text":"a"}]})");
  EXPECT_EQ(response(Endpoint::messages, R"({"content":[{"thinking":"t","type":"thinking"}],"x":1})"),
            R"({"content":[],"x":1})");
  EXPECT_EQ(response(Endpoint::responses,
                     R"({"reasoning":{"effort":"high"},"output":[{"id":"rs_1","type":"reasoning","summary":[{"type":)"
                     R"("summary_text","text":"t"}],"encrypted_content":"gAAA"},{"type":"message","content":[{"type":)"
                     R"("output_text","text":"a","logprobs":[{"token":"a"}]}]}]})"),
            R"({"reasoning":{"effort":"high"},"output":[{"id":"rs_1","type":"reasoning","summary":[]},)"
            R"({"type":"message","content":[{"type":"output_text","text":"a","logprobs":[]}]}]})");
}

TEST(BodyEdit, EachPartOfTheRestrictionAlone) {
  const std::string body = R"({"logprobs":true,"n":3,"thinking":true})";
  EXPECT_EQ(request(Endpoint::chat_completions, body, {true, false, false}), R"({"n":3,"thinking":true})");
  EXPECT_EQ(request(Endpoint::chat_completions, body, {false, true, false}),
            R"({"logprobs":true,"n":1,"thinking":true})");
  EXPECT_EQ(request(Endpoint::chat_completions, body, {false, false, true}), R"({"logprobs":true,"n":3})");
  BodyEditor editor;
  std::string out;
  ASSERT_EQ(editor.edit_request(Endpoint::chat_completions, body, out), EditOutcome::edited);
  EXPECT_EQ(names_of(editor.summary()), "logprobs, n, reasoning");
  ASSERT_EQ(editor.edit_request(Endpoint::chat_completions, R"({"n":1})", out), EditOutcome::unchanged);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(names_of(editor.summary()), "");
}

TEST(BodyEdit, WhatIsNotJsonIsSaidToBe) {
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += R"({"a":)";
  for (const std::string body : {"", "{", "nul", R"({"a":1,})", R"({"a":01})", R"({"a":1} x)", R"({"logprobs":true,"b)",
                                 R"({"a":"\u12"x})", R"([1 2])", deep.c_str()})
    EXPECT_EQ(request(Endpoint::chat_completions, body), "unreadable") << body;
  EXPECT_EQ(request(Endpoint::chat_completions, "[1]"), "[1]");
}

/// Random JSON with the keys and words that matter in all places, sound or not.
class Wild {
 public:
  explicit Wild(std::uint64_t seed) : random_(seed) {}
  std::string body(Endpoint endpoint) {
    out_.clear();
    endpoint_ = endpoint;
    object(0);
    return out_;
  }

 private:
  void space() {
    if (random_.chance(0.1)) out_ += random_.chance(0.5) ? " " : "\n\t";
  }
  std::string_view pick(std::initializer_list<std::string_view> from) {
    return from.begin()[random_.below(from.size())];
  }
  void key(std::size_t depth) {
    std::string_view name = pick({"logprobs",
                                  "top_logprobs",
                                  "n",
                                  "best_of",
                                  "reasoning",
                                  "thinking",
                                  "type",
                                  "content",
                                  "reasoning_effort",
                                  "summary",
                                  "delta",
                                  "message",
                                  "include",
                                  "encrypted_content",
                                  "reasoning_content",
                                  "x",
                                  "index",
                                  "effort",
                                  "chat_template_kwargs",
                                  "edits",
                                  "role",
                                  "usage",
                                  "enable_thinking",
                                  "provider_specific_fields",
                                  "prompt_logprobs"});
    if (depth == 0 && random_.chance(0.6))
      name = pick({"choices", "output", "content", "include", "context_management", "logprobs", "n"});
    if (depth == 2 && endpoint_ == Endpoint::chat_completions && random_.chance(0.5)) name = pick({"message", "delta"});
    if (random_.chance(0.05))
      out_ += "\"\\u00" + std::string("6") + "e\"";
    else
      out_.append("\"").append(name).append("\"");
  }
  void object(std::size_t depth) {
    out_ += '{';
    for (std::uint64_t left = random_.below(5); left > 0; --left) {
      space();
      key(depth);
      space();
      out_ += ':';
      space();
      value(depth + 1);
      space();
      if (left > 1) out_ += ',';
    }
    out_ += '}';
  }
  void value(std::size_t depth) {
    const std::uint64_t kind = random_.below(depth > 6 ? 4 : 9);
    if (kind >= 6) return object(depth);
    if (kind >= 4) {
      out_ += '[';
      for (std::uint64_t left = random_.below(4); left > 0; --left) {
        space();
        random_.chance(0.7) && depth < 6 ? object(depth + 1) : value(depth + 1);
        space();
        if (left > 1) out_ += ',';
      }
      out_ += ']';
      return;
    }
    out_ += kind == 0 ? pick({"null", "true", "false"})
            : kind == 1
                ? pick({"0", "1", "-2", "3.5e1", "12"})
                : pick({R"("thinking")", R"("reasoning")", R"("none")", R"("disabled")", R"("")", R"("a\"}{\\")",
                        R"("reasoning.encrypted_content")", R"("message.output_text.logprobs")", R"("summary_text")",
                        R"("clear_thinking_1")", R"("\"logprobs\":1")", R"("t\u0068inking")"});
  }

  base::Random random_;
  std::string out_;
  Endpoint endpoint_ = Endpoint::other;
};

TEST(BodyEdit, DoesWhatTheSlowModelDoes) {
  Wild wild(11);
  std::size_t edited = 0;
  BodyEditor editor;
  for (int round = 0; round < 20'000; ++round) {
    const Endpoint endpoint = kEndpoints[round % 4];
    const std::string body = wild.body(endpoint);
    const auto tree = NodeReader::read(body);
    ASSERT_TRUE(tree) << body;
    for (const bool is_request : {true, false}) {
      std::string out, again;
      const auto edit = [&](std::string_view text, std::string& into) {
        return is_request ? editor.edit_request(endpoint, text, into) : editor.edit_response(endpoint, text, into);
      };
      const EditOutcome outcome = edit(body, out);
      ASSERT_NE(outcome, EditOutcome::unreadable) << body;
      ASSERT_EQ(editor.summary().any(), outcome == EditOutcome::edited) << body;
      edited += static_cast<std::size_t>(outcome == EditOutcome::edited);
      Node wanted = *tree;
      is_request ? test::restrict_request(wanted, endpoint) : test::restrict_response(wanted, endpoint);
      const auto got = NodeReader::read(outcome == EditOutcome::edited ? out : body);
      ASSERT_TRUE(got) << body << "\n" << out;
      ASSERT_EQ(got->write(), wanted.write()) << body;
      // Nothing to change means nothing changed, and twice is once.
      if (outcome == EditOutcome::unchanged) {
        ASSERT_EQ(tree->write(), wanted.write()) << body;
      }
      if (outcome == EditOutcome::edited) {
        ASSERT_EQ(edit(out, again), EditOutcome::unchanged) << body << "\n" << out;
      }
    }
  }
  EXPECT_GT(edited, 5'000U);
}

TEST(JsonCursor, TakesWhatTwoOtherReadersTake) {
  Wild wild(5);
  base::Random random(6);
  simdjson::dom::parser parser;
  std::size_t sound = 0, broken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string body = wild.body(kEndpoints[round % 4]);
    constexpr std::string_view kBytes = "{}[]\":,\\01e.-tn ";
    for (std::uint64_t left = random.below(3); left > 0 && !body.empty(); --left)
      body[random.below(body.size())] = kBytes[random.below(kBytes.size())];
    JsonCursor cursor(body);
    const bool is_sound = cursor.skip() && cursor.at_end();
    ASSERT_EQ(is_sound, NodeReader::read(body).has_value()) << body;
    // simdjson looks into escapes and control characters too; what it takes we take.
    if (parser.parse(body).error() == simdjson::SUCCESS) {
      ASSERT_TRUE(is_sound) << body;
    }
    ++(is_sound ? sound : broken);
  }
  EXPECT_GT(sound, 3'000U);
  EXPECT_GT(broken, 3'000U);
}

}  // namespace
}  // namespace stillwatch::intake
