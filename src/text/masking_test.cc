#include "text/masking.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/random.h"

namespace stillwatch::text {
namespace {

/// Prose, and what looks like it: long words, addresses, digits, other scripts, marks, line breaks.
std::string prose(base::Random& random, bool only_words) {
  static const std::string kOther[] = {"www.example.org",
                                       "http://x.y/z",
                                       "a@b.c",
                                       "x_1",
                                       "isn't",
                                       "na\xC3\xAFve",
                                       "12.5",
                                       "abcdefghijklmnop",
                                       "abcdefghijklmnopq",
                                       "\xE4\xBD\xA0\xE5\xA5\xBD",
                                       "list:",
                                       "{x}",
                                       "\xFF",
                                       "www",
                                       "."};
  static const std::string kGaps[] = {" ", " ", " ", " ", ", ", ". ", "  ", " \n", " - ", " (", ".. ", ",, "};
  std::string text;
  const std::size_t bytes = random.below(700);
  while (text.size() < bytes) {
    if (!only_words && random.chance(0.05)) {
      text += kOther[random.below(std::size(kOther))];
    } else {
      for (auto letters = 1 + random.below(random.chance(0.1) ? 20 : 8); letters > 0; --letters)
        text += static_cast<char>((random.chance(0.9) ? 'a' : 'A') + static_cast<int>(random.below(26)));
    }
    text += kGaps[random.below(only_words ? 6 : std::size(kGaps))];
  }
  return text;
}

// A region shorter than what plain_words() reads is read word by word: the other road to the same items.
TEST(MaskedText, LongRegionsEqualWordByWord) {
  base::Random random(5);
  const WordHashKey key{random.next(), random.next(), random.next()};
  const auto whole = std::make_unique<MaskedText>(key), pieces = std::make_unique<MaskedText>(key);
  std::size_t items = 0;
  for (int round = 0; round < 3'000; ++round) {
    const std::string text = prose(random, round % 3 == 0);
    whole->clear();
    pieces->clear();
    whole->add(text, false, false);
    // Cut before blanks: nothing of what stands here reaches over one.
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = std::min(at + 60, text.size());
      while (end < text.size() && text[end] != ' ' && end > at + 1) --end;
      if (end < text.size() && text[end] != ' ') end = std::min(text.find(' ', at + 1), text.size());
      pieces->add(std::string_view(text).substr(at, end - at), false, false);
      at = end;
    }
    ASSERT_EQ(whole->count(), pieces->count()) << text;
    for (std::size_t i = 0; i < whole->count(); ++i) {
      const Item &a = (*whole)[i], &b = (*pieces)[i];
      ASSERT_EQ(a.hash, b.hash) << text;
      ASSERT_TRUE(a.kind == b.kind && a.lexicon == b.lexicon && a.line_first == b.line_first) << text;
      ASSERT_EQ(whole->bytes(a), pieces->bytes(b)) << text;
    }
    ASSERT_TRUE(
        std::equal(whole->hashes().begin(), whole->hashes().end(), pieces->hashes().begin(), pieces->hashes().end()));
    ASSERT_EQ(whole->half_words_count(), pieces->half_words_count());
    ASSERT_EQ(whole->lines_count(), pieces->lines_count());
    ASSERT_EQ(whole->order_least(), pieces->order_least());
    ASSERT_EQ(whole->counts().cues, pieces->counts().cues);
    items += whole->count();
  }
  EXPECT_GT(items, 100'000U);
}

}  // namespace
}  // namespace stillwatch::text
