#include "intake/query_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "base/base64.h"
#include "base/event_time.h"
#include "base/limits.h"
#include "intake/parser_fixture.h"

namespace {
std::atomic<std::uint64_t> allocations{0};
}
// Out of line: the compiler must not pair an inlined malloc with the library's delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* room = std::malloc(size == 0 ? 1 : size)) return room;
  throw std::bad_alloc();
}
// The JSON library allocates without exceptions too, and that memory comes back to the operators below.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* room) noexcept { std::free(room); }
[[gnu::noinline]] void operator delete(void* room, std::size_t) noexcept { std::free(room); }

namespace stillwatch::intake {
namespace {

using crypto::Domain;
using test::bytes_of;
using test::Lines;

const std::vector<std::string> kFields{
    R"("v":1)",
    R"("id":"req_1")",
    R"("time":"2026-04-22T08:15:30.123456Z")",
    R"("ended":"2026-04-22T08:15:38Z")",
    R"("account":"acct_7")",
    R"("key":"key_1")",
    R"("end_user":"u-8")",
    R"("client":{"ip":"203.0.113.7","asn":64500,"country":"US","user_agent":"openai-python/1.99.1",)"
    R"("ja4":"t13d","headers":["Host","accept"]})",
    R"("dialect":"openai.chat")",
    R"("request":{"model":"m-large","messages":[{"role":"system","content":"Be brief."},{"role":"user",)"
    R"("content":"Why is the sky blue?"}],"temperature":1.0,"max_tokens":100,"n":2})",
    R"("response":{"status":200,"ttft_ms":412,"usage":{"input_tokens":812,"output_tokens":1490,)"
    R"("reasoning_tokens":640}})"};

std::string object_of(const std::vector<std::string>& fields) {
  std::string out = "{";
  for (const std::string& field : fields) out += (out.size() > 1 ? "," : "") + field;
  return out + "}";
}

/// The record with one field replaced (or added, or with an empty text left out).
std::string record_with(const std::string& key, const std::string& field) {
  std::vector<std::string> fields = kFields;
  std::erase_if(fields, [&](const std::string& other) { return other.starts_with("\"" + key + "\":"); });
  if (!field.empty()) fields.push_back(field);
  return object_of(fields);
}
std::string record_of(const std::string& dialect, const std::string& request) {
  std::vector<std::string> fields = kFields;
  fields[8] = "\"dialect\":\"" + dialect + "\"";
  fields[9] = "\"request\":" + request;
  return object_of(fields);
}

TEST(QueryParser, ReadsEveryField) {
  Lines lines;
  const std::string record = object_of(kFields);
  const ParsedLine parsed = lines.parse(record);
  ASSERT_TRUE(parsed.accepted) << name(parsed.refusal.reason) << " " << parsed.refusal.field;
  const event::Query& query = parsed.query;
  const auto& hash = lines.keyed_hash;
  EXPECT_EQ(query.time_us, *base::parse_time("2026-04-22T08:15:30.123456Z"));
  EXPECT_EQ(query.ended_us, *base::parse_time("2026-04-22T08:15:38Z"));
  EXPECT_EQ(query.id, hash(Domain::query_id, "req_1"));
  EXPECT_EQ(query.account, hash(Domain::account, "acct_7"));
  EXPECT_EQ(query.key, hash(Domain::key, "key_1"));
  EXPECT_EQ(query.end_user, hash(Domain::end_user, "u-8"));
  EXPECT_EQ(query.model, hash(Domain::model, "m-large"));
  EXPECT_EQ(query.client_version, hash(Domain::client_version, "openai-python/1.99.1"));
  EXPECT_EQ(query.client, hash(Domain::client, "openai-python/#\x1fhost,accept,\x1ft13d"));
  EXPECT_EQ(query.egress, hash(Domain::egress, std::string_view("\xCB\x00\x71", 3)));
  EXPECT_EQ(query.address, hash(Domain::address, std::string_view("\xCB\x00\x71\x07", 4)));
  EXPECT_EQ(query.asn, 64500U);
  EXPECT_EQ(query.input_tokens, 812U);
  EXPECT_EQ(query.output_tokens, 1490U);
  EXPECT_EQ(query.reasoning_tokens, 640U);
  EXPECT_EQ(query.status, 200);
  EXPECT_EQ(query.line_bytes, record.size());
  EXPECT_EQ(query.flags, event::kFlagSampledMany);
  EXPECT_EQ(query.dialect, event::Dialect::openai_chat);
  EXPECT_NE(query.fingerprint.prompt, 0U);
  EXPECT_NE(query.fingerprint.system, 0U);
  EXPECT_EQ(lines.parser->counters().unknown_fields, 0U);
}

TEST(QueryParser, FieldOrderMakesNoDifference) {
  Lines lines;
  std::vector<std::string> fields = kFields;
  const std::string expected = bytes_of(lines.parse(object_of(fields)).query);
  for (int rotation = 0; rotation < 11; ++rotation) {
    std::rotate(fields.begin(), fields.begin() + 1, fields.end());
    EXPECT_EQ(bytes_of(lines.parse(object_of(fields)).query), expected);
    std::vector<std::string> backwards(fields.rbegin(), fields.rend());
    EXPECT_EQ(bytes_of(lines.parse(object_of(backwards)).query), expected);
  }
  const auto fingerprint = [&](const std::string& dialect, std::vector<std::string> body) {
    std::sort(body.begin(), body.end());
    std::string first;
    do {
      const ParsedLine parsed = lines.parse(record_of(dialect, object_of(body)));
      EXPECT_TRUE(parsed.accepted) << parsed.refusal.field;
      event::Query query = parsed.query;
      if (first.empty()) first = bytes_of(query);
      EXPECT_EQ(bytes_of(query), first) << object_of(body);
    } while (std::next_permutation(body.begin(), body.end()));
  };
  fingerprint(
      "openai.chat",
      {R"("messages":[{"content":"a","role":"user"},{"role":"assistant","tool_calls":[{"id":"c"}],"content":"b"}])",
       R"("tools":[{"type":"function"}])", R"("user":"u")", R"("safety_identifier":"s")", R"("max_tokens":5)"});
  fingerprint("openai.responses",
              {R"("instructions":"x")", R"("input":[{"role":"system","content":"y"},{"role":"user","content":"q"}])",
               R"("text":{"format":{"type":"json_schema","schema":{}}})", R"("reasoning":{"effort":"high"})"});
  fingerprint("anthropic.messages",
              {R"("system":[{"text":"s","type":"text"}])",
               R"("messages":[{"content":[{"text":"t","type":"text"}],"role":"user"}])",
               R"("metadata":{"user_id":"u"})", R"("thinking":{"budget_tokens":2000,"type":"enabled"})"});
  const std::string forwards =
      R"({"messages":[{"role":"assistant","content":"b","tool_calls":[{"id":"c"}]},{"role":"user",)"
      R"("content":[{"type":"text","text":"x"}]}]})";
  const std::string backwards =
      R"({"messages":[{"tool_calls":[{"id":"c"}],"content":"b","role":"assistant"},{"content":[{"text":"x",)"
      R"("type":"text"}],"role":"user"}]})";
  EXPECT_EQ(bytes_of(lines.parse(record_of("openai.chat", forwards)).query),
            bytes_of(lines.parse(record_of("openai.chat", backwards)).query));
}

TEST(QueryParser, LastOfARepeatedKeyCounts) {
  Lines lines;
  const auto body = [&](const std::string& request) {
    ParsedLine parsed = lines.parse(record_of("openai.chat", request));
    EXPECT_TRUE(parsed.accepted) << request;
    parsed.query.line_bytes = 0;
    return bytes_of(parsed.query);
  };
  const std::string plain = body(R"({"messages":[{"role":"user","content":"real"}]})");
  EXPECT_EQ(body(R"({"messages":[{"role":"user","content":"decoy"}],"messages":[{"role":"user","content":"real"}]})"),
            plain);
  EXPECT_EQ(body(R"({"messages":[{"role":"user","content":"decoy","content":"real"}]})"), plain);
  EXPECT_EQ(body(R"({"messages":[{"role":"system","content":"real","role":"user"}]})"), plain);
  EXPECT_EQ(body(R"({"messages":[{"role":"user","content":[{"type":"text","text":"decoy","text":"real"}]}]})"), plain);
  EXPECT_EQ(body(R"({"mess\u0061ges":[{"role":"user","content":"re\u0061l"}]})"), plain);
  const ParsedLine twice = lines.parse(R"({"account":"a",)" + object_of(kFields).substr(1));
  EXPECT_TRUE(twice.accepted);
  EXPECT_EQ(twice.query.account, lines.keyed_hash(Domain::account, "acct_7"));
}

TEST(QueryParser, DialectsAgreeOnTheSameConversation) {
  Lines lines;
  const auto conversation = [&](const std::string& dialect, const std::string& request) {
    const ParsedLine parsed = lines.parse(record_of(dialect, request));
    EXPECT_TRUE(parsed.accepted) << dialect << " " << parsed.refusal.field;
    return std::array{parsed.query.fingerprint.prompt, parsed.query.fingerprint.conversation,
                      parsed.query.fingerprint.system};
  };
  const auto chat = conversation(
      "openai.chat",
      R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"one"},{"role":"assistant",)"
      R"("content":"two"},{"role":"user","content":[{"type":"text","text":"th"},{"type":"text",)"
      R"("text":"ree"}]}]})");
  EXPECT_EQ(chat, conversation("openai.responses",
                               R"({"instructions":"S","input":[{"role":"user","content":"one"},{"type":"message",)"
                               R"("role":"assistant","content":[{"type":"output_text","text":"two"}]},{"role":"user",)"
                               R"("content":[{"type":"input_text","text":"three"}]}]})"));
  EXPECT_EQ(
      chat,
      conversation("anthropic.messages",
                   R"({"system":"S","messages":[{"role":"user","content":"one"},{"role":"assistant","content":"two"},)"
                   R"({"role":"user","content":"three"}]})"));
  EXPECT_EQ(conversation("text", R"({"model":"m","prompt":"one"})"),
            conversation("openai.responses", R"({"input":"one"})"));
}

TEST(QueryParser, PartsThatAreNotTextCountByKindAndSize) {
  Lines lines;
  const ParsedLine parsed = lines.parse(
      record_of("anthropic.messages",
                R"({"messages":[{"role":"user","content":[{"type":"image","source":{"data":"AAAA"}},{"type":"text",)"
                R"("text":"what is it?"}]},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"look",)"
                R"("input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t",)"
                R"("content":"a cat"}]}]})"));
  ASSERT_TRUE(parsed.accepted);
  EXPECT_EQ(parsed.query.fingerprint.parts_other, 3);
  EXPECT_EQ(parsed.query.fingerprint.turns, 1);
}

TEST(QueryParser, EndUserOfTheBodyGivesWayToTheRecords) {
  Lines lines;
  const auto end_user = [&](const std::string& outer, const std::string& request) {
    std::vector<std::string> fields = kFields;
    fields[6] = outer;
    fields[9] = "\"request\":" + request;
    return lines.parse(object_of(fields)).query.end_user;
  };
  const std::string body = R"({"messages":[],"user":"u1","safety_identifier":"s1"})";
  EXPECT_EQ(end_user(R"("end_user":"e")", body), lines.keyed_hash(Domain::end_user, "e"));
  EXPECT_EQ(end_user(R"("end_user":null)", body), lines.keyed_hash(Domain::end_user, "s1"));
  EXPECT_EQ(end_user(R"("x":0)", R"({"messages":[],"user":"u1"})"), lines.keyed_hash(Domain::end_user, "u1"));
}

// A verdict on an end user, and an alarm about a client version, must be able to name them.
TEST(QueryParser, IdsOfEndUsersAndClientVersionsCanBeOpened) {
  for (const auto& [outer, expected] : {std::pair(R"("end_user":"u-882")", "u-882"), std::pair(R"("x":0)", "u1")}) {
    Lines lines;
    std::vector<std::string> fields = kFields;
    fields[6] = outer;
    fields[9] = R"("request":{"messages":[],"user":"u1"})";
    ASSERT_TRUE(lines.parse(object_of(fields)).accepted);
    Identities identities;
    identities.add(lines.parser->new_ids());
    EXPECT_EQ(identities.open(lines.keyed_hash(Domain::end_user, expected)), expected);
    EXPECT_EQ(identities.size(IdKind::end_user), 1U);
    EXPECT_EQ(identities.size(IdKind::client_version), 1U);
  }
}

TEST(QueryParser, FlagsAndFingerprint) {
  Lines lines;
  EXPECT_EQ(lines.parse(record_with("response", R"("response":{"status":429})")).query.flags & event::kFlagFailed,
            event::kFlagFailed);
  EXPECT_EQ(lines.parse(record_with("response", R"("response":{"status":404})")).query.flags & event::kFlagFailed, 0);
  EXPECT_EQ(lines.parse(record_with("shed", R"("shed":true)")).query.flags & event::kFlagShed, event::kFlagShed);
  const ParsedLine whole = lines.parse(object_of(kFields));
  const std::string encoded = base::base64_encode(text::encode(whole.query.fingerprint));
  const ParsedLine kept = lines.parse(record_with("request", R"("fingerprint":{"v":1,"b":")" + encoded + "\"}"));
  ASSERT_TRUE(kept.accepted) << kept.refusal.field;
  EXPECT_EQ(text::encode(kept.query.fingerprint), text::encode(whole.query.fingerprint));
  const ParsedLine now = lines.parse(record_with("request", R"("fingerprint":{"v":2,"b":")" + encoded + "\"}"));
  ASSERT_TRUE(now.accepted) << now.refusal.field;
  EXPECT_EQ(now.query.fingerprint, whole.query.fingerprint);
  EXPECT_FALSE(lines.parse(record_with("request", R"("fingerprint":{"v":4,"b":")" + encoded + "\"}")).accepted);
}

TEST(QueryParser, UsageOfTheResponseBodyStandsIn) {
  Lines lines;
  const auto usage = [&](const std::string& response) {
    const event::Query query = lines.parse(record_with("response", "\"response\":" + response)).query;
    return std::array{query.input_tokens, query.output_tokens, query.reasoning_tokens};
  };
  const std::string body = R"("body":{"usage":{"prompt_tokens":1,"completion_tokens":2,)"
                           R"("completion_tokens_details":{"reasoning_tokens":3}}})";
  EXPECT_EQ(usage("{" + body + "}"), (std::array{1U, 2U, 3U}));
  EXPECT_EQ(usage("{" + body + R"(,"usage":{"input_tokens":7}})"), (std::array{7U, 0U, 0U}));
  EXPECT_EQ(usage(R"({"usage":{"input_tokens":7},)" + body + "}"), (std::array{7U, 0U, 0U}));
}

struct Bad {
  std::string line;
  RejectReason reason;
  bool account_known;
};

TEST(QueryParser, RefusesWithAReasonAndKeepsTheAccount) {
  const std::string record = object_of(kFields);
  std::string deep(100, '[');
  deep += std::string(100, ']');
  std::string not_utf8 = record;
  not_utf8.replace(not_utf8.find("sky"), 3, "\xff\xfe\xfd");
  const std::vector<Bad> cases{
      {"nonsense", RejectReason::not_json, false},
      {"[1,2]", RejectReason::not_json, false},
      {"{}", RejectReason::missing_field, false},
      {record + record, RejectReason::not_json, true},
      {record.substr(0, record.size() - 1), RejectReason::not_json, true},
      {record.substr(0, 400), RejectReason::not_json, true},
      {not_utf8, RejectReason::not_utf8, true},
      {record_with("x", "\"x\":" + deep), RejectReason::too_deep, true},
      {record_with("v", R"("v":2)"), RejectReason::bad_version, true},
      {record_with("v", R"("v":"1")"), RejectReason::wrong_type, true},
      {record_with("v", ""), RejectReason::missing_field, true},
      {record_with("id", ""), RejectReason::missing_field, true},
      {record_with("id", R"("id":5)"), RejectReason::wrong_type, true},
      {record_with("id", "\"id\":\"" + std::string(129, 'x') + "\""), RejectReason::id_too_long, true},
      {record_with("account", ""), RejectReason::missing_field, false},
      {record_with("account", R"("account":12)"), RejectReason::wrong_type, false},
      {record_with("account", "\"account\":\"" + std::string(129, 'x') + "\""), RejectReason::id_too_long, false},
      {record_with("time", R"("time":"yesterday")"), RejectReason::bad_time, true},
      {record_with("time", R"("time":1776845730)"), RejectReason::wrong_type, true},
      {record_with("time", ""), RejectReason::missing_field, true},
      {record_with("dialect", R"("dialect":"cohere.v9")"), RejectReason::unknown_dialect, true},
      {record_with("dialect", ""), RejectReason::missing_field, true},
      {record_with("request", ""), RejectReason::missing_field, true},
      {record_with("request", R"("request":"text")"), RejectReason::wrong_type, true},
      {record_with("request", R"("request":{"model":"m"})"), RejectReason::missing_field, true},
      {record_with("request", R"("request":{"messages":"hi"})"), RejectReason::wrong_type, true},
      {record_with("request", R"("request":{"messages":[{"role":"user","content":5}]})"), RejectReason::wrong_type,
       true},
      {record_with("request", R"("fingerprint":{"v":1,"b":"!!"})"), RejectReason::bad_fingerprint, true},
      {record_with("request", R"("fingerprint":{"v":9,"b":""})"), RejectReason::bad_fingerprint, true},
      {record_with("client", R"("client":[])"), RejectReason::wrong_type, true},
      {record_with("response", R"("response":{"status":"ok"})"), RejectReason::wrong_type, true},
  };
  Lines lines;
  for (const Bad& bad : cases) {
    const ParsedLine parsed = lines.parse(bad.line);
    EXPECT_FALSE(parsed.accepted) << bad.line;
    EXPECT_EQ(name(parsed.refusal.reason), name(bad.reason)) << bad.line;
    EXPECT_EQ(parsed.query.account, bad.account_known ? lines.keyed_hash(Domain::account, "acct_7") : 0U) << bad.line;
    EXPECT_EQ(parsed.query.flags, event::kFlagRejected) << bad.line;
    EXPECT_EQ(parsed.query.line_bytes, bad.line.size());
    EXPECT_EQ(parsed.query.fingerprint.prompt, 0U) << bad.line;
  }
}

TEST(QueryParser, UnknownFieldsAreIgnoredAndCounted) {
  Lines lines;
  std::string record = record_with("client", R"("client":{"ip":"not an address","shoe_size":9})");
  record.insert(1, R"("new":{"deep":[1,{"account":"other"}]},)");
  const ParsedLine parsed = lines.parse(record);
  ASSERT_TRUE(parsed.accepted);
  EXPECT_EQ(parsed.query.account, lines.keyed_hash(Domain::account, "acct_7"));
  EXPECT_EQ(parsed.query.address, 0U);
  EXPECT_EQ(lines.parser->counters().unknown_fields, 2U);
  EXPECT_EQ(lines.parser->counters().unreadable_addresses, 1U);
}

TEST(QueryParser, OneLoneSurrogateDoesNotHideTheContent) {
  Lines lines;
  const ParsedLine parsed = lines.parse(record_of("text", R"({"prompt":"x\ud83dy"})"));
  ASSERT_TRUE(parsed.accepted);
  EXPECT_EQ(parsed.query.fingerprint.prompt,
            lines.parse(record_of("text", "{\"prompt\":\"x\xEF\xBF\xBDy\"}")).query.fingerprint.prompt);
}

TEST(QueryParser, KeepsTheNewestTurnsOfAVeryLongConversation) {
  Lines lines;
  std::string messages, newest;
  for (std::size_t i = 0; i < base::limits::kMessagesMax + 5; ++i) {
    const std::string message = R"({"role":"user","content":")" + std::to_string(i) + "\"},";
    messages += message;
    if (i >= 5) newest += message;
  }
  messages.pop_back();
  newest.pop_back();
  ParsedLine all = lines.parse(record_of("openai.chat", R"({"messages":[)" + messages + "]}"));
  EXPECT_EQ(lines.parser->counters().turns_ignored, 5U);
  ParsedLine last = lines.parse(record_of("openai.chat", R"({"messages":[)" + newest + "]}"));
  all.query.line_bytes = last.query.line_bytes = 0;
  EXPECT_EQ(bytes_of(all.query), bytes_of(last.query));
}

TEST(QueryParser, SteadyStateDoesNotAllocate) {
  Lines lines;
  std::vector<std::string> records{
      object_of(kFields), record_of("text", "{\"model\":\"m\",\"prompt\":\"" + std::string(3000, 'a') + "\\n\"}"),
      record_with("account", ""), "broken {", record_with("id", R"("id":7)")};
  for (std::string& record : records) record.resize(record.size() + kJsonPadding, ' ');
  ParsedLine parsed;
  const auto parse_all = [&] {
    for (const std::string& record : records)
      lines.parser->parse(std::string_view(record).substr(0, record.size() - kJsonPadding), parsed);
    lines.parser->new_ids().clear();
  };
  parse_all();
  parse_all();
  const std::uint64_t before = allocations.load();
  for (int i = 0; i < 50; ++i) parse_all();
  EXPECT_EQ(allocations.load() - before, 0U);
}

}  // namespace
}  // namespace stillwatch::intake
