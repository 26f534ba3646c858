#include "sim/phrase_chain.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace stillwatch::sim {
namespace {

TEST(PhraseChain, NewTextFromKnownWords) {
  PhraseChain chain;
  std::set<std::string> known;
  const std::string documents[] = {"the old dog runs home. the cat sleeps.", "my cat runs to the red house.",
                                   "a red dog sleeps in the old house."};
  for (const std::string& document : documents) {
    chain.add(document);
    std::istringstream words(document);
    for (std::string word; words >> word;) known.insert(word);
  }
  chain.freeze();
  base::Random random(1);
  std::set<std::string> made;
  for (int i = 0; i < 500; ++i) {
    std::string text;
    chain.append(random, 12, text);
    std::istringstream words(text);
    std::size_t count = 0;
    for (std::string word; words >> word; ++count) EXPECT_TRUE(known.count(word)) << word;
    EXPECT_GE(count, 12U);
    EXPECT_LE(count, 30U);
    made.insert(text);
  }
  EXPECT_GT(made.size(), 250U);  // from 23 words
}

TEST(PhraseChain, ScriptsWithoutSpacesAreCutAtCharacters) {
  PhraseChain chain;
  chain.add("请解释一下这个问题。");
  chain.add("这个花园为什么很漂亮？");
  chain.freeze();
  base::Random random(2);
  std::string text;
  for (int i = 0; i < 100; ++i) chain.append(random, 9, text);
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    ASSERT_NE(lead & 0xC0, 0x80) << "cut inside a character";
    at += length;
    ASSERT_LE(at, text.size());
  }
}

TEST(PhraseChain, EscapesAndCuts) {
  std::string text;
  append_escaped("a\"b\\c\n\t\x01", text);
  EXPECT_EQ(text, "a\\\"b\\\\c\\n\\t\\u0001");
  EXPECT_EQ(cut_text("aé", 2), "a");
  EXPECT_EQ(cut_text("aé", 3), "aé");
}

}  // namespace
}  // namespace stillwatch::sim
