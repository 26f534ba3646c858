// What is read of request bodies, and which path has which dialect.
#include "intake/request_facts.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "intake/body_edit.h"
#include "intake/body_reader.h"

namespace stillwatch::intake {
namespace {

struct Read {
  std::optional<Refusal> refusal;
  RequestFacts facts;
};

Read read(Endpoint endpoint, std::string_view body) {
  static RequestFactsReader reader;
  std::string padded(body);
  padded.resize(body.size() + kJsonPadding, '"');
  Read out;
  out.refusal = reader.read(endpoint, std::string_view(padded).substr(0, body.size()), out.facts);
  return out;
}

TEST(RequestFacts, OfAChatRequest) {
  const auto [refusal, facts] = read(
      Endpoint::chat_completions,
      R"({"messages":[{"role":"user","content":"\"n\":9"}],"model":"m-large","stream":true,"stream_options":)"
      R"({"include_usage":true},"n":3,"logprobs":true,"top_logprobs":5,"max_tokens":100,"max_completion_tokens":200,)"
      R"("user":"u","safety_identifier":"s","reasoning_effort":"high","metadata":{"user_id":"no"}})");
  ASSERT_FALSE(refusal);
  EXPECT_EQ(facts.model, "m-large");
  EXPECT_EQ(facts.end_user, "s");
  EXPECT_TRUE(facts.stream);
  EXPECT_TRUE(facts.wants_usage_in_stream);
  EXPECT_EQ(facts.n, 3);
  EXPECT_TRUE(facts.logprobs);
  EXPECT_EQ(facts.top_logprobs, 5);
  EXPECT_EQ(facts.output_tokens_max, 200);
  EXPECT_TRUE(facts.reasoning);
  EXPECT_FALSE(facts.encrypted_reasoning);
  EXPECT_FALSE(facts.is_batch);
  EXPECT_EQ(tokens_to_reserve(facts, 50), facts.input_tokens + 600);
}

TEST(RequestFacts, OfTheOtherDialects) {
  RequestFacts facts = read(Endpoint::responses, R"({"model":"m","input":"x","reasoning":{"effort":"low"},)"
                                                 R"("include":["reasoning.encrypted_content"],"max_output_tokens":7})")
                           .facts;
  EXPECT_TRUE(facts.reasoning);
  EXPECT_TRUE(facts.encrypted_reasoning);
  EXPECT_EQ(facts.output_tokens_max, 7);
  facts = read(Endpoint::messages, R"({"model":"m","thinking":{"type":"enabled","budget_tokens":1},"max_tokens":9,)"
                                   R"("metadata":{"user_id":"u"},"logprobs":true})")
              .facts;
  EXPECT_TRUE(facts.reasoning);
  EXPECT_FALSE(facts.logprobs);
  EXPECT_EQ(facts.end_user, "u");
  EXPECT_EQ(tokens_to_reserve(facts, 50), facts.input_tokens + 9);
  facts = read(Endpoint::completions, R"({"prompt":["a","b"],"logprobs":0,"best_of":4,"n":2})").facts;
  EXPECT_TRUE(facts.is_batch);
  EXPECT_TRUE(facts.logprobs);
  EXPECT_EQ(facts.n, 4);
  EXPECT_FALSE(read(Endpoint::completions, R"({"prompt":"a"})").facts.is_batch);
  EXPECT_TRUE(read(Endpoint::embeddings, R"({"input":[[1,2],[3]]})").facts.is_batch);
  EXPECT_FALSE(read(Endpoint::embeddings, R"({"input":[1,2,3]})").facts.is_batch);
  EXPECT_TRUE(read(Endpoint::anthropic_batches, "anything").facts.is_batch);
  EXPECT_FALSE(read(Endpoint::other, "anything").refusal);
}

TEST(RequestFacts, WhatTurnsReasoningOffDoesNotAskForIt) {
  EXPECT_FALSE(read(Endpoint::messages, R"({"thinking":{"type":"disabled"}})").facts.reasoning);
  EXPECT_FALSE(read(Endpoint::responses, R"({"reasoning":null})").facts.reasoning);
  EXPECT_FALSE(
      read(Endpoint::chat_completions, R"({"reasoning_effort":"none","include_reasoning":false})").facts.reasoning);
  EXPECT_TRUE(
      read(Endpoint::chat_completions, R"({"enable_thinking":true,"reasoning_effort":"none"})").facts.reasoning);
  EXPECT_FALSE(read(Endpoint::chat_completions, R"({"messages":[{"thinking":true}]})").facts.reasoning);
}

TEST(RequestFacts, TheLastOfARepeatedKeyCounts) {
  const RequestFacts facts =
      read(Endpoint::chat_completions, R"({"model":"a","n":9,"stream":true,"model":"b","n":2,"stream":false})").facts;
  EXPECT_EQ(facts.model, "b");
  EXPECT_EQ(facts.n, 2);
  EXPECT_FALSE(facts.stream);
}

TEST(RequestFacts, BadBodiesAreRefusedByReason) {
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += R"({"a":)";
  EXPECT_EQ(read(Endpoint::chat_completions, "").refusal->reason, RejectReason::not_json);
  EXPECT_EQ(read(Endpoint::chat_completions, "[]").refusal->reason, RejectReason::not_json);
  EXPECT_EQ(read(Endpoint::chat_completions, R"({"model":"m"} {)").refusal->reason, RejectReason::not_json);
  EXPECT_EQ(read(Endpoint::chat_completions, R"({"model":5})").refusal->reason, RejectReason::wrong_type);
  EXPECT_EQ(read(Endpoint::chat_completions, R"({"n":"many"})").refusal->field, "request.n");
  EXPECT_EQ(read(Endpoint::chat_completions, deep).refusal->reason, RejectReason::too_deep);
  // What a client makes up neither overflows nor shrinks a reservation.
  const RequestFacts facts = read(Endpoint::chat_completions, R"({"n":1e18,"max_tokens":1e18})").facts;
  EXPECT_GT(tokens_to_reserve(facts, 1), std::uint64_t{1} << 40);
  EXPECT_EQ(tokens_to_reserve(read(Endpoint::chat_completions, R"({"n":-4,"max_tokens":-1})").facts, 10), 10U + 6U);
}

TEST(RequestFacts, TheEditorLeavesNothingToAskFor) {
  base::Random random(3);
  constexpr std::string_view kMembers[] = {
      R"("n":4)",
      R"("logprobs":true)",
      R"("top_logprobs":2)",
      R"("reasoning_effort":"low")",
      R"("thinking":{"type":"enabled"})",
      R"("reasoning":{"effort":"high"})",
      R"("model":"m")",
      R"("include":["reasoning.encrypted_content","message.output_text.logprobs"])",
      R"("best_of":3)",
      R"("messages":[])",
      R"("stream":true)"};
  BodyEditor editor;
  std::size_t edited = 0;
  for (int round = 0; round < 3'000; ++round) {
    std::string body = "{";
    for (std::uint64_t left = random.below(6); left > 0; --left)
      body.append(body.size() > 1 ? "," : "").append(kMembers[random.below(std::size(kMembers))]);
    body += '}';
    for (const Endpoint endpoint :
         {Endpoint::chat_completions, Endpoint::completions, Endpoint::responses, Endpoint::messages}) {
      const Read before = read(endpoint, body);
      ASSERT_FALSE(before.refusal);
      std::string out;
      const bool is_edited = editor.edit_request(endpoint, body, out) == EditOutcome::edited;
      edited += static_cast<std::size_t>(is_edited);
      const RequestFacts after = is_edited ? read(endpoint, out).facts : before.facts;
      ASSERT_FALSE(after.logprobs || after.reasoning || after.encrypted_reasoning) << body;
      ASSERT_EQ(after.n, 1) << body;
      ASSERT_EQ(after.model, before.facts.model);
      ASSERT_EQ(after.stream, before.facts.stream);
    }
  }
  EXPECT_GT(edited, 3'000U);
}

TEST(EndpointOfPath, KnowsTheApiAndPassesTheRest) {
  EXPECT_EQ(dialect_of_path("/v1/chat/completions"), event::Dialect::openai_chat);
  EXPECT_EQ(dialect_of_path("/v1/responses?x=1"), event::Dialect::openai_responses);
  EXPECT_EQ(dialect_of_path("/v1/messages/"), event::Dialect::anthropic_messages);
  EXPECT_EQ(dialect_of_path("/v1/completions"), event::Dialect::text);
  for (const char* const path :
       {"/v1/embeddings", "/v1/models", "/v1/messages/count_tokens", "/v1/responses/resp_1", "/v1/files",
        "/v2/messages", "", "/", "/v1", "/v1/chat/completions/x", "//v1/messages"})
    EXPECT_FALSE(dialect_of_path(path)) << path;
  EXPECT_EQ(endpoint_of_path("/v1/messages/count_tokens"), Endpoint::count_tokens);
  EXPECT_EQ(endpoint_of_path("/v1/models/m-large"), Endpoint::models);
  EXPECT_TRUE(is_batch(endpoint_of_path("/v1/messages/batches")));
  EXPECT_EQ(family_of_path("/v1/messages/batches/b/results", false), ApiFamily::anthropic);
  EXPECT_EQ(family_of_path("/v1/models", true), ApiFamily::anthropic);
  EXPECT_EQ(family_of_path("/v1/models", false), ApiFamily::openai);
  EXPECT_EQ(family_of_path("/v1/chat/completions", true), ApiFamily::openai);
}

}  // namespace
}  // namespace stillwatch::intake
