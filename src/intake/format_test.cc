// Foreign logs (LiteLLM, map files), account records, identities.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/event_time.h"
#include "intake/account_parser.h"
#include "intake/client.h"
#include "intake/map_format.h"
#include "intake/parser_fixture.h"

namespace stillwatch::intake {
namespace {

using crypto::Domain;
using test::bytes_of;
using test::parse;

TEST(Litellm, GivesTheQueryOfTheSameRequestInTheNativeForm) {
  const crypto::KeyedHash hash = test::fixed_hash();
  const auto litellm = make_litellm_parser(hash, nullptr), native = make_query_parser(hash, nullptr);
  ParsedLine foreign = parse(
      *litellm, R"({"id":"chatcmpl-1","call_type":"acompletion","status":"success","startTime":1776845730.123456,)"
                R"("endTime":1776845738.5,"model":"m-large","model_group":"m-large","prompt_tokens":12,)"
                R"("completion_tokens":34,"end_user":"","requester_ip_address":"203.0.113.7",)"
                R"("metadata":{"user_api_key_hash":"k1","user_api_key_team_id":"t1","user_api_key_user_id":"u1"},)"
                R"("model_parameters":{"temperature":0.5,"stream":true,"tools":[{"type":"function"}]},)"
                R"("messages":[{"role":"system","content":"S"},{"role":"user","content":"why?"}],)"
                R"("response":{"usage":{"completion_tokens_details":{"reasoning_tokens":5}}}})");
  ASSERT_TRUE(foreign.accepted) << name(foreign.refusal.reason) << foreign.refusal.field;
  ParsedLine own = parse(
      *native, R"({"v":1,"id":"chatcmpl-1","time":"2026-04-22T08:15:30.123456Z","ended":"2026-04-22T08:15:38.5Z",)"
               R"("account":"u1","key":"k1","client":{"ip":"203.0.113.7"},"dialect":"openai.chat",)"
               R"("request":{"model":"m-large","messages":[{"role":"system","content":"S"},{"role":"user",)"
               R"("content":"why?"}],"temperature":0.5,"stream":true,"tools":[{"type":"function"}]},)"
               R"("response":{"status":200,"usage":{"input_tokens":12,"output_tokens":34,"reasoning_tokens":5}}})");
  ASSERT_TRUE(own.accepted);
  foreign.query.line_bytes = own.query.line_bytes;
  EXPECT_EQ(bytes_of(foreign.query), bytes_of(own.query));
}

TEST(Litellm, FailuresShapesAndRefusals) {
  const crypto::KeyedHash hash = test::fixed_hash();
  const auto parser = make_litellm_parser(hash, nullptr);
  const auto line = [](const std::string& extra) {
    return R"({"id":"x","startTime":"2026-04-22 08:15:30.1234567","metadata":{"user_api_key_user_id":null,)"
           R"("user_api_key_team_id":"t1"},)" +
           extra + "}";
  };
  const ParsedLine failed =
      parse(*parser, line(R"("status":"failure","error_information":{"error_code":"429"},"messages":"plain text")"));
  ASSERT_TRUE(failed.accepted) << failed.refusal.field;
  EXPECT_EQ(failed.query.status, 429);
  EXPECT_EQ(failed.query.flags, event::kFlagFailed);
  EXPECT_EQ(failed.query.account, hash(Domain::account, "t1"));
  EXPECT_EQ(failed.query.time_us, *base::parse_time("2026-04-22T08:15:30.123456Z"));
  EXPECT_NE(failed.query.fingerprint.prompt, 0U);
  const ParsedLine empty = parse(*parser, line(R"("messages":null)"));
  EXPECT_EQ(empty.refusal.reason, RejectReason::missing_field);
  EXPECT_EQ(empty.query.account, hash(Domain::account, "t1"));
  const ParsedLine cut = parse(*parser, line(R"("messages":[{"role")"));
  EXPECT_EQ(cut.refusal.reason, RejectReason::not_json);
  EXPECT_EQ(cut.query.account, hash(Domain::account, "t1"));
  // Only the metadata's own key counts, not the same key in what a client sent.
  EXPECT_EQ(parse(*parser, R"({"messages":[{"metadata":{"user_api_key_user_id":"victim"}}], broken)").query.account,
            0U);
}

constexpr std::string_view kMap = R"(v = 1
[paths]
id = "request_id"
time = "ts"
account = "auth.customer"
"client.ip" = "downstream[0].address"
"client.user_agent" = 'headers."user.agent"'
request = "body"
"response.status" = "code"
"response.usage.output_tokens" = "tokens.out"
dialect = "route"
[constants]
key = "none"
[times]
time = "unix_ms"
[dialects]
"/v1/chat/completions" = "openai.chat"
)";

TEST(MapFormat, ReadsAForeignLog) {
  const crypto::KeyedHash hash = test::fixed_hash();
  auto format = MapFormat::parse(kMap, "map.toml");
  ASSERT_TRUE(format) << format.error().message;
  const auto parser = make_map_parser(*format, hash, nullptr);
  // The body stands in a text, numbers stand in texts, and fields come in another order than in the map.
  const std::string line =
      R"({"body":"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"why \\\"so\\\"?\"}]}",)"
      R"("headers":{"user.agent":"curl/8.1"},"code":"503","route":"/v1/chat/completions","ts":1776845730123,)"
      R"("request_id":77,"auth":{"customer":"c1"},"downstream":[{"address":"203.0.113.7:4433"}],)"
      R"("tokens":{"out":"9"}})";
  const ParsedLine parsed = parse(*parser, line);
  ASSERT_TRUE(parsed.accepted) << name(parsed.refusal.reason) << parsed.refusal.field;
  EXPECT_EQ(parsed.query.account, hash(Domain::account, "c1"));
  EXPECT_EQ(parsed.query.id, hash(Domain::query_id, "77"));
  EXPECT_EQ(parsed.query.key, hash(Domain::key, "none"));
  EXPECT_EQ(parsed.query.time_us, 1'776'845'730'123'000);
  EXPECT_EQ(parsed.query.status, 503);
  EXPECT_EQ(parsed.query.output_tokens, 9U);
  EXPECT_EQ(parsed.query.address, hash(Domain::address, std::string_view("\xCB\x00\x71\x07", 4)));
  EXPECT_EQ(parsed.query.client_version, hash(Domain::client_version, "curl/8.1"));
  const auto native = make_query_parser(hash, nullptr);
  const ParsedLine own =
      parse(*native, R"({"v":1,"id":"77","time":"2026-04-22T08:15:30Z","account":"c1","dialect":"openai.chat",)"
                     R"("request":{"model":"m","messages":[{"role":"user","content":"why \"so\"?"}]}})");
  EXPECT_EQ(text::encode(parsed.query.fingerprint), text::encode(own.query.fingerprint));
  const ParsedLine cut = parse(*parser, line.substr(0, line.size() - 30));
  EXPECT_EQ(cut.refusal.reason, RejectReason::not_json);
  EXPECT_EQ(cut.query.account, hash(Domain::account, "c1"));
}

TEST(MapFormat, MistakesNameFileAndLine) {
  const auto message = [](std::string_view from, std::string_view to) {
    std::string text(kMap);
    text.replace(text.find(from), from.size(), to);
    const auto format = MapFormat::parse(text, "map.toml");
    if (format) return std::string("accepted");
    EXPECT_EQ(format.error().fault, base::Fault::caller);
    return format.error().message;
  };
  EXPECT_TRUE(message("account =", "acount =").starts_with("map.toml:5: ")) << message("account =", "acount =");
  EXPECT_TRUE(message("[times]", "[tmes]").starts_with("map.toml:14: ")) << message("[times]", "[tmes]");
  EXPECT_TRUE(message("unix_ms", "unix").starts_with("map.toml:15: "));
  EXPECT_TRUE(message("\"downstream[0].address\"", "\"downstream[x]\"").starts_with("map.toml:6: "));
  EXPECT_TRUE(message("openai.chat", "cohere").starts_with("map.toml:17: "));
  EXPECT_TRUE(message("v = 1", "v = 2").starts_with("map.toml:1: "));
  EXPECT_TRUE(message("id = \"request_id\"", "").find("id is missing") != std::string::npos);
  EXPECT_TRUE(message("[paths]", "[paths").starts_with("map.toml:"));
  EXPECT_TRUE(message("key = \"none\"", "id = \"none\"").starts_with("map.toml:13: "));
  EXPECT_FALSE(MapFormat::load("/nonexistent/map.toml"));
}

TEST(MapFormat, TheExamplesOfTheDocumentationAreRight) {
  std::ifstream file("docs/reference/log-formats.md");
  if (!file) GTEST_SKIP() << "run from the source folder";
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  int examples = 0;
  for (std::size_t at = page.find("```toml\n"); at != std::string::npos; at = page.find("```toml\n", at + 1)) {
    const std::size_t begin = at + 8;
    const auto format =
        MapFormat::parse(std::string_view(page).substr(begin, page.find("```", begin) - begin), "example");
    EXPECT_TRUE(format) << format.error().message;
    ++examples;
  }
  EXPECT_EQ(examples, 2);
  for (std::size_t reason = 0; reason < kRejectReasons; ++reason) {
    EXPECT_NE(page.find("| `" + std::string(name(static_cast<RejectReason>(reason))) + "` |"), std::string::npos)
        << reason;
  }
}

TEST(AccountParser, ReadsEveryFieldAndNamesOnlyThose) {
  const crypto::KeyedHash hash = test::fixed_hash();
  AccountParser parser(hash);
  event::AccountUpdate update;
  const auto read = [&](std::string line) {
    const std::size_t size = line.size();
    line.resize(size + kJsonPadding, ' ');
    return parser.parse(std::string_view(line).substr(0, size), update);
  };
  ASSERT_FALSE(
      read(R"({"v":1,"account":"acct_7f3a","time":"2026-03-02T10:00:00Z","created":"2026-03-01T10:00:00Z",)"
           R"("tier":"standard","verification":"card","org":"org_12","payment":"pay_9c1e",)"
           R"("email_domain":"example.org","signup_ip":"198.51.100.4","signup_asn":64496,"signup_country":"US",)"
           R"("referral":"r-5","declared":[{"purpose":"evaluation","from":"2026-03-02T00:00:00Z",)"
           R"("until":"2027-03-02T00:00:00Z","scope":"models:*","note":"contract 4711"}]})"));
  EXPECT_EQ(update.fields, 1023);
  EXPECT_EQ(update.verification, event::Verification::card);
  EXPECT_EQ(update.signup_egress, hash(Domain::egress, std::string_view("\xC6\x33\x64", 3)));
  ASSERT_EQ(update.declared.size(), 1U);
  EXPECT_EQ(update.declared[0].until_us, *base::parse_time("2027-03-02T00:00:00Z"));
  EXPECT_EQ(parser.unknown_fields(), 0U);
  ASSERT_FALSE(read(R"({"v":1,"account":"a","time":"2026-03-02T10:00:00Z","org":null,"tier":"pro"})"));
  EXPECT_EQ(update.fields, event::kFieldTier);
  EXPECT_EQ(read(R"({"v":1,"account":"a"})")->reason, RejectReason::missing_field);
  EXPECT_EQ(read(R"({"v":1,"account":"a","time":"2026-03-02T10:00:00Z","verification":"face"})")->reason,
            RejectReason::unknown_value);
  EXPECT_EQ(read(R"({"v":1,"account":7,"time":"2026-03-02T10:00:00Z"})")->reason, RejectReason::wrong_type);
  std::string uses;
  for (int i = 0; i < 17; ++i) uses += R"({"purpose":"batch"},)";
  uses.pop_back();
  EXPECT_EQ(read(R"({"v":1,"account":"a","time":"2026-03-02T10:00:00Z","declared":[)" + uses + "]}")->reason,
            RejectReason::too_many);
}

TEST(AccountParser, FilesAreSortedByTimeAndMustBeReadable) {
  const crypto::KeyedHash hash = test::fixed_hash();
  Identities identities;
  char name[] = "/tmp/stillwatch_accounts_XXXXXX";
  const int file = ::mkstemp(name);
  ASSERT_GE(file, 0);
  ::close(file);
  std::ofstream(name) << R"({"v":1,"account":"b","time":"2026-03-02T10:00:00Z"})"
                      << "\nnonsense\n"
                      << R"({"v":1,"account":"a","time":"2026-03-01T10:00:00Z"})"
                      << "\n";
  std::vector<std::uint64_t> refused;
  const auto accounts =
      load_accounts(name, hash, identities, [&](const Reject& reject) { refused.push_back(reject.line); });
  ASSERT_TRUE(accounts);
  ASSERT_EQ(accounts->updates.size(), 2U);
  EXPECT_EQ(accounts->updates[0].account, hash(Domain::account, "a"));
  EXPECT_EQ(refused, std::vector<std::uint64_t>{2});
  EXPECT_EQ(identities.open(accounts->updates[1].account), "b");
  std::filesystem::remove(name);
  const auto absent = load_accounts(name, hash, identities, {});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().fault, base::Fault::environment);
}

TEST(Identities, KeepsBoundsCountsAndComesBackFromBytes) {
  const crypto::KeyedHash hash = test::fixed_hash();
  Identities identities(1000, 2);
  for (int i = 0; i < 1100; ++i) {
    const std::string raw = "account-" + std::to_string(i);
    EXPECT_EQ(identities.add(IdKind::account, hash(Domain::account, raw), raw), i < 1000);
  }
  for (const char* model : {"m1", "m2", "m3"}) identities.add(IdKind::model, hash(Domain::model, model), model);
  EXPECT_EQ(identities.size(IdKind::account), 1000U);
  EXPECT_EQ(identities.shed(IdKind::account), 100U);
  EXPECT_EQ(identities.shed(IdKind::model), 1U);
  EXPECT_FALSE(identities.contains(0));
  EXPECT_EQ(identities.open(hash(Domain::account, "account-77")), "account-77");
  EXPECT_EQ(identities.open(hash(Domain::account, "account-1077")), "");
  EXPECT_EQ(identities.openings(), 2U);
  const std::string saved = identities.save();
  Identities other(1000, 2);
  ASSERT_TRUE(other.load(saved));
  EXPECT_EQ(other.save(), saved);
  EXPECT_EQ(other.openings(), 2U);
  for (std::size_t size = 0; size < saved.size(); size += 97)
    EXPECT_FALSE(other.load(std::string_view(saved).substr(0, size)));
  EXPECT_FALSE(other.load(saved + "x"));
  EXPECT_EQ(other.save(), saved);
}

TEST(Client, AddressesHaveOneForm) {
  const auto whole = [](std::string_view text) { return std::string(parse_address(text).value_or(Address{}).whole()); };
  EXPECT_EQ(whole("::ffff:203.0.113.7"), whole("203.0.113.7"));
  EXPECT_EQ(whole("203.0.113.7:443"), whole("203.0.113.7"));
  EXPECT_EQ(whole("[2001:DB8::1]:443"), whole("2001:db8:0:0::1"));
  EXPECT_EQ(parse_address("203.0.113.7")->bucket(), parse_address("203.0.113.99")->bucket());
  EXPECT_EQ(parse_address("2001:db8:1::7")->bucket(), parse_address("2001:db8:1:ffff::9")->bucket());
  EXPECT_NE(parse_address("2001:db8:1::7")->bucket(), parse_address("2001:db8:2::7")->bucket());
  for (const char* bad : {"", "1.2.3", "1.2.3.256", "unknown", "1.2.3.4, 5.6.7.8", "[::1", "fe80::1%eth0"})
    EXPECT_FALSE(parse_address(bad)) << bad;
}

TEST(Client, VersionsAreStripped) {
  const auto stripped = [](std::string_view user_agent) {
    std::string out;
    append_without_versions(user_agent, out);
    return out;
  };
  EXPECT_EQ(stripped("openai-python/1.99.1"), "openai-python/#");
  EXPECT_EQ(stripped("Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.0.0"), "Mozilla/# (X11; Linux x86_64) Chrome/#");
  EXPECT_EQ(stripped("tool/v2.0.1-beta.3+g12 (node 20)"), "tool/# (node #)");
  EXPECT_EQ(stripped(""), "");
}

}  // namespace
}  // namespace stillwatch::intake
