#include "detect/recency_table.h"

#include <gtest/gtest.h>

#include <unordered_map>

#include "base/random.h"

namespace stillwatch::detect {
namespace {

TEST(RecencyTable, RemembersWhatFitsAndForgetsTheOldest) {
  RecencyTable<std::uint32_t> table(1 << 12);
  base::Random random(1);
  std::unordered_map<base::Token, std::uint32_t> truth;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const base::Token token = random.next();
    EXPECT_EQ(table.find(token), nullptr);
    EXPECT_FALSE(table.insert(token, i)) << "a quarter full: no set of eight overflows in this stream";
    truth[token] = i;
  }
  for (const auto& [token, value] : truth) {
    ASSERT_NE(table.find(token), nullptr);
    EXPECT_EQ(*table.find(token), value);
  }
  std::uint64_t overwritten = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) overwritten += table.insert(random.next(), i) ? 1 : 0;
  EXPECT_GT(overwritten, 90'000U);
  std::size_t left = 0;
  for (const auto& item : truth) left += table.find(item.first) != nullptr ? 1 : 0;
  EXPECT_LT(left, 5U);
}

TEST(RecencyTable, SavesAndLoads) {
  RecencyTable<std::uint32_t> table(1 << 10), copy(1 << 10);
  base::Random random(2);
  std::vector<base::Token> tokens;
  for (std::uint32_t i = 0; i < 3000; ++i) table.insert(tokens.emplace_back(random.next()), i);
  base::ByteWriter out;
  table.save(out);
  base::ByteReader in(out.bytes());
  ASSERT_TRUE(copy.load(in));
  for (const base::Token token : tokens) {
    const auto* a = table.find(token);
    const auto* b = copy.find(token);
    ASSERT_EQ(a == nullptr, b == nullptr);
    if (a != nullptr) {
      EXPECT_EQ(*a, *b);
    }
  }
  base::ByteReader cut(std::string_view(out.bytes()).substr(0, out.bytes().size() / 2));
  EXPECT_FALSE(copy.load(cut));
}

}  // namespace
}  // namespace stillwatch::detect
