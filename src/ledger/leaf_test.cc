#include "ledger/leaf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "base/base64.h"
#include "base/random.h"
#include "ledger/leaf_examples.h"

namespace stillwatch::ledger {
namespace {

using test::bytes_of;
using ::testing::HasSubstr;

std::string written(const Leaf& leaf) {
  std::string out;
  const base::Status status = write_leaf(leaf, out);
  EXPECT_TRUE(status) << status.error().message;
  return out;
}

std::string refusal(const Leaf& leaf) {
  std::string out = "before";
  const base::Status status = write_leaf(leaf, out);
  EXPECT_TRUE(out.empty());
  return status ? "" : status.error().message;
}

TEST(Leaf, HasTheBytesOfTheReference) {
  std::ifstream golden("tests/golden/ledger/leaves.ndjson");
  ASSERT_TRUE(golden) << "run in the top folder";
  std::vector<Leaf> all = test::leaf_examples();
  for (Leaf& leaf : test::bare_leaf_examples()) all.push_back(std::move(leaf));
  std::string line;
  std::size_t lines = 0;
  while (std::getline(golden, line)) {
    ASSERT_LT(lines, all.size());
    EXPECT_EQ(written(all[lines]), line);
    ++lines;
  }
  EXPECT_EQ(lines, all.size());
}

TEST(Leaf, ReadsBackAsWhatWasWritten) {
  for (const auto& leaves : {test::leaf_examples(), test::bare_leaf_examples()}) {
    for (const Leaf& leaf : leaves) {
      const auto again = read_leaf(written(leaf));
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(*again, leaf);
    }
  }
}

TEST(Leaf, HasNoSecondForm) {
  // A leaf with any byte changed, left out or put in is refused, or is another leaf with these very bytes.
  for (const Leaf& leaf : test::leaf_examples()) {
    const std::string bytes = written(leaf);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const char with : std::string_view("\0 \"\\,0:9aZ}\x80-", 13)) {
        for (const std::size_t replaced : {std::size_t{0}, std::size_t{1}}) {
          std::string other = bytes;
          other.replace(at, replaced, 1, with);
          const auto read = read_leaf(other);
          if (!read) continue;
          EXPECT_EQ(written(*read), other);
          EXPECT_TRUE(other == bytes || !(*read == leaf));
        }
      }
      EXPECT_FALSE(read_leaf(bytes.substr(0, at)));
    }
    EXPECT_FALSE(read_leaf(bytes + " "));
  }
}

TEST(Leaf, SaysWhereItIsWrong) {
  std::string bytes = written(test::query_example());
  bytes.replace(bytes.find("812"), 3, "8.2");
  const auto read = read_leaf(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().fault, base::Fault::input);
  EXPECT_THAT(read.error().message, HasSubstr("field out"));
  EXPECT_THAT(read_leaf(R"({"v":1,"k":"other"})").error().message, HasSubstr("unknown kind"));
  EXPECT_THAT(read_leaf(R"({"v":2,"k":"gap"})").error().message, HasSubstr("byte 0"));
}

TEST(Leaf, TakesTextsUpToTheBoundAndRefusesLonger) {
  AccessLeaf leaf;
  leaf.why = std::string(kLeafTextBytesMax, 'x');
  EXPECT_TRUE(read_leaf(written(leaf)));
  leaf.why += 'x';
  EXPECT_THAT(refusal(leaf), HasSubstr("field why"));
  EXPECT_THAT(refusal(leaf), Not(HasSubstr("xxx")));
}

TEST(Leaf, TakesListsUpToTheBoundAndRefusesLonger) {
  EraseLeaf leaf;
  leaf.keys.resize(kLeafListMax);
  EXPECT_TRUE(read_leaf(written(leaf)));
  leaf.keys.emplace_back();
  EXPECT_THAT(refusal(leaf), HasSubstr("field kp"));
}

TEST(Leaf, RefusesWhatIsOverTheWholeBound) {
  DecisionLeaf leaf = test::decision_example();
  leaf.inputs.assign(kLeafListMax, {std::string(60, 'o'), 0, 1});
  EXPECT_THAT(refusal(leaf), HasSubstr("4096"));
}

TEST(Leaf, RefusesNumbersThatNoReaderKeeps) {
  QueryLeaf leaf = test::query_example();
  leaf.tokens_in = kLeafNumberMax;
  EXPECT_TRUE(read_leaf(written(leaf)));
  leaf.tokens_in += 1;
  EXPECT_THAT(refusal(leaf), HasSubstr("field in"));
  leaf = test::query_example();
  leaf.scores[0].value = std::numeric_limits<double>::infinity();
  EXPECT_THAT(refusal(leaf), HasSubstr("field dv"));
  leaf = test::query_example();
  leaf.time_ms = -1;
  EXPECT_THAT(refusal(leaf), HasSubstr("field t"));
}

TEST(Leaf, CannotBeKeptOutByALongOrBrokenModelName) {
  base::Random random(7);
  for (int round = 0; round < 2'000; ++round) {
    QueryLeaf leaf = test::query_example();
    leaf.model.resize(random.below(400));
    for (char& byte : leaf.model) byte = static_cast<char>(random.chance(0.5) ? random.below(256) : 'm');
    leaf.endpoint = leaf.model;
    const auto read = read_leaf(written(leaf));
    ASSERT_TRUE(read) << read.error().message;
    const auto& model = std::get<QueryLeaf>(*read).model;
    EXPECT_LE(model.size(), kCustomerTextBytesMax);
    EXPECT_EQ(model.empty(), leaf.model.empty());
  }
  QueryLeaf leaf = test::query_example();
  leaf.model = std::string(kCustomerTextBytesMax - 1, 'm') + "\xC3\xA9";  // is not cut within a character
  EXPECT_EQ(std::get<QueryLeaf>(*read_leaf(written(leaf))).model, std::string(kCustomerTextBytesMax - 1, 'm'));
}

TEST(Leaf, KeepsEveryNumberOfAScore) {
  base::Random random(11);
  QueryLeaf leaf = test::query_example();
  for (int round = 0; round < 2'000; ++round) {
    leaf.scores = {{"s", random.normal() * std::pow(10.0, static_cast<double>(random.below(40)) - 20)}};
    EXPECT_EQ(*read_leaf(written(leaf)), Leaf(leaf));
  }
}

TEST(Leaf, PolicyHashCoversEachPart) {
  PolicyLeaf leaf = std::get<PolicyLeaf>(test::leaf_examples()[2]);
  const Hash32 whole = policy_hash(leaf);
  for (Hash32* part : {&leaf.software, &leaf.configuration, &*leaf.calibration, &*leaf.retention}) {
    (*part)[31] ^= 1;
    EXPECT_NE(policy_hash(leaf), whole);
    (*part)[31] ^= 1;
  }
  EXPECT_EQ(policy_hash(leaf), whole);
}

TEST(Base64Url, IsBase64WithTwoOtherCharactersAndNoPadding) {
  base::Random random(3);
  for (std::size_t size = 0; size < 70; ++size) {
    std::vector<std::uint8_t> bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.below(256));
    std::string expected = base::base64_encode(bytes);
    while (expected.ends_with('=')) expected.pop_back();
    for (char& character : expected) character = character == '+' ? '-' : character == '/' ? '_' : character;
    const std::string text = base64url({reinterpret_cast<const char*>(bytes.data()), size});
    EXPECT_EQ(text, expected);
    std::vector<std::uint8_t> again(size);
    EXPECT_TRUE(read_base64url(text, again.data(), size));
    EXPECT_EQ(again, bytes);
    EXPECT_FALSE(read_base64url(text + "A", again.data(), size));
  }
  EXPECT_FALSE(read_base64url<1>("AB"));  // bits left over
  EXPECT_TRUE(read_base64url<1>("AA"));
  EXPECT_FALSE(read_base64url<1>("A="));
}

}  // namespace
}  // namespace stillwatch::ledger
