// The client over real sockets: reuse, stale connections, framing both ways, and upstreams that misbehave.
#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/socket_fixture.h"

namespace stillwatch::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  Failure failure = Failure::none;
  int status = 0;
  std::string body;
};

RequestHead get(std::string target = "/") {
  RequestHead head;
  head.method = "GET";
  head.target = std::move(target);
  head.fields.add("host", "upstream");
  return head;
}

Task<void> one_exchange(Upstream& upstream, RequestHead head, std::string body, Outcome& out) {
  UpstreamExchange exchange(upstream);
  const base::Status sent = co_await exchange.open(head, body, true);
  if (sent) {
    const auto answer = co_await exchange.read_head();
    if (answer) {
      out.status = answer->status;
      for (;;) {
        const auto piece = co_await exchange.read();
        if (!piece || piece->empty()) break;
        out.body += *piece;
      }
    }
  }
  out.failure = exchange.failure();
}

/// An Upstream on an io_context that runs only while run() does.
struct Client {
  explicit Client(UpstreamOptions options) {
    auto made = Upstream::create(io, std::move(options));
    if (made) upstream = std::move(*made);
  }
  explicit Client(const std::string& address)
      : Client([&] {
          UpstreamOptions options;
          options.address = address;
          return options;
        }()) {}
  void run(const std::function<Task<void>()>& body) {
    bool done = false;
    spawn(io, [](const std::function<Task<void>()>& its_body, bool& its_done) -> Task<void> {
      co_await its_body();
      its_done = true;
    }(body, done));
    while (!done && io.run_one() > 0) {
    }
  }
  Outcome ask(RequestHead head = get(), const std::string& body = "") {
    Outcome out;
    run([&]() -> Task<void> { return one_exchange(*upstream, head, body, out); });
    return out;
  }
  boost::asio::io_context io{1};
  std::unique_ptr<Upstream> upstream;
};

std::string address_of(const Server& server) { return "127.0.0.1:" + std::to_string(server.port()); }

TEST(client, keeps_connections_and_sends_bodies) {
  const auto server = serve(loopback_options(), echo);
  Client client(address_of(*server));
  for (int i = 0; i < 5; ++i) {
    RequestHead head = get("/" + std::to_string(i));
    head.method = "POST";
    const std::string body(static_cast<std::size_t>(i) * 100'000, 'b');
    head.chunked = i % 2 == 1;
    if (!head.chunked) head.content_length = body.size();
    const Outcome out = client.ask(head, body);
    EXPECT_EQ(out.status, 200);
    EXPECT_EQ(out.body, "POST /" + std::to_string(i) + "\n" + body);
    EXPECT_EQ(client.upstream->idle_connections(), 1U);
  }
  EXPECT_EQ(client.upstream->connections_opened(), 1U);
  EXPECT_EQ(client.upstream->outstanding(), 0U);
}

TEST(client, streams_a_body_up_and_an_answer_down) {
  const auto server = serve(loopback_options(), [](Exchange& exchange) -> Task<void> {
    co_await exchange.begin(ResponseHead());
    for (;;) {
      const auto piece = co_await exchange.read();
      if (!piece || piece->empty()) break;
      co_await exchange.write(*piece);
    }
    co_await exchange.end();
  });
  Client client(address_of(*server));
  for (const bool chunked : {true, false}) {
    std::string got;
    client.run([&]() -> Task<void> {
      UpstreamExchange exchange(*client.upstream);
      RequestHead head = get();
      head.method = "PUT";
      head.chunked = chunked;
      if (!chunked) head.content_length = 8;
      co_await exchange.open(head, "one", false);
      co_await exchange.read_head();
      const std::string pieces[] = {"two", "ok"};
      got = *(co_await exchange.read());
      for (const std::string& piece : pieces) {
        co_await exchange.write(piece);
        got += *(co_await exchange.read());
      }
      EXPECT_EQ(client.upstream->outstanding(), 1U);
      co_await exchange.end_body();
      const auto rest = co_await exchange.read_all(10);
      EXPECT_TRUE(rest && rest->empty());
    });
    EXPECT_EQ(got, "onetwook");
  }
  EXPECT_EQ(client.upstream->connections_opened(), 1U);
}

TEST(client, a_stale_connection_is_replaced_once) {
  // Answers one request a connection, then closes only when the second request has arrived: the race of keep-alive.
  Scripted upstream([](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    connection.until("\r\n\r\n");
  });
  Client client(upstream.address());
  EXPECT_EQ(client.ask().body, "ok");
  EXPECT_EQ(client.upstream->idle_connections(), 1U);
  EXPECT_EQ(client.ask().body, "ok");
  EXPECT_EQ(client.upstream->requests_retried(), 1U);
  EXPECT_EQ(client.upstream->connections_opened(), 2U);
}

TEST(client, a_request_whose_body_is_gone_is_not_sent_again) {
  std::atomic<int> requests{0};
  Scripted upstream([&](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    ++requests;
    connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    if (!connection.until("tail").empty()) ++requests;
  });
  Client client(upstream.address());
  EXPECT_EQ(client.ask().body, "ok");
  client.run([&]() -> Task<void> {
    UpstreamExchange exchange(*client.upstream);
    RequestHead head = get();
    head.content_length = 8;
    co_await exchange.open(head, "head", false);
    co_await exchange.write("tail");
    co_await exchange.end_body();
    const auto answer = co_await exchange.read_head();
    EXPECT_FALSE(answer);
    EXPECT_EQ(exchange.failure(), Failure::broken);
  });
  EXPECT_EQ(requests, 2);
}

TEST(client, says_how_an_upstream_failed) {
  struct Case {
    const char* name;
    std::string bytes;  // said after the request, then closed
    Failure failure;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const Case cases[] = {
      {"nothing", "", Failure::broken},
      {"half a head", "HTTP/1.1 200 OK\r\ncontent-le", Failure::broken},
      {"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", Failure::bad_response},
      {"bare LF", "HTTP/1.1 200 OK\n\n", Failure::bad_response},
      {"both framings", ok + "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Failure::bad_response},
      {"two lengths", ok + "content-length: 2\r\ncontent-length: 2\r\n\r\nok", Failure::bad_response},
      {"negative length", ok + "content-length: -1\r\n\r\n", Failure::bad_response},
      {"short body", ok + "content-length: 10\r\n\r\nhalf", Failure::broken},
      {"cut chunks", ok + "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", Failure::broken},
      {"bad chunk", ok + "transfer-encoding: chunked\r\n\r\nzz\r\n", Failure::bad_response},
      {"huge chunk", ok + "transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n", Failure::bad_response},
      {"switch", "HTTP/1.1 101 Switching Protocols\r\n\r\n", Failure::bad_response},
      {"head too large", ok + "a: " + std::string(70'000, 'a') + "\r\n\r\n", Failure::bad_response},
      {"whole", ok + "content-length: 2\r\n\r\nok", Failure::none},
      {"until close", ok + "\r\nall there is", Failure::none},
      {"early hints", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + ok + "content-length: 0\r\n\r\n", Failure::none},
  };
  for (const Case& one : cases) {
    Scripted upstream([&](RawSocket& connection, int) {
      connection.until("\r\n\r\n");
      connection.send(one.bytes);
      connection.shut_send();
      connection.until_closed();
    });
    Client client(upstream.address());
    EXPECT_EQ(failure_name(client.ask().failure), failure_name(one.failure)) << one.name;
    EXPECT_EQ(client.upstream->outstanding(), 0U);
  }
}

TEST(client, waits_only_so_long) {
  std::atomic<bool> over{false};
  Scripted upstream([&](RawSocket& connection, int number) {
    connection.until("\r\n\r\n");
    if (number >= 1) connection.send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nx");
    while (number == 2 && connection.send("x")) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    connection.until_closed();
  });
  UpstreamOptions options;
  options.address = upstream.address();
  options.first_byte_ms = options.idle_ms = 300;
  options.total_ms = 1'500;
  Client client(options);
  EXPECT_EQ(client.ask().failure, Failure::first_byte_timeout);
  EXPECT_EQ(client.ask().failure, Failure::idle_timeout);
  EXPECT_EQ(client.ask().failure, Failure::total_timeout);
}

TEST(client, says_that_nobody_is_there) {
  std::string address;
  {
    Scripted gone([](RawSocket&, int) {});
    address = gone.address();
  }
  EXPECT_EQ(Client(address).ask().failure, Failure::connect);
  EXPECT_EQ(Client("unix:/nowhere/at.sock").ask().failure, Failure::connect);
  EXPECT_EQ(Client("name.invalid:80").ask().failure, Failure::connect);
  EXPECT_EQ(Client("no address").upstream, nullptr);
}

TEST(client, connections_are_bounded_and_nothing_is_sent_beyond) {
  const auto server = serve(loopback_options(), echo);
  UpstreamOptions options;
  options.address = address_of(*server);
  options.connections_max = 1;
  Client client(options);
  client.run([&]() -> Task<void> {
    UpstreamExchange first(*client.upstream), second(*client.upstream);
    const RequestHead head = get();
    EXPECT_TRUE(co_await first.open(head, "", true));
    const base::Status refused = co_await second.open(head, "", true);
    EXPECT_FALSE(refused);
    EXPECT_TRUE(refused.error().retry);
    EXPECT_EQ(second.failure(), Failure::overloaded);
  });
  EXPECT_EQ(client.upstream->idle_connections(), 0U);  // the first was left without its answer: closed
  EXPECT_EQ(client.ask().status, 200);
}

TEST(client, cancel_ends_a_wait) {
  Scripted upstream([](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    connection.until_closed();
  });
  Client client(upstream.address());
  client.run([&]() -> Task<void> {
    UpstreamExchange exchange(*client.upstream);
    co_await exchange.open(get(), "", true);
    post(client.io, [&exchange] { exchange.cancel(); });
    const auto answer = co_await exchange.read_head();
    EXPECT_FALSE(answer);
    EXPECT_EQ(exchange.failure(), Failure::cancelled);
  });
}

TEST(client, an_early_refusal_is_read_although_the_body_could_not_be_sent) {
  Scripted upstream([](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    connection.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
    connection.shut_send();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  });
  Client client(upstream.address());
  client.run([&]() -> Task<void> {
    UpstreamExchange exchange(*client.upstream);
    RequestHead head = get();
    head.chunked = true;
    co_await exchange.open(head, "", false);
    const std::string piece(1U << 20, 'x');
    base::Status written;
    for (int i = 0; i < 64 && written; ++i) written = co_await exchange.write(piece);
    EXPECT_FALSE(written);
    // The reset may have eaten the answer; if it did not, it is the upstream's own word.
    const auto answer = co_await exchange.read_head();
    EXPECT_TRUE(!answer || answer->status == 413);
  });
  EXPECT_EQ(client.upstream->idle_connections(), 0U);
}

TEST(client, a_connection_with_unasked_bytes_is_not_kept) {
  std::atomic<int> connections{0};
  Scripted upstream([&](RawSocket& connection, int) {
    ++connections;
    connection.until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
    connection.until_closed();
  });
  Client client(upstream.address());
  EXPECT_EQ(client.ask().body, "ok");
  EXPECT_EQ(client.ask().body, "ok");
  EXPECT_EQ(connections, 2);
}

TEST(client, kept_connections_are_bounded_in_number_and_age) {
  const auto server = serve(loopback_options(), echo);
  UpstreamOptions options;
  options.address = address_of(*server);
  options.keep_ms = 300;
  options.idle_max = 1;
  Client client(options);
  client.run([&]() -> Task<void> {
    const RequestHead head = get();
    UpstreamExchange first(*client.upstream), second(*client.upstream);
    co_await first.open(head, "", true);
    co_await second.open(head, "", true);
    for (UpstreamExchange* one : {&first, &second}) {
      co_await one->read_head();
      co_await one->read_all(100);
    }
    EXPECT_EQ(client.upstream->connections_opened(), 2U);
    EXPECT_EQ(client.upstream->idle_connections(), 1U);
    for (int i = 0; i < 1'000 && client.upstream->idle_connections() > 0; ++i) co_await sleep_ms(client.io, 5);
    EXPECT_EQ(client.upstream->idle_connections(), 0U);
  });
}

TEST(client, an_idle_stream_gives_its_buffers_back_and_goes_on) {
  std::atomic<bool> go{false};
  const auto server = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    co_await exchange.begin(ResponseHead());
    co_await exchange.write("first");
    while (!go) co_await sleep_ms(exchange.io(), 10);
    co_await exchange.write("second");
    co_await exchange.end();
  });
  Client client(address_of(*server));
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(900));  // long enough for the reader to let go
    go = true;
  });
  EXPECT_EQ(client.ask().body, "firstsecond");
  later.join();
}

TEST(client, fetch_understands_urls_and_refuses_others) {
  const auto server = serve(loopback_options(), echo);
  FetchRequest request;
  request.url = "http://" + address_of(*server) + "/p?q#f";
  request.method = "POST";
  request.body = "body";
  const auto answer = fetch_blocking(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "POST /p?q\nbody");
  for (const char* url : {"ftp://x/", "x", "http://", "http://u@x/", "unix:nothing", "http://h/a b"}) {
    request.url = url;
    EXPECT_FALSE(fetch_blocking(request)) << url;
  }
}

}  // namespace
}  // namespace stillwatch::http
