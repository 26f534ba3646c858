#include "crypto/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "crypto/digest.h"

namespace stillwatch::crypto {
namespace {

std::string hex(const Sha256Digest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15U];
  }
  return text;
}

TEST(Sha256, Fips180Vectors) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.update(std::string(1000, 'a'));
  EXPECT_EQ(hex(million.finish()), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, CutsDoNotMatterAndItStartsAnew) {
  base::Random random(1);
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += static_cast<char>(random.next());
  Sha256 pieces;
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const std::string_view part = std::string_view(bytes).substr(0, length);
    for (std::size_t at = 0; at < length;) {
      const std::size_t step = std::min<std::size_t>(length - at, 1 + random.next() % 100);
      pieces.update(part.substr(at, step));
      at += step;
    }
    ASSERT_EQ(pieces.finish(), sha256(part)) << length;
    ASSERT_EQ(hex(sha256(part)), sha256_hex(part));
  }
}

}  // namespace
}  // namespace stillwatch::crypto
