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

TEST(FingerprintCodec, ByteFormOfVersionTwo) {
  event::Fingerprint fingerprint;
  fingerprint.prompt = 0x0807060504030201ULL;
  fingerprint.prefix_has_reply = true;
  const auto bytes = encode(fingerprint);
  ASSERT_EQ(bytes.size(), 228U);
  for (std::uint8_t i = 0; i <= 8; ++i) EXPECT_EQ(bytes[i], i == 0 ? 2 : i);
  EXPECT_EQ(bytes[226], 1);
  EXPECT_EQ(bytes.back(), 0);
}

TEST(FingerprintCodec, VersionOneIsReadWithoutALanguage) {
  base::Random random(4);
  for (int i = 0; i < 100; ++i) {
    auto fingerprint = random_fingerprint(random);
    auto bytes = encode(fingerprint);
    bytes[0] = 1;
    bytes.pop_back();
    const auto decoded = decode(bytes);
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
    EXPECT_EQ(decode(std::span(other).first(other.size() - 1)).has_value(), version == 1) << version;
  }
}

TEST(FingerprintCodec, RejectsFieldsOutOfRange) {
  base::Random random(3);
  auto bytes = encode(random_fingerprint(random));
  bytes[226] = 2;
  EXPECT_FALSE(decode(bytes));
  bytes[226] = 0;
  EXPECT_TRUE(decode(bytes));
  bytes.back() = event::kLanguages;
  EXPECT_FALSE(decode(bytes));
  bytes.back() = event::kLanguages - 1;
  EXPECT_TRUE(decode(bytes));
  bytes[225] = 8;  // the high byte of the coverage bucket: 2,048
  EXPECT_NE(decode(bytes).error().message.find("out of its range"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::text
