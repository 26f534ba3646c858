#include "crypto/aead.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "crypto/hex_fixture.h"
#include "crypto/random_bytes.h"

namespace stillwatch::crypto {
namespace {

using test::bytes_of_hex;

// draft-irtf-cfrg-xchacha-03 appendix A.3.1.
TEST(Aead, VectorOfTheDraft) {
  std::array<std::uint8_t, kAeadKeyBytes> key_bytes;
  for (std::size_t i = 0; i < key_bytes.size(); ++i) key_bytes[i] = static_cast<std::uint8_t>(0x80 + i);
  AeadNonce nonce;
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(0x40 + i);
  const AeadKey key{key_bytes};
  const std::string plain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
      "it.";
  const std::string associated = bytes_of_hex("50515253c0c1c2c3c4c5c6c7");
  std::string sealed;
  aead_seal(key, nonce, plain, associated, sealed);
  EXPECT_EQ(sealed,
            bytes_of_hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82"
                         "f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc36948"
                         "8f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"));
  std::string opened = "before";
  EXPECT_TRUE(aead_open(key, nonce, sealed, associated, opened));
  EXPECT_EQ(opened, "before" + plain);
}

TEST(Aead, NothingComesOutWhenAnythingChanged) {
  const AeadKey key = random_secret<kAeadKeyBytes>();
  std::string sealed;
  aead_seal(key, "plain", "associated", sealed);
  ASSERT_EQ(sealed.size(), 5 + kAeadOverheadBytes);
  std::string out = "kept";
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    std::string bad = sealed;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    ASSERT_FALSE(aead_open(key, bad, "associated", out)) << bit;
  }
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    ASSERT_FALSE(aead_open(key, std::string_view(sealed).substr(0, length), "associated", out)) << length;
  }
  EXPECT_FALSE(aead_open(key, sealed, "associatee", out));
  EXPECT_FALSE(aead_open(random_secret<kAeadKeyBytes>(), sealed, "associated", out));
  EXPECT_EQ(out, "kept");
  EXPECT_TRUE(aead_open(key, sealed, "associated", out));
  EXPECT_EQ(out, "keptplain");
}

// Two libraries do the work, by length: both must give what libsodium gives for the whole construction.
TEST(Aead, TheSameBytesFromBothLibraries) {
  const AeadKey key = random_secret<kAeadKeyBytes>();
  const AeadNonce nonce = random_array<kAeadNonceBytes>();
  for (const std::size_t size : {0U, 1U, 1'007U, 1'023U, 1'024U, 1'025U, 4'096U, 70'001U}) {
    for (const std::string& associated : {std::string(), std::string("associated"), std::string(3'000, 'a')}) {
      std::string plain(size, '\0');
      fill_random({reinterpret_cast<std::uint8_t*>(plain.data()), plain.size()});
      std::string sealed = "before", expected(size + kAeadTagBytes, '\0'), opened;
      aead_seal(key, nonce, plain, associated, sealed);
      crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<std::uint8_t*>(expected.data()), nullptr,
                                                 reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size(),
                                                 reinterpret_cast<const std::uint8_t*>(associated.data()),
                                                 associated.size(), nullptr, nonce.data(), key.view().data());
      ASSERT_EQ(sealed, "before" + expected) << size;
      ASSERT_TRUE(aead_open(key, nonce, expected, associated, opened));
      ASSERT_EQ(opened, plain);
      expected[expected.size() / 2] = static_cast<char>(expected[expected.size() / 2] ^ 1);
      ASSERT_FALSE(aead_open(key, nonce, expected, associated, opened));
      ASSERT_EQ(opened, plain);
      expected[expected.size() / 2] = static_cast<char>(expected[expected.size() / 2] ^ 1);
      expected.back() = static_cast<char>(expected.back() ^ 0x80);
      ASSERT_FALSE(aead_open(key, nonce, expected, associated, opened));
    }
  }
}

TEST(Aead, EmptyTextAndFreshNonces) {
  const AeadKey key = random_secret<kAeadKeyBytes>();
  std::string first, second, out;
  aead_seal(key, "", "", first);
  aead_seal(key, "", "", second);
  EXPECT_NE(first, second);
  EXPECT_TRUE(aead_open(key, first, "", out));
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace stillwatch::crypto
