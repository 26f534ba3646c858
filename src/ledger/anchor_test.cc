// Anchor leaves and manifests: one form each, and one length whatever they say.
#include "ledger/anchor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/sha256.h"
#include "ledger/small_log_fixture.h"

namespace stillwatch::ledger {
namespace {

using ::testing::HasSubstr;

Hash32 filled(std::uint8_t byte) {
  Hash32 hash;
  hash.fill(byte);
  return hash;
}

TEST(anchor_leaf, has_exactly_these_160_bytes) {
  const std::string text = anchor_leaf_text({1'795'305'610, filled(0xff), {}});
  std::string expected = R"({"v":1,"t":"2026-11-22T00:00:10Z","m":"__________________________________________8",)"
                         R"("p":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})";
  expected.resize(expected.size() + 26, ' ');
  EXPECT_EQ(text, expected);
  EXPECT_EQ(text.size(), kAnchorLeafBytes);
}

TEST(anchor_leaf, is_read_back_and_only_in_that_form) {
  for (const std::int64_t time_s : {0L, 1L, 1'795'305'610L, 4'000'000'000L}) {
    const AnchorLeaf leaf{time_s, filled(0x5a), filled(0x01)};
    const std::string text = anchor_leaf_text(leaf);
    ASSERT_EQ(text.size(), kAnchorLeafBytes);
    ASSERT_EQ(read_anchor_leaf(text).value(), leaf);
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (const char byte : {' ', '0', 'x', '"', '\0', '\n', '_'}) {
        std::string changed = text;
        changed[at] = byte;
        const auto read = read_anchor_leaf(changed);
        if (read) {
          EXPECT_EQ(anchor_leaf_text(*read), changed) << at;
        }
      }
    }
    EXPECT_FALSE(read_anchor_leaf(text.substr(0, 159)));
    EXPECT_FALSE(read_anchor_leaf(text + " "));
  }
  EXPECT_FALSE(read_anchor_leaf(""));
  std::string fraction = anchor_leaf_text({0, {}, {}});
  fraction.replace(11, 20, "1970-01-01T00:00:0.5Z").resize(kAnchorLeafBytes);
  EXPECT_FALSE(read_anchor_leaf(fraction));
}

class manifest : public ::testing::Test {
 protected:
  manifest() {
    first_.grow(3);
    second_.grow(70);
  }
  SmallLog first_{"audit.example/audit/s00/2026-11", 1}, second_{"audit.example/audit/s01/2026-11", 2};
};

TEST_F(manifest, lists_logs_by_origin_and_their_notes) {
  const std::string text = *manifest_text({*manifest_log(second_.note(70)), *manifest_log(first_.note(3))});
  EXPECT_EQ(text,
            "audit.example/audit/s00/2026-11 3 pkvybgkSj2/i/m+LLYyAHhZrV8BHp82bK4Ceepai8cs=\n"
            "audit.example/audit/s01/2026-11 70 " +
                tlog::hash_text(second_.root(70)) + "\n\nnote " + std::to_string(first_.note(3).size()) + "\n" +
                first_.note(3) + "note " + std::to_string(second_.note(70).size()) + "\n" + second_.note(70));
  const auto read = read_manifest(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(manifest_text(*read).value(), text);
  EXPECT_EQ((*read)[1].size, 70U);
  EXPECT_EQ((*read)[1].root, second_.root(70));
  EXPECT_EQ(*manifest_text({}), "\n");
  EXPECT_TRUE(read_manifest("\n")->empty());
}

TEST_F(manifest, takes_no_other_form) {
  const std::string text = *manifest_text({*manifest_log(first_.note(3)), *manifest_log(second_.note(70))});
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(read_manifest(text.substr(0, at))) << at;
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const auto read = read_manifest(changed);
    if (read) {  // a byte of a signature, which is not checked here
      EXPECT_EQ(*manifest_text(*read), changed) << at;
    }
  }
  EXPECT_FALSE(read_manifest(text + "\n"));
  EXPECT_FALSE(read_manifest(std::string(kManifestBytesMax + 1, 'x')));
  EXPECT_FALSE(manifest_log("no note"));
  const auto twice = manifest_text({*manifest_log(first_.note(3)), *manifest_log(first_.note(2))});
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("audit.example/audit/s00/2026-11"));
}

TEST_F(manifest, hash_is_of_label_salt_and_text) {
  const Hash32 salt = filled(7);
  std::string bytes("aud1 anchor\0", 12);
  bytes.append(32, '\x07');
  bytes += '\n';
  EXPECT_EQ(manifest_hash(salt, "\n"), crypto::sha256(bytes));
  EXPECT_NE(manifest_hash(salt, "\n"), manifest_hash(filled(8), "\n"));
}

}  // namespace
}  // namespace stillwatch::ledger
