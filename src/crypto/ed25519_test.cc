#include "crypto/ed25519.h"

#include <gtest/gtest.h>

#include <string>

#include "crypto/hex_fixture.h"
#include "crypto/random_bytes.h"

namespace stillwatch::crypto {
namespace {

using test::bytes_of_hex;

template <std::size_t kBytes>
std::array<std::uint8_t, kBytes> array_of_hex(std::string_view hex) {
  std::array<std::uint8_t, kBytes> bytes;
  EXPECT_EQ(hex.size(), 2 * kBytes);
  bytes_of_hex(hex).copy(reinterpret_cast<char*>(bytes.data()), kBytes);
  return bytes;
}

struct Vector {
  const char *seed, *public_key, *message, *signature;
};
// RFC 8032 section 7.1, tests 1 to 3.
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
     "655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
     "b00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
     "c027beceea1ec40a"},
};

TEST(Ed25519, Rfc8032Vectors) {
  for (const Vector& vector : kVectors) {
    const Ed25519Key key{Ed25519Seed(array_of_hex<32>(vector.seed))};
    const std::string message = bytes_of_hex(vector.message);
    EXPECT_EQ(key.public_key(), array_of_hex<32>(vector.public_key));
    EXPECT_EQ(key.sign(message), array_of_hex<64>(vector.signature));
    EXPECT_TRUE(ed25519_verify(key.public_key(), message, key.sign(message)));
  }
}

TEST(Ed25519, EveryBitOfTheSignatureCounts) {
  const Ed25519Key key(random_secret<kEd25519SeedBytes>());
  const Ed25519Signature good = key.sign("message");
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Ed25519Signature bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ 1U << bit % 8);
    ASSERT_FALSE(ed25519_verify(key.public_key(), "message", bad)) << bit;
  }
  EXPECT_FALSE(ed25519_verify(key.public_key(), "messagf", good));
  EXPECT_FALSE(ed25519_verify(Ed25519Key(random_secret<kEd25519SeedBytes>()).public_key(), "message", good));
}

TEST(Ed25519, APublicKeyOfSmallOrderVerifiesNothing) {
  // The neutral element: with it any message would have a signature.
  Ed25519PublicKey neutral{1};
  Ed25519Signature signature{1};
  EXPECT_FALSE(ed25519_verify(neutral, "any", signature));
}

TEST(SecretBytes, MovesLeaveNothingBehind) {
  SecretBytes<32> first = random_secret<32>();
  const SecretBytes<32> copy = first.copy();
  SecretBytes<32> second = std::move(first);
  EXPECT_TRUE(std::equal(copy.view().begin(), copy.view().end(), second.view().begin()));
  for (const std::uint8_t byte : first.view()) EXPECT_EQ(byte, 0);  // NOLINT: what a move leaves is what is tested
  first = std::move(second);
  EXPECT_TRUE(std::equal(copy.view().begin(), copy.view().end(), first.view().begin()));
  for (const std::uint8_t byte : second.view()) EXPECT_EQ(byte, 0);  // NOLINT
}

TEST(SecretBytes, ADestroyedOneIsWiped) {
  alignas(SecretBytes<32>) std::uint8_t place[sizeof(SecretBytes<32>)];
  auto* secret = new (place) SecretBytes<32>(random_secret<32>());
  secret->~SecretBytes();
  // Read through a volatile pointer: the compiler may think that nothing is there.
  const volatile std::uint8_t* bytes = place;
  for (std::size_t i = 0; i < sizeof place; ++i) EXPECT_EQ(bytes[i], 0);
}

TEST(RandomBytes, TwoDrawsDiffer) {
  EXPECT_NE((random_array<32>()), (random_array<32>()));
  std::array<std::uint8_t, 4096> bytes{};
  fill_random(bytes);
  std::array<int, 256> seen{};
  for (const std::uint8_t byte : bytes) ++seen[byte];
  // Each of 256 values 16 times on average: one value 80 times has a probability below 1e-25.
  EXPECT_LT(*std::max_element(seen.begin(), seen.end()), 80);
}

}  // namespace
}  // namespace stillwatch::crypto
