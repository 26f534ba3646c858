// Halves of the corpora, constant sentences, and lengths.
#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "sim/affixes.h"
#include "sim/simulated_world.h"
#include "sim/text_sources.h"

namespace stillwatch::sim {
namespace {

using namespace test;

void write_corpus(const std::string& path, const std::vector<std::string>& prompts) {
  std::string lines;
  for (const std::string& prompt : prompts) lines += R"({"source":"t","prompt":")" + prompt + "\"}\n";
  std::string packed(ZSTD_compressBound(lines.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), lines.data(), lines.size(), 1));
  std::ofstream(path, std::ios::binary) << packed;
}

std::vector<std::string> chat_of(const std::string& folder, const TextChoice& choice) {
  const auto texts = TextSources::load(folder, choice);
  EXPECT_TRUE(texts) << (texts ? "" : texts.error().message);
  std::vector<std::string> all;
  if (texts) all.assign(texts->pool(Pool::chat).begin(), texts->pool(Pool::chat).end());
  return all;
}

TEST(Corpora, HalvesAreDisjointAndTogetherAll) {
  const Folder folder;
  std::vector<std::string> prompts;
  for (int i = 0; i < 400; ++i) prompts.push_back("question number " + std::to_string(i % 300) + " about the garden");
  write_corpus(folder / "sharegpt.jsonl.zst", prompts);
  const auto all = chat_of(folder.path(), {});
  const auto tuning = chat_of(folder.path(), {CorpusHalf::tuning, false});
  const auto held_out = chat_of(folder.path(), {CorpusHalf::held_out, false});
  EXPECT_EQ(all.size(), 400U);
  EXPECT_EQ(tuning.size() + held_out.size(), 400U);
  EXPECT_GT(tuning.size(), 120U);
  EXPECT_GT(held_out.size(), 120U);
  const std::set<std::string> first(tuning.begin(), tuning.end());
  for (const std::string& prompt : held_out) EXPECT_EQ(first.count(prompt), 0U) << prompt;
}

TEST(Corpora, BuiltInTextHasHalvesToo) {
  const auto tuning = TextSources::builtin({CorpusHalf::tuning, false});
  const auto held_out = TextSources::builtin({CorpusHalf::held_out, false});
  for (std::size_t i = 0; i < kPools; ++i) {
    const auto& a = tuning.pool(static_cast<Pool>(i));
    const auto& b = held_out.pool(static_cast<Pool>(i));
    EXPECT_GT(a.size(), 200U);
    EXPECT_GT(b.size(), 200U);
    const std::set<std::string_view> first(a.begin(), a.end());
    for (const std::string_view text : b) ASSERT_EQ(first.count(text), 0U) << text;
  }
}

TEST(Corpora, SharedSentencesGoAndOwnOnesStay) {
  const Folder folder;
  std::vector<std::string> prompts;
  for (int i = 0; i < 50; ++i) {
    prompts.push_back("You are a solver. Read this: what is " + std::to_string(i) +
                      " plus seven apples? Think step by "
                      "step.");
  }
  prompts.push_back("You are a baker. Which flour suits a rye bread best?");
  write_corpus(folder / "sharegpt.jsonl.zst", prompts);
  const auto kept = chat_of(folder.path(), {CorpusHalf::all, false});
  EXPECT_EQ(kept.front(), prompts.front());
  const auto stripped = chat_of(folder.path(), {CorpusHalf::all, true});
  ASSERT_EQ(stripped.size(), 51U);
  EXPECT_EQ(stripped.front(), "what is 0 plus seven apples?");
  EXPECT_EQ(stripped.back(), prompts.back());
}

TEST(Corpora, SharedWordsGoWithoutAFullStopToo) {
  std::vector<std::string> prompts;
  for (int i = 0; i < 30; ++i)
    prompts.push_back("Options: " + std::to_string(i) + " apples or pears Let's all think step by step:");
  prompts.push_back("Nothing in common with the others except one word, step:");
  strip_shared_affixes(prompts);
  EXPECT_EQ(prompts[7], "7 apples or pears");
  EXPECT_EQ(prompts.back(), "Nothing in common with the others except one word, step:");
}

TEST(Corpora, APromptNeverLosesItsLastSentence) {
  std::vector<std::string> prompts(20, "Tell me a joke.");
  strip_shared_affixes(prompts);
  for (const std::string& prompt : prompts) EXPECT_EQ(prompt, "Tell me a joke.");
}

TEST(Corpora, CutsKeepWordsCharactersAndEscapesWhole) {
  EXPECT_EQ(cut_escaped("one two three", 9), "one two");
  EXPECT_EQ(cut_escaped("one", 9), "one");
  EXPECT_EQ(cut_escaped("abcdefg\\n", 8), "abcdefg");
  EXPECT_EQ(cut_escaped("ab\\u001fcd", 5), "ab");
  EXPECT_EQ(cut_escaped("\xE4\xBD\xA0\xE5\xA5\xBD", 4), "\xE4\xBD\xA0");
}

std::size_t median_bytes(const Outcome& outcome, bool hostile) {
  std::vector<std::size_t> sizes;
  for (const Record& record : outcome.records) {
    if ((outcome.hostile_ids.count(record.id) != 0) == hostile && record.messages.size() < 2)
      sizes.push_back(record.prompt.size());
  }
  std::sort(sizes.begin(), sizes.end());
  return sizes.empty() ? 0 : sizes[sizes.size() / 2];
}

TEST(Simulate, MatchedLengthsAreThoseOfPeople) {
  for (const char* family : {"template_farm", "self_instruct", "judge_loop"}) {
    const std::string rest =
        "days = 3\n[benign.chat_single]\naccounts = 200\n[campaign.a]\naccounts = 30\nfamily = \"" +
        std::string(family) + "\"\nstart_day = 0.5\n";
    const Outcome before = run(world_from("[world]\n" + rest));
    const Outcome after = run(world_from("[world]\nmatch_lengths = true\n" + rest));
    const auto people = static_cast<double>(median_bytes(after, false));
    EXPECT_GT(static_cast<double>(median_bytes(before, true)), 1.4 * people) << family;
    EXPECT_NEAR(static_cast<double>(median_bytes(after, true)), people, 0.25 * people) << family;
  }
}

TEST(Simulate, StrippedFamiliesSendBareTasks) {
  const std::string rest = "days = 2\n[campaign.a]\naccounts = 20\nfamily = \"self_instruct\"\nstart_day = 0.5\n";
  const Outcome before = run(world_from("[world]\n" + rest));
  const Outcome after = run(world_from("[world]\nstrip_affixes = true\n" + rest));
  const auto same_opening = [](const Outcome& outcome) {
    std::size_t same = 0;
    for (const Record& record : outcome.records)
      same += record.prompt.substr(0, 40) == outcome.records.front().prompt.substr(0, 40);
    return static_cast<double>(same) / static_cast<double>(outcome.records.size());
  };
  EXPECT_EQ(same_opening(before), 1);
  EXPECT_LT(same_opening(after), 0.2);
}

}  // namespace
}  // namespace stillwatch::sim
