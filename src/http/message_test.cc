// Fields, heads as text, and bodies cut anywhere.
#include "http/message.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "http/body_decoder.h"
#include "http/head_scan.h"
#include "http/head_text.h"

namespace stillwatch::http {
namespace {

TEST(fields, keep_order_and_case_and_find_without_case) {
  Fields fields;
  EXPECT_TRUE(fields.add("X-One", " 1 "));
  EXPECT_TRUE(fields.add("two", "2"));
  EXPECT_TRUE(fields.add("x-ONE", "3"));
  EXPECT_EQ(fields.name(0), "X-One");
  EXPECT_EQ(*fields.find("x-one"), "1");
  EXPECT_EQ(fields.count("X-ONE"), 2U);
  EXPECT_TRUE(fields.set("x-one", *fields.find("two")));  // a value of its own
  EXPECT_EQ(fields.size(), 2U);
  EXPECT_EQ(*fields.find("X-One"), "2");
  // Its own name and value again and again: the text under them moves.
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(fields.add(fields.name(0), fields.value(fields.size() - 1)));
  EXPECT_EQ(fields.count(fields.name(0)), 201U);
  for (std::size_t i = 2; i < fields.size(); ++i) ASSERT_EQ(fields.value(i), fields.value(1));
  ASSERT_TRUE(fields.set(fields.name(0), fields.value(1)));
  EXPECT_EQ(fields.erase("TWO"), 1U);
  EXPECT_FALSE(fields.find("two"));
}

TEST(fields, nothing_that_is_added_can_start_a_line) {
  Fields fields;
  EXPECT_FALSE(fields.add("a\r\nb", "c"));
  EXPECT_FALSE(fields.add("a b", "c"));
  EXPECT_FALSE(fields.add("", "c"));
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  EXPECT_TRUE(fields.add("all", every));
  ResponseHead head(200);
  head.fields = fields;
  head.reason = "so\r\nx: y";
  head.content_length = 0;
  std::string text;
  append_response_head(head, true, 1, text);
  ResponseHead back;
  ASSERT_FALSE(HeadScan::response(text, {}, back));
  ASSERT_EQ(back.fields.size(), 2U);
  EXPECT_EQ(back.fields.name(0), "all");
  RequestHead request;
  request.method = "GET";
  for (const char* target : {"/a b", "/\r\n", "", "/\x7f"}) {
    request.target = target;
    EXPECT_FALSE(append_request_head(request, text));
  }
}

TEST(fields, hop_by_hop_ones_go_and_others_stay) {
  Fields fields;
  for (const char* name : {"Host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
                           "Proxy-Authorization", "Proxy-Connection", "X-Private", "Accept", "content-length"})
    fields.add(name, same_name(name, "connection") ? "close, x-private ,, host" : "v");
  strip_hop_by_hop(fields);
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields.name(0), "Host");
  EXPECT_EQ(fields.name(1), "Accept");
}

TEST(head_text, what_is_written_is_read_back) {
  RequestHead head;
  head.method = "PATCH";
  head.target = "/a?b=[c]";
  head.fields.add("Host", "example");
  head.fields.add("content-length", "999");  // a lie that is not copied
  head.fields.add("Transfer-Encoding", "gzip");
  head.fields.add("connection", "x");
  head.fields.add("Empty", "");
  head.content_length = 12;
  std::string text;
  ASSERT_TRUE(append_request_head(head, text));
  EXPECT_EQ(text, "PATCH /a?b=[c] HTTP/1.1\r\nHost: example\r\nEmpty: \r\ncontent-length: 12\r\n\r\n");
  RequestHead back;
  ASSERT_FALSE(HeadScan::request(text, {}, back));
  EXPECT_EQ(back.target, head.target);
  EXPECT_EQ(back.content_length, head.content_length);
  EXPECT_EQ(back.path(), "/a");
  EXPECT_EQ(back.query(), "b=[c]");
}

/// All data of a body that comes in pieces of random sizes, and how many bytes were consumed.
std::string decoded(BodyDecoder& decoder, std::string_view bytes, base::Random& random, std::size_t& consumed) {
  std::string out;
  consumed = 0;
  std::size_t given = 0;
  while (!decoder.done() && decoder.error() == nullptr && (given < bytes.size() || consumed < given)) {
    given = std::min<std::size_t>(bytes.size(), std::max<std::size_t>(given, consumed + 1 + random.below(7)));
    const BodyDecoder::Step step = decoder.step(bytes.substr(consumed, given - consumed));
    consumed += step.consumed;
    out += step.data;
  }
  return out;
}

TEST(body_decoder, any_cut_gives_the_same_body_and_leaves_what_follows) {
  base::Random random(7);
  for (int round = 0; round < 300; ++round) {
    std::string body, bytes;
    const std::size_t chunks = random.below(6);
    for (std::size_t i = 0; i < chunks; ++i) {
      const std::string piece(1 + random.below(40), static_cast<char>('a' + i));
      append_chunk_size(piece.size(), bytes);
      if (random.below(3) == 0) bytes.insert(bytes.size() - 2, ";ext=\"v\"");
      bytes += piece + "\r\n";
      body += piece;
    }
    bytes += random.below(2) == 0 ? "0\r\n\r\n" : "000\r\nTrailer: x\r\nother:\r\n\r\n";
    const std::size_t size = bytes.size();
    BodyDecoder decoder(BodyDecoder::Framing::chunked);
    std::size_t consumed = 0;
    EXPECT_EQ(decoded(decoder, bytes + "GET / next", random, consumed), body);
    EXPECT_TRUE(decoder.done());
    EXPECT_EQ(consumed, size);
    EXPECT_EQ(decoder.body_bytes(), body.size());
  }
}

TEST(body_decoder, lengths_end_where_they_say) {
  base::Random random(8);
  BodyDecoder decoder(BodyDecoder::Framing::length, 5);
  std::size_t consumed = 0;
  EXPECT_EQ(decoded(decoder, "hello world", random, consumed), "hello");
  EXPECT_EQ(consumed, 5U);
  EXPECT_TRUE(BodyDecoder(BodyDecoder::Framing::length, 0).done());
  BodyDecoder open(BodyDecoder::Framing::until_close);
  EXPECT_EQ(open.step("abc").data, "abc");
  EXPECT_FALSE(open.done());
}

}  // namespace
}  // namespace stillwatch::http
