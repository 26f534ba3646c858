// The server over real sockets: order, framing, streaming, limits, slow and vanishing clients.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "http/socket_fixture.h"

namespace stillwatch::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";

TEST(server, keeps_the_connection_and_answers_in_order) {
  const auto server = serve(loopback_options(), echo);
  RawSocket client = RawSocket::to(server->port());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_THAT(client.until("GET /a\n"), StartsWith("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"));
  // Three at once, the second with a body and cut in the middle of a line.
  ASSERT_TRUE(client.send("GET /1 HTTP/1.1\r\nhost: x\r\n\r\nPOST /2 HTTP/1.1\r\nho"));
  ASSERT_TRUE(
      client.send("st: x\r\ncontent-length: 3\r\n\r\nabcGET /3?q HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
  const std::string all = client.until_closed();
  const std::size_t first = all.find("GET /1\n"), second = all.find("POST /2\nabc"), third = all.find("GET /3?q\n");
  ASSERT_NE(third, std::string::npos);
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_THAT(all.substr(second), HasSubstr("connection: close\r\n"));
  EXPECT_EQ(server->counters().requests, 4U);
}

TEST(server, reads_chunks_at_every_cut) {
  const auto server = serve(loopback_options(), echo);
  const std::string request =
      "POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nt: "
      "v\r\n\r\n";
  RawSocket client = RawSocket::to(server->port());
  for (std::size_t cut = 1; cut < request.size(); cut += 3) {
    ASSERT_TRUE(client.send(request.substr(0, cut)));
    ASSERT_TRUE(client.send(request.substr(cut)));
    EXPECT_THAT(client.until("Wikipedia"), EndsWith("POST /c\nWikipedia"));
  }
}

TEST(server, passes_a_stream_piece_by_piece) {
  std::atomic<int> asked{0};
  const auto server = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    ResponseHead head;
    head.fields.add("content-type", "text/event-stream");
    co_await exchange.begin(std::move(head));
    for (int i = 0; i < 3; ++i) {
      const std::string event = "data: " + std::to_string(i) + "\n\n";
      co_await exchange.write(event);
      // The next piece is made only once the test has seen this one.
      while (asked.load() <= i) co_await sleep_ms(exchange.io(), 2);
    }
    co_await exchange.end();
  });
  RawSocket client = RawSocket::to(server->port());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_THAT(client.until("data: 0\n\n\r\n"), HasSubstr("transfer-encoding: chunked\r\n\r\n9\r\ndata: 0"));
  asked = 1;
  EXPECT_EQ(client.until("data: 1\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  asked = 2;
  EXPECT_EQ(client.until("data: 2\n\n\r\n"), "9\r\ndata: 2\n\n\r\n");
  asked = 3;
  EXPECT_EQ(client.until("0\r\n\r\n"), "0\r\n\r\n");
  ASSERT_TRUE(client.send("GET /a HTTP/1.0\r\n\r\n"));  // and the connection goes on
  const std::string old = client.until_closed();
  EXPECT_THAT(old, Not(HasSubstr("chunked")));  // HTTP/1.0: the close ends the body
  EXPECT_THAT(old, EndsWith("\r\n\r\ndata: 0\n\ndata: 1\n\ndata: 2\n\n"));
}

TEST(server, continue_is_sent_when_the_body_is_wanted_and_only_then) {
  const auto server = serve(loopback_options(), [](Exchange& exchange) -> Task<void> {
    if (exchange.head().target == "/no") {
      ResponseHead head;
      head.status = 403;
      co_await exchange.respond(std::move(head), "no\n");
      co_return;
    }
    co_await echo(exchange);
  });
  RawSocket client = RawSocket::to(server->port());
  ASSERT_TRUE(client.send("POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"));
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.send("hi"));
  EXPECT_THAT(client.until("hi"), StartsWith("HTTP/1.1 200 "));
  ASSERT_TRUE(client.send("POST /no HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"));
  EXPECT_THAT(client.until_closed(), StartsWith("HTTP/1.1 403 Forbidden\r\n"));
}

TEST(server, head_and_no_content_have_no_body) {
  const auto server = serve(loopback_options(), [](Exchange& exchange) -> Task<void> {
    ResponseHead head;
    if (exchange.head().target == "/204") head.status = 204;
    co_await exchange.respond(std::move(head), "abc");
  });
  RawSocket client = RawSocket::to(server->port());
  ASSERT_TRUE(
      client.send("HEAD / HTTP/1.1\r\nhost: x\r\n\r\nGET /204 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
  EXPECT_EQ(client.until_closed(),
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nHTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
}

TEST(server, a_client_that_vanishes_is_noticed) {
  std::atomic<bool> told{false};
  const auto server = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    bool gone = false;
    exchange.on_client_gone([&gone] { gone = true; });
    while (!gone) {
      const bool goes_on = co_await sleep_ms(exchange.io(), 5);
      if (!goes_on) co_return;
    }
    told = exchange.client_gone();
  });
  {
    RawSocket client = RawSocket::to(server->port());
    ASSERT_TRUE(client.send(kGet));
    ASSERT_TRUE(eventually([&] { return server->counters().streams_open == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return told.load(); }));
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
  EXPECT_EQ(server->counters().clients_gone, 1U);
}

TEST(server, a_client_that_pipelines_is_not_taken_for_gone) {
  std::atomic<bool> finish{false}, gone{false};
  const auto server = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    exchange.on_client_gone([&gone] { gone = true; });
    while (!finish) co_await sleep_ms(exchange.io(), 5);
    co_await exchange.respond({}, exchange.head().target);
  });
  RawSocket client = RawSocket::to(server->port());
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(eventually([&] { return server->counters().streams_open == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(700));  // the watch is armed by now
  ASSERT_TRUE(client.send("GET /second HTTP/1.1\r\nhost: x\r\n\r\n"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  finish = true;
  client.until("/second");
  EXPECT_FALSE(gone);
}

TEST(server, slow_heads_and_bodies_are_cut) {
  ServerOptions options = loopback_options();
  options.timeouts.head_ms = 300;
  options.timeouts.body_idle_ms = 300;
  const auto server = serve(std::move(options), echo);
  RawSocket slow_head = RawSocket::to(server->port());
  ASSERT_TRUE(slow_head.send("GET / HTTP/1.1\r\nhost"));
  EXPECT_THAT(slow_head.until_closed(), StartsWith("HTTP/1.1 408 "));
  // A drip keeps a head alive no longer than its total.
  RawSocket drip = RawSocket::to(server->port());
  for (int i = 0; i < 400 && drip.send("G"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_GE(server->counters().timeouts, 2U);
  RawSocket slow_body = RawSocket::to(server->port());
  ASSERT_TRUE(slow_body.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"));
  EXPECT_THAT(slow_body.until_closed(), StartsWith("HTTP/1.1 408 "));
}

TEST(server, an_idle_connection_is_closed) {
  ServerOptions options = loopback_options();
  options.timeouts.keep_alive_ms = 300;
  const auto server = serve(std::move(options), echo);
  RawSocket unused = RawSocket::to(server->port()), used = RawSocket::to(server->port());
  ASSERT_TRUE(used.send(kGet));
  used.until("GET /a\n");
  EXPECT_EQ(used.until_closed(), "");
  EXPECT_EQ(unused.until_closed(), "");
  EXPECT_EQ(server->counters().timeouts, 0U);  // that is no fault
}

TEST(server, a_body_that_only_drips_is_cut) {
  ServerOptions options = loopback_options();
  options.timeouts.body_idle_ms = 400;
  options.timeouts.body_bytes_per_second_min = 1'000;
  const auto server = serve(std::move(options), echo);
  RawSocket client = RawSocket::to(server->port());
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"));
  bool cut = false;
  for (int i = 0; i < 400 && !cut; ++i) {
    cut = !client.send("a") || server->counters().timeouts == 1;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(cut);
}

TEST(server, a_client_that_takes_no_bytes_is_cut) {
  ServerOptions options = loopback_options();
  options.timeouts.write_stall_ms = 300;
  std::atomic<bool> failed{false};
  const auto server = serve(std::move(options), [&](Exchange& exchange) -> Task<void> {
    co_await exchange.begin({});
    const std::string piece(256U << 10, 'x');
    for (int i = 0; i < 1'000; ++i) {
      const base::Status written = co_await exchange.write(piece);
      if (written) continue;
      failed = true;
      co_return;
    }
  });
  RawSocket client = RawSocket::to(server->port());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_TRUE(eventually([&] { return failed.load(); }));
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(server, limits_have_their_answers) {
  ServerOptions options = loopback_options();
  options.limits.body_bytes_max = 10;
  options.limits.head_bytes_max = 20'000;
  options.limits.fields_max = 20;
  options.limits.target_bytes_max = 500;
  const auto server = serve(std::move(options), echo);
  const auto answer = [&](const std::string& request) {
    RawSocket client = RawSocket::to(server->port());
    client.send(request);
    return client.until_closed().substr(0, 13);
  };
  EXPECT_EQ(answer("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n"), "HTTP/1.1 413 ");
  EXPECT_EQ(answer("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nb\r\nabcdefghijk\r\n"),
            "HTTP/1.1 413 ");
  EXPECT_EQ(answer("GET / HTTP/1.1\r\nhost: x\r\na: " + std::string(20'000, 'a')), "HTTP/1.1 431 ");
  EXPECT_EQ(answer("GET /" + std::string(19'999, 'a')), "HTTP/1.1 414 ");
  EXPECT_EQ(answer("GET /" + std::string(600, 'a') + " HTTP/1.1\r\nhost: x\r\n\r\n"), "HTTP/1.1 414 ");
  std::string many = "GET / HTTP/1.1\r\nhost: x\r\n";
  for (int i = 0; i < 20; ++i) many += "a: b\r\n";
  EXPECT_EQ(answer(many + "\r\n"), "HTTP/1.1 431 ");
  // A head of 18 KB needs a larger buffer than usual and is fine.
  EXPECT_EQ(answer("GET / HTTP/1.1\r\nconnection: close\r\nhost: x\r\na: " + std::string(18'000, 'a') + "\r\n\r\n"),
            "HTTP/1.1 200 ");
}

TEST(server, connections_and_streams_are_bounded) {
  ServerOptions options = loopback_options();
  options.limits.connections_max = 2;
  options.limits.streams_max = 1;
  std::atomic<bool> finish{false};
  const auto server = serve(std::move(options), [&](Exchange& exchange) -> Task<void> {
    while (!finish) co_await sleep_ms(exchange.io(), 5);
    co_await exchange.respond({}, "done");
  });
  RawSocket one = RawSocket::to(server->port());
  ASSERT_TRUE(one.send(kGet));
  ASSERT_TRUE(eventually([&] { return server->counters().streams_open == 1; }));
  RawSocket two = RawSocket::to(server->port());
  ASSERT_TRUE(eventually([&] { return server->counters().connections_open == 2; }));
  RawSocket three = RawSocket::to(server->port());
  EXPECT_THAT(three.until_closed(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(server->counters().connections_refused, 1U);
  ASSERT_TRUE(two.send(kGet));
  EXPECT_THAT(two.until_closed(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(server->counters().streams_refused, 1U);
  finish = true;
  EXPECT_THAT(one.until("done"), StartsWith("HTTP/1.1 200 "));
}

TEST(server, handlers_that_fail_do_not_take_the_server_along) {
  const auto server = serve(loopback_options(), [](Exchange& exchange) -> Task<void> {
    if (exchange.head().target == "/throw") throw std::runtime_error("x");
    if (exchange.head().target == "/cut") {
      co_await exchange.begin({});
      co_await exchange.write("half");
    }
  });
  const auto answer = [&](const std::string& target) {
    RawSocket client = RawSocket::to(server->port());
    client.send("GET " + target + " HTTP/1.1\r\nhost: x\r\n\r\n");
    return client.until_closed();
  };
  EXPECT_THAT(answer("/throw"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer("/nothing"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer("/cut"), EndsWith("4\r\nhalf\r\n"));  // no last chunk: the client sees that it is not whole
  EXPECT_EQ(server->counters().handler_exceptions, 1U);
  EXPECT_EQ(server->counters().answers_cut, 1U);
}

TEST(server, drain_finishes_streams_and_closes_idle_connections) {
  std::atomic<bool> finish{false};
  const auto server = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    while (!finish) co_await sleep_ms(exchange.io(), 5);
    co_await exchange.respond({}, "whole");
  });
  RawSocket idle = RawSocket::to(server->port()), busy = RawSocket::to(server->port());
  ASSERT_TRUE(busy.send(kGet));
  ASSERT_TRUE(eventually([&] { return server->counters().streams_open == 1; }));
  EXPECT_GE(server->drain(50), 1U);  // the busy one, and perhaps the idle one is not closed yet
  EXPECT_EQ(idle.until_closed(), "");
  EXPECT_FALSE(RawSocket::to(server->port()).open());
  finish = true;
  const std::string answer = busy.until_closed();
  EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("whole"));
  busy.close();
  EXPECT_EQ(server->drain(20'000), 0U);
}

TEST(server, stop_ends_what_is_open) {
  auto server = serve(loopback_options(), [](Exchange& exchange) -> Task<void> {
    for (bool goes_on = true; goes_on;) goes_on = co_await sleep_ms(exchange.io(), 60'000);
  });
  RawSocket idle = RawSocket::to(server->port()), busy = RawSocket::to(server->port());
  ASSERT_TRUE(busy.send(kGet));
  ASSERT_TRUE(eventually([&] { return server->counters().streams_open == 1; }));
  server->stop();
  EXPECT_EQ(server->counters().connections_open, 0U);
  EXPECT_EQ(busy.until_closed(), "");
}

TEST(server, runs_out_of_descriptors_and_goes_on) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer reads types through a pipe, and takes a failure for a wrong type";
#endif
  const auto server = serve(loopback_options(), echo);
  std::vector<RawSocket> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(RawSocket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int highest = ::dup(0);
  ASSERT_GE(highest, 0);
  RawSocket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::close(highest);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(highest);  // nothing above what is open now
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  RawSocket late = std::move(client);
  const bool connected = late.connect_to(server->port());
  const bool failed = eventually([&] { return server->counters().accept_failures > 0; });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(connected);
  EXPECT_TRUE(failed);
  ASSERT_TRUE(late.send(kGet));
  EXPECT_THAT(late.until("GET /a\n"), StartsWith("HTTP/1.1 200 "));
}

TEST(server, several_threads_and_a_unix_socket) {
  const std::string path = ::testing::TempDir() + "stillwatch_http_test.sock";
  ServerOptions options = loopback_options();
  options.threads = 2;
  options.listen.push_back({"unix:" + path, false});
  const auto server = serve(std::move(options), [](Exchange& exchange) -> Task<void> {
    co_await exchange.respond({}, exchange.peer().address);
  });
  ASSERT_NE(server, nullptr);
  for (int i = 0; i < 20; ++i) {
    FetchRequest request;
    request.url = i % 2 == 0 ? "unix:" + path + ":/x" : "http://127.0.0.1:" + std::to_string(server->port()) + "/x";
    const auto answer = fetch_blocking(std::move(request));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, i % 2 == 0 ? "unix" : "127.0.0.1");
  }
}

TEST(server, says_why_it_cannot_listen) {
  const auto server = serve(loopback_options(), echo);
  for (const std::string& address : {"127.0.0.1:" + std::to_string(server->port()), std::string("localhost:80"),
                                     std::string("8080"), std::string("unix:")}) {
    ServerOptions options;
    options.listen.push_back({address, false});
    const auto second = Server::start(std::move(options), [](unsigned, boost::asio::io_context&) { return echo; });
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().fault, base::Fault::caller);
  }
}

}  // namespace
}  // namespace stillwatch::http
