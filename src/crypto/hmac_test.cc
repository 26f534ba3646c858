#include "crypto/hmac.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stillwatch::crypto {
namespace {

std::vector<std::uint8_t> repeated(std::size_t count, std::uint8_t byte) {
  return {std::vector<std::uint8_t>(count, byte)};
}

std::string hex(const HmacTag& tag) {
  std::string text;
  for (const std::uint8_t byte : tag) {
    text.push_back("0123456789abcdef"[byte >> 4]);
    text.push_back("0123456789abcdef"[byte & 15]);
  }
  return text;
}

struct Vector {
  std::vector<std::uint8_t> key;
  std::string bytes, tag;
};

// RFC 4231, sections 4.2 to 4.8, but for 4.6, which truncates.
const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all = [] {
    std::vector<std::uint8_t> counting;
    for (std::uint8_t byte = 1; byte <= 25; ++byte) counting.push_back(byte);
    return std::vector<Vector>{
        {repeated(20, 0x0b), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {{'J', 'e', 'f', 'e'},
         "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {repeated(20, 0xaa), std::string(50, '\xdd'),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {counting, std::string(50, '\xcd'), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {repeated(131, 0xaa), "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {repeated(131, 0xaa),
         "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
         "hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
  }();
  return all;
}

TEST(Hmac, VectorsOfRfc4231) {
  for (const Vector& vector : vectors()) EXPECT_EQ(hex(hmac_sha256(vector.key, {vector.bytes})), vector.tag);
}

TEST(Hmac, PartsAreAsOne) {
  for (const Vector& vector : vectors()) {
    const std::string_view bytes = vector.bytes;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      EXPECT_EQ(hex(hmac_sha256(vector.key, {bytes.substr(0, cut), "", bytes.substr(cut)})), vector.tag);
    }
  }
}

TEST(Hmac, EqualOnlyToItself) {
  const HmacTag tag = hmac_sha256(repeated(32, 7), {"body"});
  EXPECT_TRUE(equal(tag, tag));
  for (std::size_t i = 0; i < tag.size(); ++i) {
    HmacTag other = tag;
    other[i] ^= 1;
    EXPECT_FALSE(equal(tag, other));
  }
}

}  // namespace
}  // namespace stillwatch::crypto
