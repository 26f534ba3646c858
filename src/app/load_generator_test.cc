#include "app/load_generator.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "http/server.h"

namespace stillwatch::app {
namespace {

class Load : public ::testing::Test {
 protected:
  /// A server of one thread with this handler, and options that ask it.
  LoadOptions asking(http::Handler handler) {
    http::ServerOptions options;
    http::ListenAddress address;
    address.address = "127.0.0.1:0";
    options.listen.push_back(address);
    auto started = http::Server::start(std::move(options), [&](unsigned, boost::asio::io_context&) { return handler; });
    EXPECT_TRUE(started.has_value());
    server_ = std::move(*started);
    LoadOptions load;
    load.address = "127.0.0.1:" + std::to_string(server_->port());
    load.requests = folder_ / "requests";
    EXPECT_TRUE(base::write_file(load.requests, "key-1 {\"a\":1}\nkey-2 {\"b\":22}\n"));
    load.seconds = 0.3;
    load.warm_up_seconds = 0;
    return load;
  }

  const base::test::Folder folder_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(Load, SendsTheRequestsOfTheFileInTurnAndCountsAnswers) {
  std::atomic<int> first{0}, second{0}, other{0};
  LoadOptions options = asking([&](http::Exchange& exchange) -> http::Task<void> {
    const std::string key(exchange.head().fields.find("authorization").value_or(""));
    const std::string mark(exchange.head().fields.find("x-mark").value_or(""));
    const auto body = co_await exchange.read_all(1'000);
    if (!body) co_return;
    if (key == "Bearer key-1" && *body == "{\"a\":1}" && mark == "m")
      ++first;
    else if (key == "Bearer key-2" && *body == "{\"b\":22}" && mark == "m")
      ++second;
    else
      ++other;
    http::ResponseHead head;
    co_await exchange.respond(std::move(head), "{}");
  });
  options.headers = {"x-mark: m"};
  for (const double rate : {0.0, 2'000.0}) {
    first = second = other = 0;
    options.rate = rate;
    options.connections = 3;
    const auto result = run_load(options);
    ASSERT_TRUE(result.has_value());
    EXPECT_GT(result->requests, 10U);
    EXPECT_EQ(result->failed + result->unsent, 0U);
    EXPECT_EQ(result->whole_ns.size(), result->requests);
    EXPECT_EQ(static_cast<std::uint64_t>(first + second), result->requests);
    EXPECT_LE(std::abs(first - second), 1);
    EXPECT_EQ(other, 0);
  }
}

TEST_F(Load, AStreamsFirstEventIsTimedApartFromItsEnd) {
  LoadOptions options = asking([](http::Exchange& exchange) -> http::Task<void> {
    http::ResponseHead head;
    head.fields.add("content-type", "text/event-stream");
    co_await exchange.begin(std::move(head));
    co_await exchange.write("data: 1\n\n");
    co_await http::sleep_ms(exchange.io(), 20);
    co_await exchange.write("data: 2\n\n");
    co_await exchange.end();
  });
  options.rate = 100;
  const auto result = run_load(options);
  ASSERT_TRUE(result.has_value());
  ASSERT_GT(result->requests, 0U);
  EXPECT_EQ(result->failed, 0U);
  for (std::size_t i = 0; i < result->whole_ns.size(); ++i)
    EXPECT_GT(result->whole_ns[i], result->first_ns[i] + 10'000'000) << "both are sorted, and each stream takes 20 ms";
}

TEST_F(Load, WhoWaitsForAConnectionIsCountedFromWhenItWasDue) {
  LoadOptions options = asking([](http::Exchange& exchange) -> http::Task<void> {
    co_await http::sleep_ms(exchange.io(), 10);
    http::ResponseHead head;
    co_await exchange.respond(std::move(head), "{}");
  });
  options.rate = 1'000;  // ten times what one connection can get answered
  options.connections = 1;
  const auto result = run_load(options);
  ASSERT_TRUE(result.has_value());
  ASSERT_GT(result->whole_ns.size(), 10U);
  EXPECT_GT(quantile(result->whole_ns, 0.9), 10 * std::int64_t{10'000'000}) << "the queue is part of the time";
}

TEST_F(Load, BadAnswersAndNoServerAreTold) {
  LoadOptions options = asking([](http::Exchange& exchange) -> http::Task<void> {
    http::ResponseHead head;
    head.status = 503;
    co_await exchange.respond(std::move(head), "busy");
  });
  options.rate = 200;
  const auto result = run_load(options);
  ASSERT_TRUE(result.has_value());
  EXPECT_GT(result->requests, 0U);
  EXPECT_EQ(result->failed, result->requests);
  EXPECT_TRUE(result->whole_ns.empty());
  server_->stop();
  EXPECT_FALSE(run_load(options).has_value());
  options.address = "model.example:80";
  EXPECT_EQ(run_load(options).error().fault, base::Fault::caller);
}

TEST(Quantile, IsTheValueThatTheShareDoesNotExceed) {
  std::vector<std::int64_t> sorted;
  EXPECT_EQ(quantile(sorted, 0.5), 0);
  for (int i = 1; i <= 1'000; ++i) sorted.push_back(i);
  EXPECT_EQ(quantile(sorted, 0.5), 500);
  EXPECT_EQ(quantile(sorted, 0.99), 990);
  EXPECT_EQ(quantile(sorted, 0.999), 999);
  EXPECT_EQ(quantile(sorted, 1), 1'000);
  EXPECT_EQ(quantile(sorted, 0), 1);
}

}  // namespace
}  // namespace stillwatch::app
