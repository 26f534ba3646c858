#include "text/fingerprint_codec.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"

namespace stillwatch::text {
namespace {

event::Fingerprint random_fingerprint(base::Random& random) {
  event::Fingerprint f;
  for (auto* token :
       {&f.prompt, &f.conversation, &f.system, &f.tools, &f.params, &f.schema, &f.simhash_head, &f.simhash_tail})
    *token = random();
  for (auto& token : f.prefixes) token = random();
  for (auto& token : f.templates) token = random.chance(0.3) ? 0 : random();
  for (auto& bin : f.minhash) bin = static_cast<std::uint8_t>(random());
  for (auto& score : f.scores) score = static_cast<std::int8_t>(random());
  for (auto& token : f.quotes) token = random() | 1;
  for (auto& token : f.replies) token = random.chance(0.5) ? 0 : random();
  f.prompt_bytes = static_cast<std::uint32_t>(random());
  f.conversation_bytes = static_cast<std::uint32_t>(random());
  f.prefix_bytes = static_cast<std::uint32_t>(random());
  f.turns = static_cast<std::uint16_t>(random());
  f.parts_other = static_cast<std::uint16_t>(random());
  f.template_words = static_cast<std::uint8_t>(random());
  f.coverage_bucket = static_cast<std::uint16_t>(random.below(2'048));
  f.prefix_has_reply = random.chance(0.5);
  f.language = static_cast<event::Language>(random.below(event::kLanguages));
  return f;
}

TEST(FingerprintCodec, RoundTrip) {
  base::Random random(1);
  for (int i = 0; i < 1'000; ++i) {
    const auto fingerprint = random_fingerprint(random);
    const auto bytes = encode(fingerprint);
    const auto decoded = decode(bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, fingerprint);
    EXPECT_EQ(encode(*decoded), bytes);
  }
}

constexpr std::size_t kBytesSecond = 228, kReplied = 226, kLanguage = 227;

TEST(FingerprintCodec, ByteFormOfVersionThree) {
  event::Fingerprint fingerprint;
  fingerprint.prompt = 0x0807060504030201ULL;
  fingerprint.prefix_has_reply = true;
  fingerprint.quotes[0] = 0x1817161514131211ULL;
  fingerprint.replies.back() = 0x2827262524232221ULL;
  const auto bytes = encode(fingerprint);
  ASSERT_EQ(bytes.size(), kBytesSecond + 72);
  for (std::uint8_t i = 0; i <= 8; ++i) EXPECT_EQ(bytes[i], i == 0 ? 3 : i);
  EXPECT_EQ(bytes[kReplied], 1);
  EXPECT_EQ(bytes[kLanguage], 0);
  for (std::uint8_t i = 0; i < 8; ++i) EXPECT_EQ(bytes[kBytesSecond + i], 0x11 + i);
  for (std::uint8_t i = 0; i < 8; ++i) EXPECT_EQ(bytes[bytes.size() - 8 + i], 0x21 + i);
}

TEST(FingerprintCodec, WithoutPassagesVersionTwoIsWritten) {
  base::Random random(5);
  auto fingerprint = random_fingerprint(random);
  auto bytes = encode(fingerprint);
  std::fill(bytes.begin() + kBytesSecond, bytes.end(), 0);
  EXPECT_FALSE(decode(bytes)) << "one fingerprint, one byte form";
  fingerprint.quotes = {};
  fingerprint.replies = {};
  bytes = encode(fingerprint);
  EXPECT_EQ(bytes.size(), kBytesSecond);
  EXPECT_EQ(bytes[0], 2);
  EXPECT_EQ(*decode(bytes), fingerprint);
}

TEST(FingerprintCodec, OlderVersionsAreReadWithoutWhatTheyLack) {
  base::Random random(4);
  for (int i = 0; i < 100; ++i) {
    auto fingerprint = random_fingerprint(random);
    auto bytes = encode(fingerprint);
    bytes[0] = 2;
    bytes.resize(kBytesSecond);
    auto decoded = decode(bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    fingerprint.quotes = {};
    fingerprint.replies = {};
    EXPECT_EQ(*decoded, fingerprint);
    bytes[0] = 1;
    bytes.pop_back();
    decoded = decode(bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    fingerprint.language = event::Language::unknown;
    EXPECT_EQ(*decoded, fingerprint);
  }
}

TEST(FingerprintCodec, RejectsEveryOtherLengthAndVersion) {
  base::Random random(2);
  const auto bytes = encode(random_fingerprint(random));
  auto longer = bytes;
  longer.resize(bytes.size() + 64);
  for (std::size_t length = 0; length <= longer.size(); ++length) {
    EXPECT_EQ(decode(std::span(longer).first(length)).has_value(), length == bytes.size()) << length;
  }
  auto other = bytes;
  for (int version = 0; version < 256; ++version) {
    other[0] = static_cast<std::uint8_t>(version);
    EXPECT_EQ(decode(other).has_value(), version == kFingerprintVersion) << version;
    EXPECT_EQ(decode(std::span(other).first(kBytesSecond)).has_value(), version == 2) << version;
    EXPECT_EQ(decode(std::span(other).first(kBytesSecond - 1)).has_value(), version == 1) << version;
  }
}

TEST(FingerprintCodec, RejectsFieldsOutOfRange) {
  base::Random random(3);
  auto bytes = encode(random_fingerprint(random));
  bytes[kReplied] = 2;
  EXPECT_FALSE(decode(bytes));
  bytes[kReplied] = 0;
  EXPECT_TRUE(decode(bytes));
  bytes[kLanguage] = event::kLanguages;
  EXPECT_FALSE(decode(bytes));
  bytes[kLanguage] = event::kLanguages - 1;
  EXPECT_TRUE(decode(bytes));
  bytes[225] = 8;  // the high byte of the coverage bucket: 2,048
  EXPECT_NE(decode(bytes).error().message.find("out of its range"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::text
