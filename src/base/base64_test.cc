#include "base/base64.h"

#include <gtest/gtest.h>

#include <random>

namespace stillwatch::base {
namespace {

TEST(Base64, Rfc4648Vectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    const std::string_view text = plain;
    EXPECT_EQ(base64_encode({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}), coded);
  }
}

TEST(Base64, RoundTripsAndRefusesNonCanonical) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::uint8_t> bytes(random() % 64);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
  }
  for (const char* text : {"Zg", "Zh==", "Z===", "Zm9=", "Z g=", "====", "Zg==Zg=="})
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
}

}  // namespace
}  // namespace stillwatch::base
