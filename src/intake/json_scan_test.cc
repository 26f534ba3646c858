#include "intake/json_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/random.h"

namespace stillwatch::intake {
namespace {

bool nests_deeper_plainly(const std::string& json, std::size_t depth_max) {
  std::size_t depth = 0;
  bool in_text = false;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (in_text) {
      if (c == '\\') ++at;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      if (++depth > depth_max) return true;
    } else if (c == '}' || c == ']') {
      depth -= std::min<std::size_t>(depth, 1);
    }
  }
  return false;
}

TEST(JsonScan, DepthAgreesWithThePlainRule) {
  base::Random random(11);
  std::size_t deeper = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string json(random.below(300), ' ');
    for (char& c : json) c = "{[}]\"\\ax"[random.below(random.chance(0.5) ? 8 : 4)];
    for (const std::size_t depth_max : {0, 2, 5, 20}) {
      const bool expected = nests_deeper_plainly(json, depth_max);
      ASSERT_EQ(nests_deeper(json, depth_max), expected) << json;
      deeper += expected ? 1 : 0;
    }
  }
  EXPECT_GT(deeper, 1'000U);
}

TEST(JsonScan, BracketsAreCountedBeyondAByte) {
  // 65 levels after more blocks than one counter holds.
  const std::string flat(20'000, ' ');
  EXPECT_FALSE(nests_deeper(flat + std::string(64, '['), 64));
  EXPECT_TRUE(nests_deeper(flat + std::string(65, '['), 64));
  EXPECT_TRUE(nests_deeper(std::string(16 * 256, '{'), 64));
  EXPECT_FALSE(nests_deeper('"' + std::string(16 * 256, '{') + '"', 64));
}

}  // namespace
}  // namespace stillwatch::intake
