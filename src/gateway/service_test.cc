#include "gateway/service.h"

#include <gtest/gtest.h>

#include <thread>

#include "gateway/service_fixture.h"
#include "intake/parser_fixture.h"

namespace stillwatch::gateway {
namespace {

TEST_F(ServiceTest, HealthReadinessAndMetrics) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  EXPECT_EQ(admin("GET", "/healthz").status, 200);
  EXPECT_EQ(admin("GET", "/readyz").status, 200);
  EXPECT_EQ(chat("acct_1").status, 200);
  const auto metrics = admin("GET", "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_NE(metrics.body.find("stillwatch_requests_total"), std::string::npos);
  EXPECT_NE(metrics.body.find("stillwatch_dry_run 1"), std::string::npos) << metrics.body.substr(0, 2'000);
  EXPECT_EQ(metrics.body.find("acct_1"), std::string::npos);
  EXPECT_EQ(admin("GET", "/v1/nothing").status, 404);
}

TEST_F(ServiceTest, ABrokenConfigurationKeepsTheOldOne) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, "[tiers.default]\nmodels = [\"m\"]\n"));
  EXPECT_EQ(chat("acct_1").status, 200);
  write_configuration({model.url()}, "[tiers.default]\nmodles = [\"other\"]\n");
  const auto refused = service_->reload();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("modles"), std::string::npos) << refused.error().message;
  EXPECT_EQ(chat("acct_1").status, 200);
  EXPECT_EQ(admin("POST", "/v1/admin/reload").status, 400);
  write_configuration({model.url()}, "[tiers.default]\nmodels = [\"other\"]\n");
  EXPECT_EQ(admin("POST", "/v1/admin/reload").status, 200);
  EXPECT_EQ(chat("acct_1").status, 403);
}

TEST_F(ServiceTest, ReloadSendsNewRequestsToNewServers) {
  ModelServer one, two(ModelServer::answer_with(200, "application/json", "{\"second\":true}"));
  ASSERT_NO_FATAL_FAILURE(start({one.url()}));
  EXPECT_NE(chat("acct_1").body.find("Hello"), std::string::npos);
  write_configuration({two.url()});
  ASSERT_TRUE(service_->reload());
  EXPECT_NE(chat("acct_1").body.find("second"), std::string::npos);
}

TEST_F(ServiceTest, AdminTokenIsAskedFor) {
  ModelServer model;
  ASSERT_TRUE(base::write_file(folder_ + "/token", "secret-token\n"));
  std::filesystem::permissions(folder_ + "/token", std::filesystem::perms::owner_read);
  server_more_ = "admin_token_file = \"" + folder_ + "/token\"\n";
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  EXPECT_EQ(admin("GET", "/v1/admin/overrides").status, 401);
  http::Fields fields;
  fields.set("authorization", "Bearer secret-token");
  EXPECT_EQ(fetch(service_->admin_port(), "GET", "/v1/admin/overrides", "", fields).status, 200);
  EXPECT_EQ(admin("GET", "/healthz").status, 200) << "health needs no token";
}

TEST_F(ServiceTest, BadOverridesAreSaid) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, kOn));
  EXPECT_EQ(admin("PUT", "/v1/admin/overrides", "{").status, 400);
  EXPECT_EQ(admin("PUT", "/v1/admin/overrides", R"({"subject":{"kind":"account","id":"a"},"level":"verify"})").status,
            400);
  EXPECT_EQ(admin("DELETE", "/v1/admin/overrides?account=nobody").status, 404);
  EXPECT_EQ(admin("PATCH", "/v1/admin/overrides").status, 405);
  put_override("acct_1", "notice");
  EXPECT_NE(admin("GET", "/v1/admin/overrides").body.find("acct_1"), std::string::npos);
}

TEST_F(ServiceTest, DecisionsWithoutAProxy) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, kOn));
  const std::string check = R"({"account":"acct_1","model":"m"})";
  auto answer = admin("POST", "/v1/decisions/check", check);
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find(R"("allowed":true)"), std::string::npos) << answer.body;
  put_override("acct_1", "verify");
  answer = admin("POST", "/v1/decisions/check", check);
  EXPECT_NE(answer.body.find(R"("allowed":false)"), std::string::npos);
  EXPECT_NE(answer.body.find(R"("status":403)"), std::string::npos);
  EXPECT_EQ(admin("POST", "/v1/decisions/check", R"({"model":"m"})").status, 400);

  http::Fields fields;
  fields.set("x-stillwatch-account", "acct_1");
  EXPECT_EQ(fetch(service_->admin_port(), "GET", "/v1/decisions/auth", "", fields).status, 403);
  EXPECT_EQ(fetch(service_->admin_port(), "POST", "/v1/decisions/ext_authz/v1/messages", "", fields).status, 403);
  fields.set("x-stillwatch-account", "acct_2");
  EXPECT_EQ(fetch(service_->admin_port(), "GET", "/v1/decisions/auth", "", fields).status, 200);
  http::Fields key;
  key.set("authorization", "Bearer sk-test-acct_2");
  EXPECT_EQ(fetch(service_->admin_port(), "GET", "/v1/decisions/auth", "", key).status, 200);
  EXPECT_EQ(admin("GET", "/v1/decisions/auth").status, 401);

  answer = admin("POST", "/beta/litellm_basic_guardrail_api",
                 R"({"texts":["hello"],"input_type":"request","request_data":{"user_api_key_user_id":"acct_1"}})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find(R"("BLOCKED")"), std::string::npos) << answer.body;
  answer = admin("POST", "/beta/litellm_basic_guardrail_api",
                 R"({"texts":["hello"],"input_type":"request","request_data":{"user_api_key_user_id":"acct_2"}})");
  EXPECT_NE(answer.body.find(R"("NONE")"), std::string::npos) << answer.body;
}

TEST_F(ServiceTest, AuthRequestKnowsThrottlingByAField) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}, kOn));
  put_override("acct_1", "throttle");
  http::Fields fields;
  fields.set("x-stillwatch-account", "acct_1");
  bool throttled = false;
  for (int i = 0; i < 30; ++i) {
    const auto answer = fetch(service_->admin_port(), "GET", "/v1/decisions/auth", "", fields);
    if (answer.status != 403) continue;
    throttled = true;
    EXPECT_EQ(field(answer, "stillwatch-status"), "429") << "nginx knows 401 and 403 only";
    EXPECT_FALSE(field(answer, "retry-after").empty());
  }
  EXPECT_TRUE(throttled);
  EXPECT_EQ(fetch(service_->admin_port(), "GET", "/v1/decisions/ext_authz", "", fields).status, 429);
}

TEST_F(ServiceTest, StateAndLogFoldersAreHeldByOneProcess) {
  ModelServer model;
  ASSERT_NO_FATAL_FAILURE(start({model.url()}));
  const auto second = Service::start(folder_ + "/gateway.toml");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, base::Fault::environment) << second.error().message;
}

TEST_F(ServiceTest, TheTierOfAKeyHoldsForItsOwnAccountAlone) {
  KeyEntry gold;
  gold.account = "acct_1";
  gold.key = "gold_key";
  gold.tier = "gold";
  ASSERT_TRUE(base::write_file(folder_ + "/keys.ndjson", key_line("sk-test-gold", gold) + "\n"));
  ModelServer model;
  start({model.url()}, "[tiers.default]\nnetworks = [\"203.0.113.0/24\"]\n[tiers.gold]\nn_max = 5\n");
  const auto ask = [&](const std::string& named) {
    http::Fields fields;
    fields.set("authorization", "Bearer sk-test-gold");
    if (!named.empty()) fields.set("x-stillwatch-account", named);
    return fetch(service_->admin_port(), "GET", "/v1/decisions/auth/v1/chat/completions", "", std::move(fields)).status;
  };
  EXPECT_EQ(ask(""), 200);
  EXPECT_EQ(ask("acct_1"), 200);
  EXPECT_EQ(ask("acct_2"), 403) << "the tier of a key that is another account's";
}

TEST_F(ServiceTest, PassagesOfAnswersAreInTheLogWhenToldTo) {
  const std::string said =
      "The evolved prompt asks for a proof that the sum of the first n odd numbers is the square of n, by induction, "
      "with every step justified and a counterexample for the naive generalisation to primes.";
  const std::string body = R"({"choices":[{"index":0,"message":{"role":"assistant","content":")" + said + "\"}}]}";
  const std::string stream = R"(data: {"choices":[{"index":0,"delta":{"content":")" + said.substr(0, 90) +
                             "\"}}]}\n\ndata: " + R"({"choices":[{"index":0,"delta":{"content":")" + said.substr(90) +
                             "\"}}]}\n\ndata: [DONE]\n\n";
  ModelServer whole(ModelServer::answer_with(200, "application/json", body));
  ModelServer streamed(ModelServer::answer_with(200, "text/event-stream", stream));
  decltype(event::Fingerprint{}.replies) found[2], none{};
  for (int i = 0; i < 2; ++i) {
    start({i == 0 ? whole.url() : streamed.url()}, "[observer]\nreply_kib_max = 16\n");
    EXPECT_EQ(chat("acct_1").status, 200);
    const std::string log = logged();
    EXPECT_EQ(log.find("induction"), std::string::npos);
    intake::test::Lines lines;
    found[i] = lines.parse(log.substr(log.rfind('\n', log.size() - 2) + 1)).query.fingerprint.replies;
    EXPECT_NE(found[i], none);
  }
  EXPECT_EQ(found[0], found[1]);
}

}  // namespace
}  // namespace stillwatch::gateway
