#include <gtest/gtest.h>

#include <thread>

#include "gateway/service_fixture.h"

namespace stillwatch::gateway {
namespace {

using ProxyTest = ServiceTest;

TEST_F(ProxyTest, PassesARequestAndRecordsIt) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  const auto answer = chat("acct_1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("Hello."), std::string::npos);
  EXPECT_TRUE(field(answer, "stillwatch-request-id").starts_with("req_"));
  ASSERT_EQ(model.seen().size(), 1U);
  EXPECT_EQ(model.seen()[0].body, kChat) << "byte for byte";
  EXPECT_EQ(model.seen()[0].fields.find("accept-encoding").value_or(""), "identity");
  const std::string lines = logged();
  EXPECT_NE(lines.find(R"("account":"acct_1")"), std::string::npos) << lines;
  EXPECT_NE(lines.find(R"("key":"key_of_acct_1")"), std::string::npos);
  EXPECT_NE(lines.find(R"("input_tokens":11)"), std::string::npos);
  EXPECT_NE(lines.find(R"("output_tokens":7)"), std::string::npos);
  EXPECT_NE(lines.find(R"("fingerprint":)"), std::string::npos);
  EXPECT_EQ(lines.find("poem"), std::string::npos) << "no prompt is kept";
  EXPECT_EQ(lines.find("sk-test"), std::string::npos) << "no key is kept";
}

TEST_F(ProxyTest, RefusesWhoIsNotKnownInTheDialectOfThePath) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  auto answer = chat("nobody");
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(answer.body.find(R"("error":{)"), std::string::npos);
  answer = messages("nobody");
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(answer.body.find(R"("type":"error")"), std::string::npos);
  EXPECT_NE(answer.body.find("authentication_error"), std::string::npos);
  answer = chat("old");
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(answer.body.find("expired"), std::string::npos);
  EXPECT_EQ(fetch(service_->port(), "POST", "/v1/chat/completions", kChat).status, 401);
  EXPECT_TRUE(model.seen().empty());
}

TEST_F(ProxyTest, ClientsCannotNameAnAccountByThemselves) {
  ModelServer model;
  identity_more_ = "[[identity.front_proxy]]\nnetworks = [\"10.0.0.0/8\"]\naccount_header = \"x-account\"\n";
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  http::Fields fields;
  fields.set("x-account", "acct_1");
  EXPECT_EQ(fetch(service_->port(), "POST", "/v1/chat/completions", kChat, fields).status, 401);
}

TEST_F(ProxyTest, TrustedFrontProxyNamesAccountAndAddress) {
  ModelServer model;
  identity_more_ =
      "[[identity.front_proxy]]\nnetworks = [\"127.0.0.0/8\"]\naccount_header = \"x-account\"\n"
      "address_header = \"x-forwarded-for\"\n";
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, "[tiers.default]\nnetworks = [\"203.0.113.0/24\"]\n"));
  http::Fields fields;
  fields.set("x-account", "acct_9");
  fields.set("x-forwarded-for", "198.51.100.1, 203.0.113.7");
  EXPECT_EQ(fetch(service_->port(), "POST", "/v1/chat/completions", kChat, fields).status, 200);
  // The rightmost is what the proxy saw; the one before is the client's own word.
  fields.set("x-forwarded-for", "203.0.113.7, 198.51.100.1");
  EXPECT_EQ(fetch(service_->port(), "POST", "/v1/chat/completions", kChat, fields).status, 403);
  const std::string lines = logged();
  EXPECT_NE(lines.find(R"("account":"acct_9")"), std::string::npos);
  EXPECT_NE(lines.find(R"("ip":"203.0.113.7")"), std::string::npos);
  EXPECT_EQ(lines.find("x-account"), std::string::npos) << "what the proxy adds is not the client's software";
}

TEST_F(ProxyTest, AccessProtocolOfTheTier) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, "[tiers.default]\nmodels = [\"m*\"]\nn_max = 1\nlogprobs = false\n"));
  EXPECT_EQ(chat("acct_1").status, 200);
  EXPECT_EQ(chat("acct_1", R"({"model":"other","messages":[{"role":"user","content":"x"}]})").status, 403);
  const auto many = chat("acct_1", R"({"model":"m","n":4,"messages":[{"role":"user","content":"x"}]})");
  EXPECT_GE(many.status, 400);
  EXPECT_LT(many.status, 404);
  EXPECT_GE(chat("acct_1", R"({"model":"m","logprobs":true,"messages":[{"role":"user","content":"x"}]})").status, 400);
  EXPECT_EQ(chat("acct_1", "{not json").status, 400) << "what cannot be read cannot be checked";
  EXPECT_EQ(model.seen().size(), 1U);
}

TEST_F(ProxyTest, WrongJsonPassesWithoutRulesAndIsRefusedBySetting) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  EXPECT_EQ(chat("acct_1", "{not json").status, 200) << "the model server says what it thinks of it";
  EXPECT_EQ(model.seen().size(), 1U);
  ASSERT_TRUE(service_->stop());
  service_.reset();
  server_more_ = "unreadable_body = \"refuse\"\n";
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  EXPECT_EQ(chat("acct_1", "{not json").status, 400);
  EXPECT_EQ(model.seen().size(), 1U);
}

TEST_F(ProxyTest, EveryRemedyIsDoneAndNamed) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, kOn));
  put_override("acct_1", "verify");
  auto answer = chat("acct_1");
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(field(answer, "stillwatch-level"), "verify");
  EXPECT_EQ(field(answer, "stillwatch-rule"), "override");
  EXPECT_EQ(field(answer, "stillwatch-appeal"), "https://appeal.example");
  EXPECT_FALSE(field(answer, "stillwatch-case").empty());
  EXPECT_FALSE(field(answer, "stillwatch-expires").empty());
  EXPECT_NE(answer.body.find("https://verify.example"), std::string::npos);
  EXPECT_EQ(messages("acct_1").status, 403);
  put_override("acct_1", "suspend");
  EXPECT_EQ(chat("acct_1").status, 403);
  EXPECT_TRUE(model.seen().empty());

  put_override("acct_1", "restrict");
  answer = chat("acct_1", R"({"model":"m","n":3,"logprobs":true,"messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(field(answer, "stillwatch-restricted").find("logprobs"), std::string::npos);
  EXPECT_EQ(answer.body.find(R"("logprobs":{)"), std::string::npos) << answer.body;
  ASSERT_EQ(model.seen().size(), 1U);
  EXPECT_EQ(model.seen()[0].body.find("logprobs"), std::string::npos);
  EXPECT_NE(model.seen()[0].body.find(R"("n":1)"), std::string::npos);

  put_override("acct_2", "throttle");
  int refused = 0;
  for (int i = 0; i < 30; ++i) {
    answer = chat("acct_2");
    if (answer.status == 429) {
      ++refused;
      EXPECT_FALSE(field(answer, "retry-after").empty());
    }
  }
  EXPECT_GE(refused, 18) << "10 a minute are left";
  EXPECT_EQ(chat("acct_3").status, 200) << "nobody else feels anything";
}

TEST_F(ProxyTest, DryRunDoesNothingAndTakesEffectAtOnce) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, kOn));
  put_override("acct_1", "verify");
  EXPECT_EQ(chat("acct_1").status, 403);
  EXPECT_EQ(admin("POST", "/v1/admin/dry-run", R"({"on":true})").status, 200);
  EXPECT_EQ(chat("acct_1").status, 200);
  restart();
  EXPECT_EQ(chat("acct_1").status, 200) << "the switch outlives a restart";
  EXPECT_EQ(admin("POST", "/v1/admin/dry-run", R"({"on":false})").status, 200);
  EXPECT_EQ(chat("acct_1").status, 403) << "and so does the override";
  EXPECT_EQ(admin("DELETE", "/v1/admin/overrides?account=acct_1").status, 200);
  EXPECT_EQ(chat("acct_1").status, 200);
}

TEST_F(ProxyTest, AllowListComesFirst) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, std::string(kOn) + "allow_list = [\"acct_1\"]\n"));
  put_override("acct_1", "suspend");
  EXPECT_EQ(chat("acct_1").status, 200);
}

TEST_F(ProxyTest, LimitsHoldUnderConcurrency) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, "[tiers.default.limits.account]\nrequests_per_minute = 10\n"));
  std::atomic<int> passed{0}, refused{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        const auto answer = chat("acct_1");
        (answer.status == 200 ? passed : refused) += 1;
        if (answer.status == 429) {
          EXPECT_FALSE(field(answer, "retry-after").empty());
        }
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_GE(passed.load(), 10);
  EXPECT_LE(passed.load(), 12) << "ten, and what flows back in the seconds that the test takes";
  EXPECT_EQ(passed.load() + refused.load(), 40);
  const auto other = chat("acct_2");
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(field(other, "x-ratelimit-limit-requests"), "10");
  EXPECT_EQ(field(other, "x-ratelimit-remaining-requests"), "9");
}

TEST_F(ProxyTest, UpstreamFaultsAreSaidAndAnotherServerIsTried) {
  ModelServer good, garbage(ModelServer::answer_with(200, "application/json", "x"));
  ModelServer dead;
  const std::string dead_url = dead.url();
  dead.stop();
  ASSERT_NO_FATAL_FAILURE(start({dead_url, good.url()}));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(chat("acct_1").status, 200) << "request " << i;
  ASSERT_TRUE(service_->stop());
  service_.reset();
  ASSERT_NO_FATAL_FAILURE(start({dead_url}));
  EXPECT_EQ(chat("acct_1").status, 502);
  EXPECT_EQ(messages("acct_1").status, 502);
  ASSERT_TRUE(service_->stop());
  service_.reset();
  ModelServer slow([](http::Exchange& exchange, const std::string&) -> http::Task<void> {
    (void)co_await http::sleep_ms(exchange.io(), 5'000);
  });
  upstream_more_ = "first_byte_seconds = 0.2\n";
  ASSERT_NO_FATAL_FAILURE(start({slow.url()}));
  EXPECT_EQ(chat("acct_1").status, 504);
}

TEST_F(ProxyTest, OtherPathsPassAsTheyAre) {
  ModelServer model(ModelServer::answer_with(201, "text/plain", "made"));
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  http::Fields fields;
  fields.set("authorization", "Bearer sk-test-acct_1");
  fields.set("accept-encoding", "gzip");
  const auto answer = fetch(service_->port(), "PUT", "/v1/files/x?y=1", "any bytes \x01", fields);
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "made");
  ASSERT_EQ(model.seen().size(), 1U);
  EXPECT_EQ(model.seen()[0].target, "/v1/files/x?y=1");
  EXPECT_EQ(model.seen()[0].body, "any bytes \x01");
  EXPECT_EQ(model.seen()[0].fields.find("accept-encoding").value_or(""), "gzip");
}

TEST_F(ProxyTest, BodiesOverTheCopyLimitPassAndCount) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, "[observer]\nbody_copy_mib_max = 1\n"));
  const std::string body =
      R"({"model":"m","messages":[{"role":"user","content":")" + std::string(3'000'000, 'a') + "\"}]}";
  EXPECT_EQ(chat("acct_1", body).status, 200);
  ASSERT_EQ(model.seen().size(), 1U);
  EXPECT_EQ(model.seen()[0].body, body);
  const std::string lines = logged();
  EXPECT_NE(lines.find(R"("account":"acct_1")"), std::string::npos) << "its size counts for the account";
}

}  // namespace
}  // namespace stillwatch::gateway
