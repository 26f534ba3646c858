#include "policy/refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <fstream>

#include "base/event_time.h"
#include "base/random.h"
#include "policy/limit_headers.h"

namespace stillwatch::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Not;

constexpr std::int64_t kSecondUs = base::kSecondUs;

TEST(Refusal, StatusesAndTypesOfBothDialects) {
  struct Row {
    RefusalKind kind;
    std::uint16_t openai;
    std::uint16_t anthropic;
    const char* anthropic_type;
  };
  for (const Row& row :
       {Row{RefusalKind::authentication, 401, 401, "authentication_error"},
        Row{RefusalKind::permission, 403, 403, "permission_error"},
        Row{RefusalKind::not_found, 404, 404, "not_found_error"},
        Row{RefusalKind::invalid_request, 400, 400, "invalid_request_error"},
        Row{RefusalKind::too_large, 413, 413, "request_too_large"},
        Row{RefusalKind::rate_limit, 429, 429, "rate_limit_error"}, Row{RefusalKind::internal, 500, 500, "api_error"},
        Row{RefusalKind::upstream, 502, 502, "api_error"}, Row{RefusalKind::overloaded, 503, 529, "overloaded_error"},
        Row{RefusalKind::timeout, 504, 504, "timeout_error"},
        Row{RefusalKind::slow_request, 408, 408, "timeout_error"}}) {
    EXPECT_EQ(status_of(row.kind, ErrorDialect::openai), row.openai);
    EXPECT_EQ(status_of(row.kind, ErrorDialect::anthropic), row.anthropic);
    EXPECT_EQ(type_of(row.kind, ErrorDialect::anthropic), row.anthropic_type);
  }
}

TEST(Refusal, BodiesAreThoseOfTheDialect) {
  Refusal refusal;
  refusal.kind = RefusalKind::invalid_request;
  refusal.code = "n_too_large";
  refusal.message = "n may be at most 1 with this API key.";
  refusal.param = "n";
  const RenderedRefusal openai = render(refusal, ErrorDialect::openai, "req_7");
  EXPECT_EQ(openai.body,
            R"({"error":{"type":"invalid_request_error","message":"n may be at most 1 with this API key.",)"
            R"("param":"n","code":"n_too_large"}})");
  EXPECT_THAT(openai.fields, Contains(policy::Field{"x-request-id", "req_7"}));
  EXPECT_THAT(openai.fields, Contains(policy::Field{"x-should-retry", "false"}));
  const RenderedRefusal anthropic = render(refusal, ErrorDialect::anthropic, "req_7");
  EXPECT_EQ(anthropic.body, R"({"type":"error","error":{"type":"invalid_request_error",)"
                            R"("message":"n may be at most 1 with this API key.","code":"n_too_large",)"
                            R"("details":{"error_code":"n_too_large"},"param":"n"},)"
                            R"("request_id":"req_7"})");
  EXPECT_THAT(anthropic.fields, Contains(policy::Field{"request-id", "req_7"}));
  refusal.param = {};
  EXPECT_EQ(render(refusal, ErrorDialect::openai, "").body,
            R"({"error":{"type":"invalid_request_error","message":"n may be at most 1 with this API key.",)"
            R"("param":null,"code":"n_too_large"}})");
}

TEST(Refusal, RetriesAreAskedForOnlyWhereTheyHelp) {
  Refusal refusal;
  refusal.kind = RefusalKind::rate_limit;
  refusal.retry_after_us = 60 * kSecondUs;
  const auto should_retry = Field(&policy::Field::name, "x-should-retry");
  EXPECT_THAT(render(refusal, ErrorDialect::openai, "").fields, Not(Contains(should_retry)));
  refusal.retry_after_us = 60 * kSecondUs + 1;
  EXPECT_THAT(render(refusal, ErrorDialect::openai, "").fields, Contains(should_retry));
  EXPECT_THAT(render(refusal, ErrorDialect::openai, "").fields, Contains(policy::Field{"retry-after", "61"}));
  refusal.kind = RefusalKind::overloaded;
  EXPECT_THAT(render(refusal, ErrorDialect::anthropic, "").fields, Not(Contains(should_retry)));
}

// Whatever bytes texts hold: both bodies are JSON with the dialect's members, and no field has a line's end.
TEST(Refusal, AnyBytesGiveValidJson) {
  base::Random random(5);
  simdjson::dom::parser parser;
  for (int i = 0; i < 3'000; ++i) {
    std::string text(random.below(i % 50 == 0 ? 5'000 : 40), '\0');
    for (char& byte : text) byte = static_cast<char>(random.next());
    Refusal refusal;
    refusal.kind = static_cast<RefusalKind>(random.below(kRefusalKinds));
    refusal.code = "code";
    refusal.message = text;
    refusal.details.level = "verify";
    refusal.details.case_id = text;
    refusal.details.appeal = text;
    for (const ErrorDialect dialect : {ErrorDialect::openai, ErrorDialect::anthropic}) {
      const RenderedRefusal rendered = render(refusal, dialect, text);
      simdjson::dom::element body;
      ASSERT_EQ(parser.parse(rendered.body).get(body), simdjson::SUCCESS);
      std::string_view type;
      ASSERT_EQ(body["error"]["type"].get(type), simdjson::SUCCESS);
      ASSERT_EQ(type, type_of(refusal.kind, dialect));
      ASSERT_LT(rendered.body.size(), 64'000U);
      for (const policy::Field& field : rendered.fields) {
        ASSERT_EQ(field.value.find_first_of(std::string("\r\n\0", 3)), std::string::npos);
      }
    }
  }
}

TEST(Refusal, ALongMessageIsCutBetweenCharacters) {
  Refusal refusal;
  refusal.message = "x";
  for (int i = 0; i < 2'000; ++i) refusal.message += "\xC3\xA9";
  const std::string body = render(refusal, ErrorDialect::openai, "").body;
  EXPECT_EQ(body.find("\xEF\xBF\xBD"), std::string::npos);
  EXPECT_LT(body.size(), kRefusalTextBytesMax + 100);
}

// The reference has a row for each code and each field that the code can give.
TEST(Refusal, TheReferenceListsAllOfThem) {
  std::ifstream file("docs/reference/refusals.md");
  const std::string reference((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ASSERT_FALSE(reference.empty());
  const auto listed = [&](std::string_view word) {
    return reference.find("`" + std::string(word) + "`") != std::string::npos;
  };
  QuotaDenied denied;
  for (std::size_t limit = 0; limit < kLimitKinds; ++limit) {
    denied.limit = static_cast<LimitKind>(limit);
    EXPECT_TRUE(listed(refusal_of(denied).code)) << limit;
  }
  denied.never = true;
  EXPECT_TRUE(listed(refusal_of(denied).code));
  for (std::size_t kind = 0; kind < kRefusalKinds; ++kind) {
    for (const ErrorDialect dialect : {ErrorDialect::openai, ErrorDialect::anthropic}) {
      const auto one = static_cast<RefusalKind>(kind);
      const std::string words = std::to_string(status_of(one, dialect)) + " `" + std::string(type_of(one, dialect));
      EXPECT_NE(reference.find(words + "`"), std::string::npos) << words;
    }
  }
  // Each code in access.cc and remedy_text.cc, as it is written there.
  std::size_t codes = 0;
  for (const char* path : {"src/policy/access.cc", "src/policy/remedy_text.cc"}) {
    std::ifstream source(path);
    for (std::string line; std::getline(source, line);) {
      const std::size_t from = std::max(line.find("RefusalKind::") == std::string::npos ? 0 : line.find(", \"") + 3,
                                        line.find(".code = \"") == std::string::npos ? 0 : line.find("\"") + 1);
      if (from < 4) continue;
      const std::string code = line.substr(from, line.find('"', from) - from);
      EXPECT_TRUE(listed(code)) << code;
      ++codes;
    }
  }
  EXPECT_GE(codes, 10U);
}

TEST(LimitFields, OfOpenai) {
  FieldList fields;
  add_limit_fields(fields, {{60, 59, kSecondUs}, {100'000, 0, 90 * kSecondUs}}, ErrorDialect::openai, 0);
  EXPECT_THAT(fields, ElementsAre(policy::Field{"x-ratelimit-limit-requests", "60"},
                                  policy::Field{"x-ratelimit-remaining-requests", "59"},
                                  policy::Field{"x-ratelimit-reset-requests", "1s"},
                                  policy::Field{"x-ratelimit-limit-tokens", "100000"},
                                  policy::Field{"x-ratelimit-remaining-tokens", "0"},
                                  policy::Field{"x-ratelimit-reset-tokens", "1m30s"}));
}

TEST(LimitFields, OfAnthropic) {
  FieldList fields;
  constexpr std::int64_t kNow = 1'776'845'730'000'000;  // 2026-04-22T08:15:30Z
  add_limit_fields(fields, {{60, 59, 500'000}, {}}, ErrorDialect::anthropic, kNow);
  EXPECT_THAT(fields, ElementsAre(policy::Field{"anthropic-ratelimit-requests-limit", "60"},
                                  policy::Field{"anthropic-ratelimit-requests-remaining", "59"},
                                  policy::Field{"anthropic-ratelimit-requests-reset", "2026-04-22T08:15:31Z"}));
  fields.clear();
  add_limit_fields(fields, {{60, 0, INT64_MAX}, {}}, ErrorDialect::anthropic, kNow);  // no overflow
  EXPECT_EQ(fields.size(), 3U);
}

TEST(LimitFields, Durations) {
  EXPECT_EQ(duration_text(-5), "0s");
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(1), "1ms");
  EXPECT_EQ(duration_text(120'000), "120ms");
  EXPECT_EQ(duration_text(999'001), "1s");
  EXPECT_EQ(duration_text(kSecondUs), "1s");
  EXPECT_EQ(duration_text(360 * kSecondUs), "6m0s");
  EXPECT_EQ(duration_text(3'723 * kSecondUs), "1h2m3s");
}

TEST(LimitFields, ADenialSaysWhichLimitAndWhenToRetry) {
  QuotaDenied denied;
  denied.scope = ScopeKind::organisation;
  denied.limit = LimitKind::tokens_per_day;
  denied.limit_value = 500;
  denied.retry_after_us = 2'500'000;
  const Refusal refusal = refusal_of(denied);
  EXPECT_EQ(refusal.code, "tokens_per_day_exceeded");
  EXPECT_EQ(refusal.message, "The limit of this organisation, 500 tokens a day, is used up; try again in 3 s.");
  EXPECT_EQ(refusal.kind, RefusalKind::rate_limit);
  denied.never = true;
  EXPECT_EQ(refusal_of(denied).kind, RefusalKind::invalid_request);
  EXPECT_EQ(refusal_of(denied).code, "request_exceeds_limit");
}

}  // namespace
}  // namespace stillwatch::policy
