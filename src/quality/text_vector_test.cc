#include "quality/text_vector.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quality/prompt_traits.h"

namespace stillwatch::quality {
namespace {

constexpr const char* kWords[] = {"river",  "engine", "paint", "contract", "window", "salt",   "teacher", "signal",
                                  "garden", "bridge", "coin",  "violin",   "storm",  "ledger", "planet",  "rope"};

std::string any_text(base::Random& random, int words) {
  std::string out;
  for (int i = 0; i < words; ++i) out += fmt::format("{} ", kWords[random.below(std::size(kWords))]);
  return out;
}

TextVectors warmed_up() {
  TextVectors vectors;
  base::Random random(1);
  for (std::size_t i = 0; i < TextVectors::kMeanOf; ++i) EXPECT_FALSE(vectors.of(any_text(random, 12)));
  return vectors;
}

TEST(TextVectors, SlotsChangeLittleAndOtherTextsMuch) {
  TextVectors vectors = warmed_up();
  const auto a = vectors.of("Write a detailed lesson for beginners about how a violin is made, with exercises.");
  const auto b = vectors.of("Write a detailed lesson for beginners about how a bridge is made, with exercises.");
  const auto c = vectors.of("salt storm coin: when did the ledger of the planet end?");
  ASSERT_TRUE(a && b && c);
  EXPECT_NEAR(TextVector::cosine(TextVector::dot(*a, *a)), 1, 1e-3);
  EXPECT_LT(TextVector::distance(TextVector::dot(*a, *b)), 0.8);
  EXPECT_GT(TextVector::distance(TextVector::dot(*a, *c)), 1.0);
  EXPECT_EQ(TextVector::distance(TextVector::dot(*a, *a)) < 0.05, true);
  EXPECT_FALSE(vectors.of(""));
}

TEST(TextVectors, NumbersAndCaseAreSlots) {
  EXPECT_EQ(hashed_counts("Item 17 of 93"), hashed_counts("item 52 OF 11"));
  EXPECT_NE(hashed_counts("item a"), hashed_counts("item b"));
}

TEST(TextVectors, LongTextsCountByHeadAndTail) {
  base::Random random(2);
  const std::string head = any_text(random, 600).substr(0, TextVectors::kHalfBytes);
  const std::string tail = any_text(random, 600).substr(0, TextVectors::kHalfBytes);
  EXPECT_EQ(hashed_counts(head + std::string(5000, 'x') + tail), hashed_counts(head + std::string(9000, 'y') + tail));
}

TEST(TextVector, IsNothingAtZero) {
  EXPECT_FALSE(TextVector::unit({}));
  std::array<float, kVectorSize> raw{};
  raw[3] = -2;
  EXPECT_EQ(TextVector::unit(raw)->at[3], -16384);
  EXPECT_EQ(TextVector::distance(TextVector::dot(*TextVector::unit(raw), *TextVector::unit(raw))), 0);
}

TEST(TextVector, DotsOfManyAreTheDotsOfEach) {
  base::Random random(3);
  for (const std::size_t count : {0, 1, 2, 7, 100}) {
    std::vector<TextVector> many;
    for (std::size_t i = 0; i < count; ++i) many.push_back(TextVector::random(random));
    const TextVector one = TextVector::random(random);
    std::vector<std::int32_t> out(count + 1, 42);
    dots(many, one, out.data());
    for (std::size_t i = 0; i < count; ++i) {
      std::int32_t expected = 0;
      for (std::size_t k = 0; k < kVectorSize; ++k) expected += std::int32_t{many[i].at[k]} * one.at[k];
      EXPECT_EQ(out[i], expected);
    }
    EXPECT_EQ(out[count], 42);
  }
}

TEST(PromptTraits, FrameAndFirstWordsSurviveTheSlots) {
  const auto a = prompt_traits("You are an expert. Explain to a child in 3 sentences why the violin is loud.");
  const auto b = prompt_traits("You are an expert. Explain to a child in 5 sentences why the planet is round.");
  const auto c = prompt_traits("You are an artist. Explain to a child, and to me, in 5 sentences: it is so.");
  EXPECT_EQ(a.prefix, b.prefix);
  EXPECT_EQ(a.skeleton, b.skeleton);
  EXPECT_NE(a.prefix, c.prefix);
  EXPECT_NE(a.skeleton, c.skeleton);
  const auto brief = prompt_traits("two words");
  EXPECT_EQ(brief.prefix, 0U);
  EXPECT_EQ(brief.skeleton, 0U);
}

TEST(PromptTraits, WeakScoreAddsKindsOfSigns) {
  EXPECT_EQ(prompt_traits("Explain each step and RATE it; then rate again").words_hit, 2);
  EXPECT_EQ(prompt_traits("Explain, rate, rewrite").words_hit, 3);
  EXPECT_EQ(prompt_traits("hello there").words_hit, 0);
  EXPECT_EQ(weak_score({0, 0, 2}, 1, 1000, 2048), 3.5F);
  EXPECT_EQ(weak_score({0, 0, 0}, 5, 10, 100), 0);
}

}  // namespace
}  // namespace stillwatch::quality
