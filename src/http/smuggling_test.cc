// Request smuggling and its neighbours (RFC 9112 section 11): a table of heads and what becomes of each, once through
// the scan and once through a real socket, where nothing behind a refused head may ever be served.
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/head_scan.h"
#include "http/socket_fixture.h"

namespace stillwatch::http {
namespace {

using namespace std::string_literals;

struct Case {
  std::string name;
  std::string bytes;
  int status;  // of the refusal; 200: served
};

std::string with(const std::string& fields) { return "POST / HTTP/1.1\r\nhost: x\r\n" + fields + "\r\n"; }
std::string line(const std::string& first) { return first + "\r\nhost: x\r\n\r\n"; }

std::vector<Case> cases() {
  std::vector<Case> out = {
      {"plain", line("GET / HTTP/1.1"), 200},
      {"lengths and chunks", with("content-length: 4\r\ntransfer-encoding: chunked\r\n"), 400},
      {"chunks and lengths", with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), 400},
      {"chunks and length 0", with("transfer-encoding: chunked\r\ncontent-length: 0\r\n"), 400},
      {"two lengths", with("content-length: 4\r\ncontent-length: 5\r\n"), 400},
      {"twice the same length", with("content-length: 4\r\ncontent-length: 4\r\n"), 400},
      {"list of lengths", with("content-length: 4, 4\r\n"), 400},
      {"plus", with("content-length: +4\r\n"), 400},
      {"minus", with("content-length: -4\r\n"), 400},
      {"hexadecimal", with("content-length: 0x4\r\n"), 400},
      {"exponent", with("content-length: 1e1\r\n"), 400},
      {"underscore digits", with("content-length: 1_0\r\n"), 400},
      {"empty length", with("content-length:\r\n"), 400},
      {"length with a space", with("content-length: 1 0\r\n"), 400},
      {"length over 64 bits", with("content-length: 18446744073709551617\r\n"), 400},
      {"length of 20 zeros", with("content-length: 00000000000000000004\r\n"), 400},
      {"length in quotes", with("content-length: \"4\"\r\n"), 400},
      {"length with vertical tab",
       with("content-length: \x0b"
            "4\r\n"),
       400},
      {"gzip, chunked", with("transfer-encoding: gzip, chunked\r\n"), 501},
      {"chunked, chunked", with("transfer-encoding: chunked, chunked\r\n"), 501},
      {"chunked, identity", with("transfer-encoding: chunked, identity\r\n"), 501},
      {"identity", with("transfer-encoding: identity\r\n"), 501},
      {"empty encoding", with("transfer-encoding:\r\n"), 501},
      {"xchunked", with("transfer-encoding: xchunked\r\n"), 501},
      {"chunked;", with("transfer-encoding: chunked;q=1\r\n"), 501},
      {"quoted chunked", with("transfer-encoding: \"chunked\"\r\n"), 501},
      {"chunked with comma", with("transfer-encoding: ,chunked\r\n"), 501},
      {"vertical tab before chunked",
       with("transfer-encoding: \x0b"
            "chunked\r\n"),
       400},
      {"form feed after chunked", with("transfer-encoding: chunked\x0c\r\n"), 400},
      {"NUL after chunked", with("transfer-encoding: chunked\0\r\n"s), 400},
      {"high byte in chunked", with("transfer-encoding: chunked\xa0\r\n"), 501},
      {"two encodings", with("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"), 400},
      {"identity then chunked", with("transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n"), 400},
      {"space before colon", with("transfer-encoding : chunked\r\n"), 400},
      {"tab before colon", with("content-length\t: 4\r\n"), 400},
      {"space in front", with(" transfer-encoding: chunked\r\n"), 400},
      {"tab in front", with("\ttransfer-encoding: chunked\r\n"), 400},
      {"folded value", with("transfer-encoding:\r\n chunked\r\n"), 400},
      {"folded with tab", with("a: b\r\n\tc: d\r\n"), 400},
      {"first field folded", "GET / HTTP/1.1\r\n a: b\r\nhost: x\r\n\r\n", 400},
      {"disguised encoding", with("transfer_encoding: chunked\r\n"), 400},
      {"disguised length", with("Content_Length: 4\r\n"), 400},
      {"bare LF ends a line", "GET / HTTP/1.1\nhost: x\r\n\r\n", 400},
      {"bare LF ends a field", with("a: b\ntransfer-encoding: chunked\r\n"), 400},
      {"bare LF ends the head", "GET / HTTP/1.1\r\nhost: x\r\n\n", 400},
      {"bare CR in a value", with("a: b\rtransfer-encoding: chunked\r\n"), 400},
      {"CR CR LF", with("a: b\r\r\n"), 400},
      {"bare CR ends the line", "GET / HTTP/1.1\rhost: x\r\n\r\n", 400},
      {"NUL in a value", with("a: b\0c\r\n"s), 400},
      {"NUL in a name", with("a\0b: c\r\n"s), 400},
      {"escape in a value", with("a: \x1b[2J\r\n"), 400},
      {"DEL in a value", with("a: \x7f\r\n"), 400},
      {"no colon", with("transfer-encoding chunked\r\n"), 400},
      {"no name", with(": chunked\r\n"), 400},
      {"slash in a name", with("a/b: c\r\n"), 400},
      {"high byte in a name", with("tr\xc3\xa4nsfer: c\r\n"), 400},
      {"obs-text in a value", with("a: \xc3\xa4\r\n"), 200},
      {"empty value", with("a:\r\n"), 200},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", 400},
      {"two hosts in 1.0", "GET / HTTP/1.0\r\nhost: x\r\nhost: y\r\n\r\n", 400},
      {"empty host", "GET / HTTP/1.1\r\nhost:\r\n\r\n", 400},
      {"host with a user", "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n", 400},
      {"host with a path", "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", 400},
      {"host with a space", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400},
      {"host with a list", "GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n", 200},
      {"absolute form", "GET http://x/p HTTP/1.1\r\nhost: x\r\n\r\n", 200},
      {"absolute form, other host", "GET http://y/p HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"absolute form, user", "GET http://u@x/p HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"absolute form, no host", "GET http:///p HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"other scheme", "GET file:///etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"chunks in 1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400},
      {"1.0", "GET / HTTP/1.0\r\n\r\n", 200},
      {"0.9", "GET /\r\n\r\n", 400},
      {"1.2", line("GET / HTTP/1.2"), 505},
      {"2.0", line("GET / HTTP/2.0"), 505},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"lower-case version", line("GET / http/1.1"), 400},
      {"long version", line("GET / HTTP/1.10"), 400},
      {"version with a space", line("GET / HTTP/1.1 "), 400},
      {"version with letters", line("GET / HTTP/1.x"), 400},
      {"no target", line("GET  HTTP/1.1"), 400},
      {"two spaces", line("GET  / HTTP/1.1"), 400},
      {"tab for space", line("GET\t/ HTTP/1.1"), 400},
      {"space in the target", line("GET /a b HTTP/1.1"), 400},
      {"space in front of the method", line(" GET / HTTP/1.1"), 400},
      {"no slash", line("GET a HTTP/1.1"), 400},
      {"star for GET", line("GET * HTTP/1.1"), 400},
      {"star for OPTIONS", line("OPTIONS * HTTP/1.1"), 200},
      {"fragment", line("GET /a#b HTTP/1.1"), 400},
      {"backslash", line("GET /a\\b HTTP/1.1"), 400},
      {"quote", line("GET /\"><script> HTTP/1.1"), 400},
      {"high byte in the target", line("GET /\xff HTTP/1.1"), 400},
      {"NUL in the target", line("GET /a\0b HTTP/1.1"s), 400},
      {"DEL in the target", line("GET /\x7f HTTP/1.1"), 400},
      {"colon in the path", line("GET /v1/models/x:generateContent HTTP/1.1"), 200},
      {"bad method", line("G(T / HTTP/1.1"), 400},
      {"long method", line(std::string(40, 'A') + " / HTTP/1.1"), 501},
      {"CONNECT", "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n", 501},
      {"TRACE", line("TRACE / HTTP/1.1"), 501},
      {"other expectation", with("expect: magic\r\n"), 417},
      {"two empty lines first", "\r\n\r\n" + line("GET / HTTP/1.1"), 400},
      {"TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"s, 400},
  };
  return out;
}

/// The scan's word on a whole head: 200 or the status of the refusal.
int scanned(std::string_view bytes) {
  const HeadLimits limits;
  HeadEnd end;
  Refusal refusal;
  const std::size_t size = end.find(bytes, limits, refusal);
  if (refusal) return refusal.status;
  if (size == 0) return 0;
  RequestHead head;
  refusal = HeadScan::request(bytes.substr(0, size), limits, head);
  return refusal ? refusal.status : 200;
}

TEST(smuggling, the_scan_refuses_what_has_two_readings) {
  for (const Case& one : cases()) EXPECT_EQ(scanned(one.bytes), one.status) << one.name;
}

TEST(smuggling, the_end_is_found_at_every_cut) {
  for (const Case& one : cases()) {
    const HeadLimits limits;
    HeadEnd whole, pieces;
    Refusal once, stepwise;
    const std::size_t size = whole.find(one.bytes, limits, once);
    std::size_t found = 0;
    for (std::size_t cut = 1; cut <= one.bytes.size() && found == 0 && !stepwise; ++cut)
      found = pieces.find(std::string_view(one.bytes).substr(0, cut), limits, stepwise);
    EXPECT_EQ(found, size) << one.name;
    EXPECT_EQ(stepwise.status, once.status) << one.name;
  }
}

TEST(smuggling, nothing_behind_a_refused_head_is_served) {
  std::atomic<int> smuggled{0};
  const auto server = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    smuggled += exchange.head().target == "/smuggled";
    co_await echo(exchange);
  });
  for (const Case& one : cases()) {
    if (one.status == 200) continue;
    RawSocket client = RawSocket::to(server->port());
    client.send(one.bytes);
    client.send("GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n");
    client.shut_send();
    const std::string answer = client.until_closed();
    EXPECT_EQ(answer.substr(0, 13), "HTTP/1.1 " + std::to_string(one.status) + " ") << one.name;
    EXPECT_THAT(answer, ::testing::HasSubstr("connection: close\r\n")) << one.name;
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << one.name << " was answered twice";
  }
  EXPECT_EQ(smuggled, 0);
}

TEST(smuggling, broken_chunks_are_refused_and_nothing_behind_them_is_served) {
  const std::string bodies[] = {
      "zz\r\n",
      "-1\r\n",
      "+4\r\nWiki\r\n0\r\n\r\n",
      " 4\r\nWiki\r\n0\r\n\r\n",
      "4 \r\nWiki\r\n0\r\n\r\n",
      "0x4\r\nWiki\r\n0\r\n\r\n",
      "4\nWiki\r\n0\r\n\r\n",
      "4\r\nWiki\n0\r\n\r\n",
      "4\r\nWikiX\r\n0\r\n\r\n",
      "4\r\nWiki0\r\n\r\n",
      "4;a\nb\r\nWiki\r\n0\r\n\r\n",
      "4;a\rb\r\nWiki\r\n0\r\n\r\n",
      "4;" + std::string(5'000, 'e') + "\r\nWiki\r\n0\r\n\r\n",
      "10000000000000004\r\nWiki\r\n0\r\n\r\n",
      "0000000000000004\r\nWiki\r\n0\r\n\r\n",
      "\r\n4\r\nWiki\r\n0\r\n\r\n",
      "0\r\nbad trailer\r\n\r\n",
      "0\r\nname : x\r\n\r\n",
      "0\r\n: x\r\n\r\n",
      "0\r\na: b\n\r\n",
      "0\r\na: \x01\r\n\r\n",
      "0\r\n" + std::string(9'000, 't') + ": x\r\n\r\n",
      "0\r\nX",
  };
  std::atomic<int> smuggled{0};
  const auto server = serve(loopback_options(), [&](Exchange& exchange) -> Task<void> {
    smuggled += exchange.head().target == "/smuggled";
    co_await echo(exchange);
  });
  for (const std::string& body : bodies) {
    RawSocket client = RawSocket::to(server->port());
    client.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + body);
    client.send("GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n");
    client.shut_send();
    const std::string answer = client.until_closed();
    EXPECT_EQ(answer.substr(0, 13), "HTTP/1.1 400 ") << body.substr(0, 40);
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << body.substr(0, 40);
  }
  EXPECT_EQ(smuggled, 0);
}

// Two roads: what our scan takes, Beast takes too, and reads the same framing and target.
TEST(smuggling, another_parser_reads_the_same) {
  namespace beast = boost::beast::http;
  std::vector<std::string> heads;
  for (const Case& one : cases())
    if (one.status == 200) heads.push_back(one.bytes);
  for (const char* more : {"content-length: 12\r\n", "Transfer-Encoding: CHUNKED\r\n", "connection: close\r\n",
                           "connection: keep-alive, te\r\nte: trailers\r\n", "a:   b  \r\nb:c\r\n",
                           "expect: 100-Continue\r\ncontent-length: 3\r\n"})
    heads.push_back(with(more));
  for (const std::string& bytes : heads) {
    const HeadLimits limits;
    RequestHead ours;
    ASSERT_FALSE(HeadScan::request(bytes, limits, ours)) << bytes;
    beast::request_parser<beast::empty_body> theirs;
    boost::system::error_code code;
    theirs.put(boost::asio::buffer(bytes), code);
    ASSERT_TRUE(theirs.is_header_done()) << bytes << code.message();
    EXPECT_EQ(ours.chunked, theirs.chunked()) << bytes;
    EXPECT_EQ(ours.keep_alive, theirs.keep_alive()) << bytes;
    EXPECT_EQ(ours.content_length.has_value(), theirs.content_length().has_value()) << bytes;
    EXPECT_EQ(ours.content_length.value_or(0), theirs.content_length().value_or(0)) << bytes;
    EXPECT_EQ(ours.method, std::string(theirs.get().method_string())) << bytes;
    std::size_t i = 0;
    for (const auto& field : theirs.get()) {
      ASSERT_LT(i, ours.fields.size());
      EXPECT_EQ(ours.fields.name(i), std::string(field.name_string()));
      EXPECT_EQ(ours.fields.value(i++), std::string(field.value()));
    }
    EXPECT_EQ(i, ours.fields.size());
  }
}

}  // namespace
}  // namespace stillwatch::http
