#include "gateway/key_file.h"

#include <gtest/gtest.h>

#include "base/event_time.h"
#include "crypto/digest.h"

namespace stillwatch::gateway {
namespace {

std::string line(const std::string& api_key, const std::string& rest = "") {
  return R"({"v":1,"key_sha256":")" + crypto::sha256_hex(api_key) + R"(","key":"key_19","account":"acct_1")" + rest +
         "}\n";
}

TEST(KeyFile, FindsEachKeyAndNoOther) {
  std::string text;
  for (int i = 0; i < 5'000; ++i) {
    const std::string number = std::to_string(i);
    text += key_line("sk-live-" + number, {"key_" + number, "acct_" + number, "", "", INT64_MAX}) + "\n";
  }
  const auto keys = KeyFile::parse(text, "keys.ndjson");
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->size(), 5'000U);
  for (int i = 0; i < 5'000; ++i) {
    const KeyEntry* entry = keys->find("sk-live-" + std::to_string(i));
    ASSERT_NE(entry, nullptr) << i;
    EXPECT_EQ(entry->key, "key_" + std::to_string(i));
    EXPECT_EQ(entry->account, "acct_" + std::to_string(i));
    EXPECT_EQ(keys->find("sk-test-" + std::to_string(i)), nullptr);
  }
  EXPECT_EQ(keys->find(""), nullptr);
  EXPECT_EQ(keys->find(std::string(kApiKeyBytesMax + 1, 'a')), nullptr);
  EXPECT_EQ(KeyFile().find("sk-live-1"), nullptr);
}

TEST(KeyFile, AnyChangedBitOfTheHashIsAnotherKey) {
  const auto keys = KeyFile::parse(line("sk-1"), "keys.ndjson");
  ASSERT_TRUE(keys);
  const KeyDigest digest = digest_of_key("sk-1");
  EXPECT_NE(keys->find(digest), nullptr);
  for (std::size_t bit = 0; bit < 8 * digest.size(); ++bit) {
    KeyDigest other = digest;
    other[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_EQ(keys->find(other), nullptr);
  }
}

TEST(KeyFile, LinesThatWeWriteReadBack) {
  const KeyEntry entry{"key \"19\"", "acct_7f3a", "free", "org_12", 1'777'000'000'000'000};
  const std::string text = key_line("sk-secret", entry);
  EXPECT_EQ(text.find("sk-secret"), std::string::npos);
  const auto keys = KeyFile::parse(text, "keys.ndjson");
  ASSERT_TRUE(keys) << keys.error().message;
  const KeyEntry* read = keys->find("sk-secret");
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->key, entry.key);
  EXPECT_EQ(read->account, entry.account);
  EXPECT_EQ(read->tier, entry.tier);
  EXPECT_EQ(read->organisation, entry.organisation);
  EXPECT_EQ(read->expires_us, entry.expires_us);
}

TEST(KeyFile, BadLinesAreNamedAllOfThem) {
  const std::string text = line("a") + "{\n\n" + line("b", R"(,"expires":"soon")") + line("a") +
                           R"({"v":2})"
                           "\n" +
                           R"({"v":1,"key_sha256":"00"})"
                           "\n" +
                           line("c", R"(,"tier":7)");
  const auto keys = KeyFile::parse(text, "keys.ndjson");
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().fault, base::Fault::caller);
  for (const char* part : {"keys.ndjson:2: no JSON object", "keys.ndjson:4: expires must be a time",
                           "keys.ndjson:6: v must be 1", "keys.ndjson:7: key_sha256 must be 64",
                           "keys.ndjson:8: tier must be a name", "keys.ndjson:5: the same key_sha256 as in line 1"}) {
    EXPECT_NE(keys.error().message.find(part), std::string::npos) << part << " in\n" << keys.error().message;
  }
}

TEST(KeyFile, ErrorsShowNothingOfALine) {
  const auto keys =
      KeyFile::parse(R"({"v":1,"key_sha256":"sk-live-put-here-by-mistake","key":"k","account":"a"})", "f");
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().message.find("mistake"), std::string::npos);
}

TEST(KeyFile, ReadsAuthorizationFields) {
  EXPECT_EQ(bearer_key("Bearer sk-1"), "sk-1");
  EXPECT_EQ(bearer_key("bEARER \t sk-1 "), "sk-1");
  EXPECT_EQ(bearer_key("sk-1"), "sk-1");
  EXPECT_EQ(bearer_key("Basic c2stMQ=="), "");
  EXPECT_EQ(bearer_key("Bearer sk-1 sk-2"), "");
  EXPECT_EQ(bearer_key(""), "");
}

}  // namespace
}  // namespace stillwatch::gateway
