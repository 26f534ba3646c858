// The promise of templates.h, against a generator of templates and slots of its own.
#include "text/templates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_map>

#include "crypto/keyed_hash_fixture.h"
#include "text/fingerprint.h"
#include "text/test_prompts.h"

namespace stillwatch::text {
namespace {

TemplateTokens tokens_of(std::string_view prompt) {
  static Fingerprinter fingerprinter(crypto::test::hash_of(3));
  fingerprinter.begin();
  fingerprinter.begin_turn(Role::user);
  fingerprinter.add_text(prompt);
  return fingerprinter.finish().templates;
}

int shared_count(const TemplateTokens& a, const TemplateTokens& b) {
  int shared = 0;
  for (std::size_t kind = 0; kind < a.size(); ++kind) shared += a[kind] != 0 && a[kind] == b[kind] ? 1 : 0;
  return shared;
}

// A slot is `{}`; {w} words without structure, {n} number, {q} quotation, {p} a paragraph of any words, {c} code, {l}
// list.
std::string fill(std::string_view pattern, base::Random& random) {
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      text += pattern[i];
      continue;
    }
    switch (pattern[i + 1]) {
      case 'w': text += made_words(random, 1 + random.below(4)); break;
      case 'n': text += std::to_string(random.below(1'000'000)); break;
      case 'q': text += "\"" + made_prose(random, 10 + random.below(60)).substr(0, 40) + "\""; break;
      case 'p': text += made_prose(random, 300 + random.below(2'000)); break;
      case 'c': text += "```\n" + made_prose(random, 200) + "\n```"; break;
      default:
        for (std::uint64_t item = 2 + random.below(6); item > 0; --item)
          text += "- " + made_words(random, 2) + (item > 1 ? "\n" : "");
    }
    i += 2;
  }
  return text;
}

TEST(Templates, SiblingsOfOneTemplateShareATokenWhereverTheSlotsAre) {
  const std::vector<std::string> patterns = {
      "Please write a short text about {w} for a reader who has never heard of {w} before.",          // middle
      "{w} is the topic. Give me all of the facts that you know about it, and nothing else at all.",  // head
      "Answer the following question as well as you can, and keep it short: {p}",                     // tail paragraph
      "{p}\n\nNow say in one sentence what the text above is about, and who should read it.",         // head paragraph
      "Context:\n{p}\nQuestion: {w}\nAnswer:",                                                        // labels
      "{w}:\n{p}\n\nTask: {w}\nInput: {w}\nOutput:",                                      // labels, head slot
      "Translate {q} to the language of {w} and then explain what it means to them.",     // quotation
      "There are {n} of the {w} and {n} of the {w}. How many are there in all of them?",  // numbers
      "Review the code below and say what is wrong with it.\n{c}\nThen write it again without that.",  // code
      "Come up with more tasks that are like these are:\n{l}\nDo not repeat any of them.",             // list
      "Escribe un texto sobre {w} para los que no saben nada de {w} y que sea de {n} palabras.",
      "Erkläre mir bitte, was {w} mit {w} zu tun hat und warum das für die {w} so ist.",
      "Переведи на язык {w} и объясни, что это значит для {w} и как это было с {w}.",
      "Viết cho tôi một bài về {w} và nói của {w} là gì trong {n} câu.",
      "请用{n}个字写一个关于 {w} 的故事，然后给我说说它是什么。",
      "次の {w} の文を {w} に書いてください。それから、それはなぜですか。",
      "# Role\nYou are a {w} who works for {w}.\n# Task\n{p}\n# Format\nA list of {n} items.",
      "<text>\n{p}\n</text>\n<question>{w}</question>\nUse only the text.",
  };
  for (std::size_t p = 0; p < patterns.size(); ++p) {
    int shared = 0;
    constexpr int kPairs = 200;
    base::Random random(p);
    for (int pair = 0; pair < kPairs; ++pair) {
      shared += shared_count(tokens_of(fill(patterns[p], random)), tokens_of(fill(patterns[p], random))) > 0 ? 1 : 0;
    }
    EXPECT_GE(shared, kPairs * 95 / 100) << patterns[p];
  }
}

TEST(Templates, MadeTemplatesOfAnyShapeShareATokenMostly) {
  // Constant parts of made and function words around one to three slots of every kind, in random order.
  int shared = 0;
  constexpr int kTemplates = 1'500;
  for (int t = 0; t < kTemplates; ++t) {
    base::Random random(77, t);
    std::string pattern;
    const auto slots = 1 + random.below(3);
    const bool slot_first = random.chance(0.3), slot_last = random.chance(0.5);
    for (std::uint64_t s = 0; s < slots; ++s) {
      if (s > 0 || !slot_first)
        pattern += made_prose(random, 50 + random.below(150)) + (random.chance(0.5) ? ":\n" : " ");
      pattern += std::string("{") + "wnqpcl"[random.below(6)] + "}" + (random.chance(0.5) ? "\n" : " ");
    }
    if (!slot_last) pattern += made_prose(random, 60 + random.below(150));
    shared += shared_count(tokens_of(fill(pattern, random)), tokens_of(fill(pattern, random))) > 0 ? 1 : 0;
  }
  std::printf("made templates whose siblings share a token: %.1f %%\n", 100.0 * shared / kTemplates);
  EXPECT_GE(shared, kTemplates * 90 / 100);
}

TEST(Templates, ShortTextsTellNothing) {
  EXPECT_EQ(tokens_of("one two three four five"), TemplateTokens{});
  const auto six = tokens_of("baker ledger cinder dormer ember fodder");
  EXPECT_NE(six[static_cast<std::size_t>(TemplateKind::head_5)], 0U);
  EXPECT_EQ(six[static_cast<std::size_t>(TemplateKind::head_12)], 0U);
  EXPECT_EQ(six[static_cast<std::size_t>(TemplateKind::skeleton)], 0U);
  EXPECT_EQ(six[static_cast<std::size_t>(TemplateKind::labels)], 0U);
  EXPECT_EQ(tokens_of("1, 2, 3, 4, 5, 6, 7 \"a\" 8 `b` 9 \"c\" 10")[0], 0U);  // masks are not words
}

TEST(Templates, KindsNeverMeet) {
  // The same words are head and tail here.
  const auto tokens = tokens_of("ba ke li mo nu ba ke li mo nu");
  for (std::size_t a = 0; a < tokens.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) EXPECT_TRUE(tokens[a] == 0 || tokens[a] != tokens[b]);
  }
}

TEST(Templates, HiddenCharactersAndCaseChangeNothing) {
  const auto plain = tokens_of("Tell the reader of this text what it is all about and why it matters so much");
  EXPECT_EQ(
      plain,
      tokens_of("TELL the rea\u200Bder of\u00A0this   text what it is all about and why it mat\u00ADters so much"));
}

// How often two prompts of different people share a token, by kind: what the detector's weights must carry.
TEST(Templates, UnrelatedPeopleSeldomShareLongTokens) {
  const auto prompts = corpus_prompts("sharegpt", 100'000);
  if (prompts.empty()) GTEST_SKIP() << "set STILLWATCH_DATA to the folder with data/prompts";
  std::array<std::unordered_map<base::Token, std::uint64_t>, event::Fingerprint::kTemplatesMax> counts;
  std::array<std::uint64_t, event::Fingerprint::kTemplatesMax> present{};
  std::unordered_map<std::string, int> distinct;
  double all = 0;
  for (const auto& prompt : prompts) {
    if (!distinct.emplace(prompt, 0).second) continue;  // an equal prompt is the prompt channel's
    const auto tokens = tokens_of(prompt);
    ++all;
    for (std::size_t kind = 0; kind < tokens.size(); ++kind) {
      if (tokens[kind] == 0) continue;
      ++present[kind];
      ++counts[kind][tokens[kind]];
    }
  }
  constexpr const char* kNames[] = {"head 5", "head 12", "tail 5", "tail 12", "skeleton", "labels"};
  constexpr double kBounds[] = {1e-3, 1e-4, 1e-3, 1e-4, 1e-4, 3e-4};
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    double pairs = 0, most = 0;
    for (const auto& [token, count] : counts[kind]) {
      pairs += static_cast<double>(count) * static_cast<double>(count - 1);
      most = std::max(most, static_cast<double>(count));
    }
    const double rate = pairs / (all * (all - 1));
    std::printf("%-9s present %5.1f %%  shared by pairs %.2e  most common in %.2f %%\n", kNames[kind],
                100 * static_cast<double>(present[kind]) / all, rate, 100 * most / all);
    EXPECT_LT(rate, kBounds[kind]) << kNames[kind];
  }
}

}  // namespace
}  // namespace stillwatch::text
