// Server and client together, as a proxy uses them: what happens at one end is seen at the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/socket_fixture.h"

namespace stillwatch::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

Task<void> forward(Exchange& client, Upstream& upstream) {
  UpstreamExchange exchange(upstream);
  client.on_client_gone([&exchange] { exchange.cancel(); });
  RequestHead head = client.head();
  strip_hop_by_hop(head.fields);
  const base::Status opened = co_await exchange.open(head, "", client.body_at_end());
  if (!opened) co_return;
  while (!client.body_at_end()) {
    const auto piece = co_await client.read();
    if (!piece) co_return;
    const base::Status written = co_await exchange.write(*piece);
    if (!written) break;
    if (client.body_at_end()) co_await exchange.end_body();
  }
  client.release_body();
  auto answer = co_await exchange.read_head();
  if (!answer) co_return;
  strip_hop_by_hop(answer->fields);
  ResponseHead out = std::move(*answer);
  co_await client.begin(std::move(out));
  for (;;) {
    if (!exchange.body_ready()) co_await client.flush();
    const auto piece = co_await exchange.read();
    if (!piece) co_return;
    if (piece->empty()) break;
    const base::Status written = co_await client.write(*piece);
    if (!written) co_return;
  }
  co_await client.end();
}

std::unique_ptr<Server> proxy_to(const std::string& address) {
  auto started = Server::start(loopback_options(), [&](unsigned, boost::asio::io_context& io) -> Handler {
    UpstreamOptions options;
    options.address = address;
    std::shared_ptr<Upstream> upstream = std::move(*Upstream::create(io, options));
    return [upstream](Exchange& exchange) -> Task<void> { return forward(exchange, *upstream); };
  });
  return std::move(*started);
}

constexpr std::string_view kGet = "GET /s HTTP/1.1\r\nhost: x\r\n\r\n";

TEST(proxy, passes_pieces_at_once_and_the_head_before_them) {
  std::atomic<int> go{0};
  Scripted origin([&](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-kept: 1\r\nkeep-alive: 5\r\n\r\n");
    while (go < 1) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    connection.send("5\r\nevent\r\n");
    while (go < 2) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    connection.send("0\r\n\r\n");
    connection.until_closed();
  });
  const auto proxy = proxy_to(origin.address());
  RawSocket client = RawSocket::to(proxy->port());
  ASSERT_TRUE(client.send(kGet));
  const std::string head = client.until("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("x-kept: 1\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("keep-alive")));
  go = 1;
  EXPECT_EQ(client.until("event\r\n"), "5\r\nevent\r\n");
  go = 2;
  EXPECT_EQ(client.until("0\r\n\r\n"), "0\r\n\r\n");
}

TEST(proxy, a_client_that_vanishes_ends_the_request_upstream) {
  std::atomic<bool> closed{false};
  Scripted origin([&](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    connection.until_closed();
    closed = true;
  });
  const auto proxy = proxy_to(origin.address());
  for (const bool reset : {false, true}) {
    closed = false;
    RawSocket client = RawSocket::to(proxy->port());
    ASSERT_TRUE(client.send(kGet));
    client.until("one");
    if (reset)
      client.reset();
    else
      client.close();
    EXPECT_TRUE(eventually([&] { return closed.load(); })) << reset;
  }
  EXPECT_EQ(proxy->counters().clients_gone, 2U);
}

TEST(proxy, an_upstream_that_dies_does_not_look_like_an_end) {
  Scripted origin([](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
  });
  const auto proxy = proxy_to(origin.address());
  RawSocket client = RawSocket::to(proxy->port());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_THAT(client.until_closed(), EndsWith("3\r\none\r\n"));
  EXPECT_EQ(proxy->counters().answers_cut, 1U);
}

TEST(proxy, bodies_of_any_size_and_framing_arrive_whole) {
  const auto origin = serve(loopback_options(), echo);
  const auto proxy = proxy_to("127.0.0.1:" + std::to_string(origin->port()));
  for (const std::size_t size : {0UL, 1UL, 16'383UL, 16'384UL, 70'000UL, 5'000'000UL}) {
    FetchRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(proxy->port()) + "/b";
    request.method = "POST";
    request.answer_bytes_max = 6'000'000;
    for (std::size_t i = 0; i < size; ++i) request.body += static_cast<char>('a' + i % 23);
    const auto answer = fetch_blocking(request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(answer->body == "POST /b\n" + request.body) << size;
    RawSocket client = RawSocket::to(proxy->port());
    char digits[20];
    std::snprintf(digits, sizeof digits, "%zx", size);
    std::string chunk = size == 0 ? "" : digits + ("\r\n" + request.body) + "\r\n";
    std::thread sender([&] {
      client.send("POST /b HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
      client.send(chunk + "0\r\n\r\n");
    });
    const std::string all = client.until_closed();
    sender.join();
    EXPECT_TRUE(all.size() > size && all.substr(all.size() - size - 8) == "POST /b\n" + request.body) << size;
  }
}

TEST(proxy, a_stop_ends_streams_on_both_sides) {
  std::atomic<bool> closed{false};
  Scripted origin([&](RawSocket& connection, int) {
    connection.until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    connection.until_closed();
    closed = true;
  });
  const auto proxy = proxy_to(origin.address());
  RawSocket client = RawSocket::to(proxy->port());
  ASSERT_TRUE(client.send(kGet));
  client.until("one");
  proxy->stop();
  EXPECT_TRUE(eventually([&] { return closed.load(); }));
  EXPECT_EQ(client.until_closed(), "\r\n");
  EXPECT_EQ(proxy->counters().connections_open, 0U);
}

}  // namespace
}  // namespace stillwatch::http
