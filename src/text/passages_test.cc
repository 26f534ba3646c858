#include "text/passages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/keyed_hash_fixture.h"
#include "text/fingerprint.h"

namespace stillwatch::text {
namespace {

using crypto::test::hash_of;

std::string words(base::Random& random, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    for (std::uint64_t length = 2 + random.below(8); length > 0; --length)
      text += static_cast<char>('a' + random.below(26));
  }
  return text;
}

class PassagesTest : public ::testing::Test {
 protected:
  std::vector<base::Token> tokens(std::string_view text, std::size_t count_max = 6) {
    passages_.read(text);
    passages_.spread(count_max);
    std::vector<base::Token> all;
    for (std::size_t i = 0; i < passages_.count(); ++i) all.push_back(passages_.token(i));
    return all;
  }
  std::size_t shared(std::string_view reply, std::string_view prompt) {
    const auto given = tokens(reply, event::Fingerprint::kRepliesMax), sent = tokens(prompt);
    return static_cast<std::size_t>(std::count_if(given.begin(), given.end(), [&](base::Token token) {
      return std::find(sent.begin(), sent.end(), token) != sent.end();
    }));
  }

  Passages passages_{hash_of(1)};
  base::Random random_{7};
};

TEST_F(PassagesTest, ShortTextHasNone) {
  EXPECT_TRUE(tokens("").empty());
  EXPECT_TRUE(tokens("Sure, here is the answer to your question: 42.").empty()) << "fewer than 48 letters and digits";
  EXPECT_TRUE(tokens(std::string(5'000, '.')).empty());
  EXPECT_EQ(tokens(std::string(48, 'x')).size(), 1U);
}

TEST_F(PassagesTest, HowTextIsSetMakesNoDifference) {
  const std::string text = words(random_, 60);
  std::string set = "\"* ";
  for (const char c : text) set += c == ' ' ? ",\n - " : std::string(1, static_cast<char>(std::toupper(c)));
  EXPECT_EQ(tokens(text), tokens(set + "\"\n```"));
  EXPECT_NE(tokens(text), tokens(words(random_, 60)));
  Passages other(hash_of(2));
  other.read(text);
  EXPECT_NE(tokens(text)[0], other.token(0)) << "another secret, other tokens";
}

TEST_F(PassagesTest, AreDistinctAndDoNotOverlap) {
  for (int i = 0; i < 200; ++i) {
    const std::string text = words(random_, 10 + random_.below(300));
    const auto all = tokens(text);
    EXPECT_EQ(std::set<base::Token>(all.begin(), all.end()).size(), all.size());
    std::string letters = text;
    std::erase(letters, ' ');
    EXPECT_LE(all.size() * Passages::kWindowBytes, letters.size());
  }
  const std::string line = words(random_, 30) + "\n";
  std::string repeated;
  for (int i = 0; i < 20; ++i) repeated += line;
  passages_.read(repeated);
  passages_.spread(6);
  std::set<base::Token> distinct;
  for (std::size_t i = 0; i < passages_.count(); ++i) distinct.insert(passages_.token(i));
  EXPECT_EQ(distinct.size(), passages_.count()) << "what is said twice counts once";
}

// The figures of the header, and what the detector asks for: two passages of one reply.
TEST_F(PassagesTest, QuotationsAreFoundWhereverTheyStand) {
  for (const int place : {0, 1, 2}) {
    int found = 0;
    for (int i = 0; i < 400; ++i) {
      const std::string reply = words(random_, 60), other = words(random_, 60);
      const std::size_t middle = other.find(' ', other.size() / 2);
      const std::string prompt = place == 0   ? reply + "\n" + other
                                 : place == 1 ? other.substr(0, middle) + "\n" + reply + "\n" + other.substr(middle)
                                              : other + "\n" + reply;
      found += shared(reply, prompt) >= 2 ? 1 : 0;
    }
    EXPECT_GT(found, 320) << place;
  }
  for (int i = 0; i < 400; ++i) EXPECT_EQ(shared(words(random_, 60), words(random_, 120)), 0U);
}

TEST_F(PassagesTest, OfALongTextHeadAndTailAreRead) {
  const std::string head = words(random_, 700), tail = words(random_, 700);
  ASSERT_GT(head.size(), Passages::kRegionBytes);
  const auto of_middle = [&](const std::string& middle) { return tokens(head + middle + tail); };
  EXPECT_EQ(of_middle(words(random_, 4'000)), of_middle(words(random_, 5'000)));
  const std::string reply = words(random_, 600);
  EXPECT_GE(shared(reply, reply + " " + words(random_, 6'000)), 1U);
}

TEST_F(PassagesTest, SharedTextIsDropped) {
  const std::string own = words(random_, 40), carried = words(random_, 40);
  passages_.read(carried + " " + own);
  passages_.drop_shared("Correct this: " + carried);
  ASSERT_GT(passages_.count(), 0U);
  passages_.drop_shared(own + " and so on");
  passages_.spread(6);
  EXPECT_LE(passages_.count(), 1U) << "only what spans both is left";
  passages_.read(carried);
  passages_.drop_shared("> " + carried + " <");
  EXPECT_EQ(passages_.count(), 0U);
}

TEST_F(PassagesTest, ScriptsWithoutBlanksHavePassages) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    const auto sign = static_cast<unsigned>(0x4E00 + random_.below(0x4000));
    text += {static_cast<char>(0xE0 | sign >> 12), static_cast<char>(0x80 | (sign >> 6 & 63)),
             static_cast<char>(0x80 | (sign & 63))};
  }
  EXPECT_EQ(tokens(text).size(), 6U);
  EXPECT_GE(shared(text, "改写：" + text + "。"), 2U);
}

TEST(FingerprintPassages, OfPromptAndReply) {
  base::Random random(3);
  const std::string question = words(random, 40), answer = words(random, 60);
  Fingerprinter fingerprinter(hash_of(1));
  const auto of = [&](std::string_view reply, std::string_view prompt) {
    fingerprinter.begin();
    if (!reply.empty()) fingerprinter.set_reply(reply);
    fingerprinter.begin_turn(Role::user);
    fingerprinter.add_text(prompt);
    return fingerprinter.finish();
  };
  const auto asked = of(answer, question);
  auto without = asked;
  without.replies = {};
  without.quotes = {};
  EXPECT_EQ(of({}, question), without) << "a reply changes nothing else, and is forgotten with its request";
  EXPECT_NE(asked.replies[1], 0U);
  const auto quoted = of(question, "Make it harder.\n" + answer + "\nHarder:").quotes;
  EXPECT_GE(std::count_if(asked.replies.begin(), asked.replies.end(),
                          [&](base::Token token) {
                            return token != 0 && std::find(quoted.begin(), quoted.end(), token) != quoted.end();
                          }),
            2);
  EXPECT_EQ(of(question, question).replies, event::Fingerprint{}.replies) << "an echo is not the model's text";
}

}  // namespace
}  // namespace stillwatch::text
