#include "gateway/record_line.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "intake/parser_fixture.h"

namespace stillwatch::gateway {
namespace {

using intake::test::bytes_of;
using intake::test::Lines;

constexpr std::int64_t kTime = 1'776'845'730'123'456;

Exchange exchange_of(event::Dialect dialect, std::string body) {
  Exchange exchange;
  exchange.dialect = dialect;
  exchange.id = request_id(kTime, 7);
  exchange.account = "acct_1";
  exchange.key = "key_1";
  exchange.address = "203.0.113.7";
  exchange.asn = 64'500;
  exchange.user_agent = "openai-python/1.99.1";
  exchange.ja4 = "t13d1516h2_8daaf6152771_b0da82dd1658";
  exchange.headers = "Host\nAccept\nAuthorization";
  exchange.arrived_us = kTime;
  exchange.ended_us = kTime + 8'120'000;
  exchange.ttft_ms = 412;
  exchange.duration_ms = 8'120;
  exchange.status = 200;
  exchange.stop = "stop";
  exchange.has_usage = true;
  exchange.input_tokens = 812;
  exchange.output_tokens = 1'490;
  exchange.reasoning_tokens = 640;
  exchange.body = std::move(body);
  return exchange;
}

std::string line_of(Exchange exchange, Content content, bool shed = false) {
  const auto keyed_hash = intake::test::fixed_hash();
  RecordLine record_line(keyed_hash, content);
  std::string line;
  record_line.write(exchange, shed, line);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  return line;
}

const std::pair<event::Dialect, const char*> kBodies[] = {
    {event::Dialect::openai_chat,
     "{\"model\":\"m-large\",\n \"n\": 3, \"user\":\"u-1\",\r\n\"messages\":[{\"role\":\"system\",\"content\":\"Be "
     "brief.\"},{\"role\":\"user\",\"content\":\"What is\\n a \\\"lake\\\"? {[}\"}],\"temperature\":0.5}"},
    {event::Dialect::openai_responses, R"({"model":"m-large","input":"Tell me about lakes","instructions":"Be kind"})"},
    {event::Dialect::anthropic_messages,
     R"({"model":"c-1","max_tokens":100,"metadata":{"user_id":"u-2"},)"
     R"("messages":[{"role":"user","content":[{"type":"text","text":"hello there"}]}]})"},
    {event::Dialect::text, R"({"model":"m","prompt":"one prompt"})"},
};

TEST(RecordLine, AFingerprintTellsWhatTheContentWouldHave) {
  Lines lines;
  for (const auto& [dialect, body] : kBodies) {
    intake::ParsedLine full = lines.parse(line_of(exchange_of(dialect, body), Content::full));
    intake::ParsedLine print = lines.parse(line_of(exchange_of(dialect, body), Content::fingerprint));
    ASSERT_TRUE(full.accepted && print.accepted) << body;
    EXPECT_LT(print.query.line_bytes, 1'500U);
    full.query.line_bytes = print.query.line_bytes = 0;
    EXPECT_EQ(bytes_of(full.query), bytes_of(print.query)) << body;
    EXPECT_NE(print.query.model, 0U);
    EXPECT_EQ(print.query.time_us, kTime);
    EXPECT_EQ(print.query.output_tokens, 1'490U);
    EXPECT_EQ(print.query.asn, 64'500U);
  }
  EXPECT_EQ(line_of(exchange_of(kBodies[0].first, kBodies[0].second), Content::fingerprint).find("lake"),
            std::string::npos);
  EXPECT_EQ(lines.parser->counters().unknown_fields, 0U);
}

TEST(RecordLine, ARefusedBodyHasTheFateItHadInALogWithContent) {
  Lines lines;
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  for (const std::string& body : {std::string(R"({"model":"m","messages":)"), std::string("null"), std::string("[]"),
                                  std::string("{}"), std::string(R"({"model":"m","messages":3})"), std::string(""),
                                  R"({"model":"m","messages":[{"role":"user","content":)" + deep + "}]}"}) {
    const std::string as_content =
        R"({"v":1,"id":"r1","time":"2026-04-22T08:15:30.123456Z","account":"acct_1","dialect":"openai.chat",)"
        R"("request":)" +
        body + "}";
    const auto expected = lines.parse(as_content);
    for (const Content content : {Content::fingerprint, Content::full}) {
      const auto found = lines.parse(line_of(exchange_of(event::Dialect::openai_chat, body), content));
      EXPECT_FALSE(found.accepted) << body;
      if (!body.empty() && body != "null") {
        EXPECT_EQ(found.refusal.reason, expected.refusal.reason) << body;
      }
      EXPECT_EQ(found.query.account, expected.query.account);
      EXPECT_EQ(found.query.time_us, kTime);
      EXPECT_EQ(found.query.flags, event::kFlagRejected);
    }
  }
  Exchange exchange = exchange_of(event::Dialect::openai_chat, "");
  exchange.body_state = BodyState::too_large;
  EXPECT_EQ(lines.parse(line_of(exchange, Content::full)).refusal.reason, intake::RejectReason::line_too_long);
  const auto shed = lines.parse(line_of(exchange, Content::full, true));
  EXPECT_EQ(shed.query.flags, event::kFlagRejected | event::kFlagShed);
}

TEST(RecordLine, NothingOfABodyReachesAnotherField) {
  Lines lines;
  const auto account =
      lines.parse(line_of(exchange_of(kBodies[0].first, kBodies[0].second), Content::full)).query.account;
  for (const std::string end :
       {R"({"messages":[]},"account":"victim")", R"({"messages":[]},"account":"victim","x":{})",
        R"({"messages":[]}} {"account":"victim"})", R"({"messages":[]}},"x":{"account":"victim"})",
        "{\"messages\":[]}\n{\"account\":\"victim\"}", R"({"messages":[],"account":"victim"})",
        R"({"messages":["\"]},"account":"victim","x":{"y":["]}]}})"}) {
    for (const Content content : {Content::fingerprint, Content::full}) {
      const auto found = lines.parse(line_of(exchange_of(event::Dialect::openai_chat, end), content));
      EXPECT_EQ(found.query.account, account) << end;
      EXPECT_EQ(found.query.time_us, kTime) << end;
    }
  }
}

TEST(RecordLine, TextsOfAClientAreCutAndEscaped) {
  Lines lines;
  Exchange exchange = exchange_of(kBodies[3].first, kBodies[3].second);
  exchange.user_agent.assign(5'000, '\xE2').replace(0, 5, "\xC3\x01\"\\\n");
  exchange.end_user.assign(1'023, 'x').append("\xC3\xA9");  // the cut falls into a character
  exchange.headers = "a\n\n" + std::string(10'000, 'b') + "\nc";
  exchange.key = "k\0k";
  const std::string line = line_of(exchange, Content::fingerprint);
  EXPECT_LT(line.size(), 12'000U);
  const auto found = lines.parse(line);
  EXPECT_TRUE(found.accepted);
  EXPECT_NE(found.query.client_version, 0U);
  const std::string whole = std::string(1'023, 'x');
  EXPECT_EQ(found.query.end_user, lines.keyed_hash(crypto::Domain::end_user, whole));
  // Who has no name that a record may have is refused, and counted for nobody.
  exchange.account = std::string(200, 'a');
  EXPECT_EQ(lines.parse(line_of(exchange, Content::fingerprint)).refusal.reason, intake::RejectReason::id_too_long);
}

TEST(RecordLine, AGapIsPassedOver) {
  Lines lines;
  const auto keyed_hash = intake::test::fixed_hash();
  RecordLine record_line(keyed_hash, Content::fingerprint);
  std::string line;
  record_line.write({"gap-1", kTime, kTime - 5, 17, "queue_full"}, line);
  const auto found = lines.parse(line);
  EXPECT_TRUE(found.accepted);
  EXPECT_EQ(found.query.flags, event::kFlagShed);
  EXPECT_NE(line.find(R"("gap":{"since":"2026-04-22T08:15:30.123451Z","records":17,"reason":"queue_full"})"),
            std::string::npos);
}

TEST(RecordLine, ALineOfAnotherLogIsWrittenAgainWithEqualMeaning) {
  const auto keyed_hash = intake::test::fixed_hash();
  RecordLine record_line(keyed_hash, Content::fingerprint);
  intake::RawRecord raw;
  Lines lines, plain;
  ASSERT_TRUE(lines.parser->keep_raw(&raw));
  for (const auto& [dialect, body] : kBodies) {
    intake::ParsedLine first = lines.parse(line_of(exchange_of(dialect, body), Content::full));
    std::string again;
    record_line.write(raw, first.query, false, again);
    intake::ParsedLine second = plain.parse(again);
    ASSERT_TRUE(second.accepted) << again;
    first.query.line_bytes = second.query.line_bytes = 0;
    EXPECT_EQ(bytes_of(first.query), bytes_of(second.query));
  }
}

TEST(RecordLine, PassagesOfAnAnswerAreTheSameFromAStreamABodyAndTheLine) {
  const std::string said =
      "The evolved prompt asks for a proof that the sum of the first n odd numbers is the square of n, by induction, "
      "with every step justified and a counterexample for the naive generalisation to primes; then it asks for code.";
  const std::pair<event::Dialect, std::string> answers[] = {
      {event::Dialect::openai_chat, R"({"choices":[{"message":{"role":"assistant","content":")" + said + "\"}}]}"},
      {event::Dialect::openai_responses,
       R"({"output":[{"type":"message","content":[{"type":"output_text","text":")" + said + "\"}]}]}"},
      {event::Dialect::anthropic_messages, R"({"content":[{"type":"text","text":")" + said + "\"}]}"},
  };
  for (const auto& [dialect, answer] : answers) {
    const auto body =
        std::find_if(std::begin(kBodies), std::end(kBodies), [d = dialect](const auto& one) { return one.first == d; });
    const std::string without = line_of(exchange_of(dialect, body->second), Content::fingerprint);
    Exchange stream = exchange_of(dialect, body->second), whole = stream;
    stream.reply = said;
    whole.reply = answer;
    whole.reply_is_body = true;
    const std::string line = line_of(stream, Content::fingerprint);
    EXPECT_NE(line, without);
    EXPECT_EQ(line.find("induction"), std::string::npos);
    EXPECT_EQ(line_of(whole, Content::fingerprint), line);
    Lines parsed;
    const event::Query query = parsed.parse(line).query;
    EXPECT_NE(query.fingerprint.replies, decltype(query.fingerprint.replies){});
    // With content a replay reads the passages from the text.
    Lines again;
    EXPECT_EQ(again.parse(line_of(whole, Content::full)).query.fingerprint.replies, query.fingerprint.replies);
  }
}

/// A text of a client: plain mostly, and anything else.
std::string any_text(base::Random& random, std::size_t size_max) {
  std::string text;
  const bool plain = random.chance(0.8);
  for (std::size_t size = random.below(size_max); size > 0; --size)
    text +=
        static_cast<char>(plain || random.chance(0.9) ? ' ' + static_cast<int>(random.below(95)) : random.below(256));
  return text;
}

// Whichever way a body comes, with its exchange or ahead of it.
TEST(RecordLine, ABodyThatComesAheadGivesTheSameLineAndRecord) {
  const auto keyed_hash = intake::test::fixed_hash();
  intake::Identities identities;
  RecordLine whole_line(keyed_hash, Content::fingerprint, &identities);
  RecordLine early_line(keyed_hash, Content::fingerprint, &identities);
  base::Random random(11);
  std::size_t accepted = 0, refused = 0;
  for (int round = 0; round < 2'000; ++round) {
    const auto& [dialect, body] = kBodies[random.below(std::size(kBodies))];
    Exchange whole = exchange_of(dialect, body);
    if (random.chance(0.5)) whole.end_user = "u-of-the-proxy";
    if (random.chance(0.3)) whole.body.resize(random.below(whole.body.size()));
    if (random.chance(0.3))
      whole.body.insert(random.below(whole.body.size() + 1), 1, static_cast<char>(random.below(256)));
    whole.shed = random.chance(0.05);
    Exchange ahead = whole;
    ahead.early = std::make_shared<EarlyBody>();
    ahead.early->dialect = dialect;
    ahead.early->body = std::exchange(ahead.body, "");
    if (random.chance(0.8)) {
      early_line.read(*ahead.early);
      EXPECT_TRUE(ahead.early->body.empty());
      early_line.read(*ahead.early);  // once more is nothing
    }
    const bool late = random.chance(0.2);
    std::string lines[2];
    intake::ParsedLine records[2];
    const bool is_given = whole_line.write(whole, late, lines[0], &records[0]);
    ASSERT_EQ(early_line.write(ahead, late, lines[1], &records[1]), is_given);
    ASSERT_EQ(lines[0], lines[1]);
    if (is_given) {
      ASSERT_EQ(bytes_of(records[0].query), bytes_of(records[1].query));
    }
    ASSERT_EQ(whole_line.new_ids().text, early_line.new_ids().text);
    ++(lines[0].find("\"refused\"") == std::string::npos ? accepted : refused);
    whole_line.new_ids().clear();
    early_line.new_ids().clear();
  }
  EXPECT_GT(accepted, 500U);
  EXPECT_GT(refused, 300U);
  EXPECT_EQ(whole_line.counters().bodies_refused, early_line.counters().bodies_refused);
}

// Live equals replay: what the engine is given without a look at the line is what a replay reads in it.
TEST(RecordLine, ARecordThatIsGivenIsTheOneThatTheParserReads) {
  const auto keyed_hash = intake::test::fixed_hash();
  intake::Identities identities;
  RecordLine record_line(keyed_hash, Content::fingerprint, &identities);
  const auto parser = intake::make_query_parser(keyed_hash, &identities);
  base::Random random(9);
  std::size_t given_count = 0, other_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto& [dialect, body] = kBodies[random.below(std::size(kBodies))];
    Exchange exchange = exchange_of(dialect, body);
    // Where each field may be anything, hardly a line would be given: a few at a time.
    const auto maybe = [&](std::string& text, std::size_t size_max) {
      if (random.chance(0.15)) text = any_text(random, size_max);
    };
    maybe(exchange.id, 140), maybe(exchange.account, 140), maybe(exchange.key, 1'100), maybe(exchange.end_user, 1'100);
    maybe(exchange.address, 40), maybe(exchange.user_agent, 1'100), maybe(exchange.ja4, 50), maybe(exchange.stop, 80);
    maybe(exchange.headers, 600);
    if (random.chance(0.5)) std::replace(exchange.headers.begin(), exchange.headers.end(), 'a', '\n');
    if (random.chance(0.2)) exchange.body.replace(exchange.body.find("\"m") + 1, 1, any_text(random, 300));
    exchange.asn = random.chance(0.5) ? 0 : static_cast<std::uint32_t>(random.next());
    exchange.arrived_us = random.chance(0.1) ? static_cast<std::int64_t>(random.next()) : kTime + round;
    exchange.ended_us = random.chance(0.2) ? static_cast<std::int64_t>(random.below(3)) : exchange.ended_us;
    exchange.status = static_cast<std::uint16_t>(random.next());
    exchange.has_usage = random.chance(0.7);
    exchange.input_tokens = static_cast<std::uint32_t>(random.next());
    exchange.reasoning_tokens = random.chance(0.5) ? UINT32_MAX : 0;
    exchange.shed = random.chance(0.05);
    std::string line;
    intake::ParsedLine given, read;
    const bool is_given = record_line.write(exchange, random.chance(0.2), line, &given);
    ++(is_given ? given_count : other_count);
    const std::string padded = line + std::string(intake::kJsonPadding, ' ');
    parser->parse(std::string_view(padded).substr(0, line.size()), read);
    if (is_given) {
      ASSERT_TRUE(read.accepted && given.accepted && read.has_time && given.has_time) << line;
      ASSERT_EQ(bytes_of(given.query), bytes_of(read.query)) << line;
      ASSERT_EQ(record_line.new_ids().text, parser->new_ids().text) << line;
      ASSERT_EQ(record_line.new_ids().ids.size(), parser->new_ids().ids.size()) << line;
      for (std::size_t i = 0; i < parser->new_ids().ids.size(); ++i)
        ASSERT_EQ(record_line.new_ids().ids[i].token, parser->new_ids().ids[i].token) << line;
    }
    identities.add(parser->new_ids());
    record_line.new_ids().clear();
    parser->new_ids().clear();
  }
  EXPECT_GT(given_count, 4'000U);
  EXPECT_GT(other_count, 4'000U);
}

}  // namespace
}  // namespace stillwatch::gateway
