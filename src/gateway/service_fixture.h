// A whole gateway on loopback for tests: a model server to play with, keys, a configuration, and a client.
//
// Invariant: everything lives in a temporary folder that goes with the fixture; ports are chosen by the system.
// Threads: the test's own, besides those of the gateway and the model server. Cost: some 50 ms to start.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "gateway/key_file.h"
#include "gateway/service.h"
#include "http/client.h"
#include "http/server.h"

namespace stillwatch::gateway {

/// What a model server was sent.
struct SeenRequest {
  std::string target, body;
  http::Fields fields;
};

/// Answers with `behave`; records what it sees.
class ModelServer {
 public:
  using Behaviour = std::function<http::Task<void>(http::Exchange&, const std::string& body)>;

  explicit ModelServer(Behaviour behave = answer_chat()) : behave_(std::move(behave)) {
    http::ServerOptions options;
    options.listen = {{"127.0.0.1:0", false}};
    auto server = http::Server::start(options, [this](unsigned, boost::asio::io_context&) {
      return [this](http::Exchange& exchange) -> http::Task<void> {
        auto body = co_await exchange.read_all(64U << 20);
        if (!body) co_return;
        {
          const std::lock_guard lock(mutex_);
          seen_.push_back({exchange.head().target, *body, exchange.head().fields});
        }
        co_await behave_(exchange, *body);
      };
    });
    EXPECT_TRUE(server) << (server ? "" : server.error().message);
    server_ = std::move(*server);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  void stop() { server_->stop(); }
  std::vector<SeenRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

  static Behaviour answer_with(int status, std::string type, std::string text) {
    return [=](http::Exchange& exchange, const std::string&) -> http::Task<void> {
      http::ResponseHead head;
      head.status = status;
      head.fields.set("content-type", type);
      (void)co_await exchange.respond(std::move(head), text);
    };
  }
  static Behaviour answer_chat() {
    return answer_with(200, "application/json",
                       R"({"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":)"
                       R"("assistant","content":"Hello."},"logprobs":{"content":[]},"finish_reason":"stop"}],)"
                       R"("usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}})");
  }

 private:
  Behaviour behave_;
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::unique_ptr<http::Server> server_;
};

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string keys;
    for (const char* account : {"acct_1", "acct_2", "acct_3"}) {
      KeyEntry entry;
      entry.account = account;
      entry.key = std::string("key_of_") + account;
      keys += key_line(std::string("sk-test-") + account, entry) + "\n";
    }
    KeyEntry old;
    old.account = "acct_1";
    old.key = "old_key";
    old.expires_us = 1;
    keys += key_line("sk-test-old", old) + "\n";
    ASSERT_TRUE(base::write_file(folder_ + "/keys.ndjson", keys));
  }
  void TearDown() override {
    if (service_ != nullptr) (void)service_->stop();
    service_.reset();
  }

  /// `urls` of the model servers; `more` is appended to the configuration.
  void write_configuration(const std::vector<std::string>& urls, const std::string& more = "") {
    std::string list;
    for (const std::string& url : urls) list += (list.empty() ? "\"" : ", \"") + url + "\"";
    const std::string text = "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin_listen = [\"127.0.0.1:0\"]\nthreads = 2\n" +
                             server_more_ + "\n[[upstream]]\nname = \"model\"\nurls = [" + list + "]\n" +
                             upstream_more_ + "\n[identity]\nkeys_file = \"" + folder_ + "/keys.ndjson\"\n" +
                             identity_more_ + "\n[state]\nfolder = \"" + folder_ + "/state\"\nsecret_file = \"" +
                             folder_ + "/secret\"\n[query_log]\nfolder = \"" + folder_ + "/log\"\n[log]\nfile = \"" +
                             folder_ + "/run.log\"\n" + more;
    ASSERT_TRUE(base::write_file(folder_ + "/gateway.toml", text));
  }
  void start(const std::vector<std::string>& urls, const std::string& more = "") {
    write_configuration(urls, more);
    auto service = Service::start(folder_ + "/gateway.toml");
    ASSERT_TRUE(service) << service.error().message;
    service_ = std::move(*service);
  }
  void restart() {
    ASSERT_TRUE(service_->stop());
    service_.reset();
    auto service = Service::start(folder_ + "/gateway.toml");
    ASSERT_TRUE(service) << service.error().message;
    service_ = std::move(*service);
  }

  http::FetchAnswer fetch(std::uint16_t port, const std::string& method, const std::string& target,
                          const std::string& body, http::Fields fields = {}) {
    http::FetchRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(port) + target;
    request.method = method;
    request.body = body;
    request.fields = std::move(fields);
    if (!body.empty()) request.fields.set("content-type", "application/json");
    auto answer = http::fetch_blocking(std::move(request));
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
    return answer ? std::move(*answer) : http::FetchAnswer{};
  }
  http::FetchAnswer chat(const std::string& account, const std::string& body = kChat) {
    http::Fields fields;
    fields.set("authorization", "Bearer sk-test-" + account);
    return fetch(service_->port(), "POST", "/v1/chat/completions", body, std::move(fields));
  }
  http::FetchAnswer messages(const std::string& account) {
    http::Fields fields;
    fields.set("x-api-key", "sk-test-" + account);
    fields.set("anthropic-version", "2023-06-01");
    return fetch(service_->port(), "POST", "/v1/messages",
                 R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Hello"}]})", std::move(fields));
  }
  http::FetchAnswer admin(const std::string& method, const std::string& target, const std::string& body = "") {
    return fetch(service_->admin_port(), method, target, body);
  }
  /// A human's decision that the account stands at `level`.
  void put_override(const std::string& account, const std::string& level) {
    const auto answer = admin("PUT", "/v1/admin/overrides",
                              R"({"subject":{"kind":"account","id":")" + account + R"("},"level":")" + level +
                                  R"(","until":"2100-01-01T00:00:00Z","who":"test","note":"a test"})");
    ASSERT_EQ(answer.status, 200) << answer.body;
  }
  /// All lines of the query log, after the gateway has stopped.
  std::string logged() {
    if (service_ != nullptr) {
      EXPECT_TRUE(service_->stop());
    }
    service_.reset();
    const std::string out = folder_ + "/log.txt";
    const std::string command = "zstdcat " + folder_ + "/log/*.zst > " + out + " 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return base::read_file(out, 1U << 30).value_or("");
  }
  static std::string field(const http::FetchAnswer& answer, std::string_view name) {
    return std::string(answer.fields.find(name).value_or(std::string_view{}));
  }

  static constexpr const char* kChat =
      R"({"model":"m","messages":[{"role":"user","content":"Write a long poem about the sea and the wind, please."}]})";
  static constexpr const char* kOn =
      "[remedies]\ndry_run = false\nverify = \"on\"\nthrottle = \"on\"\nrestrict = \"on\"\nsuspend = \"on\"\n"
      "verify_address = \"https://verify.example\"\nappeal_address = \"https://appeal.example\"\n";

  const base::test::Folder scratch_;
  const std::string folder_ = scratch_.path();
  std::string server_more_, upstream_more_, identity_more_;
  std::unique_ptr<Service> service_;
};

}  // namespace stillwatch::gateway
