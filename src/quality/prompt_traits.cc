#include "quality/prompt_traits.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/random.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kBytesMax = 1024;
constexpr std::size_t kPrefixWords = 8, kWordsMax = 64, kShortWord = 3;
constexpr std::uint32_t kLongAnswerTokens = 1000, kHighLimitTokens = 2048;

using namespace std::string_view_literals;
constexpr std::array kElicitation = {"explain"sv, "reasoning"sv, "step"sv, "steps"sv, "think"sv, "solution"sv};
constexpr std::array kJudging = {"compare"sv, "evaluate"sv, "grade"sv, "rate"sv, "rubric"sv, "score"sv};
constexpr std::array kRewriting = {"generate"sv,   "instruction"sv, "instructions"sv,
                                   "paraphrase"sv, "rewrite"sv,     "variations"sv};

template <class Words>
bool holds(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_letter(unsigned char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
}

class Chain {
 public:
  void add(std::string_view word) {
    for (const char c : word) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    state_ = base::mix64(state_ + 1);
  }
  std::uint64_t value() const { return state_ | 1U; }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325ULL;
};

}  // namespace

PromptTraits prompt_traits(std::string_view text) {
  text = text.substr(0, kBytesMax);
  PromptTraits traits;
  Chain prefix, skeleton;
  bool elicits = false, judges = false, rewrites = false, in_gap = false;
  std::size_t words = 0;
  std::string word;
  for (std::size_t i = 0; i < text.size();) {
    const auto is_word_byte = [&](std::size_t at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      return is_letter(byte) || (byte >= '0' && byte <= '9');
    };
    if (!is_word_byte(i)) {
      ++i;
      continue;
    }
    word.clear();
    bool letters = true;
    for (; i < text.size() && is_word_byte(i); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      letters = letters && is_letter(byte);
      word += static_cast<char>(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
    }
    ++words;
    if (words <= kPrefixWords) prefix.add(word);
    if (words == kPrefixWords) traits.prefix = prefix.value();
    if (words <= kWordsMax) {
      const bool kept = letters && word.size() <= kShortWord;
      if (kept || !in_gap) skeleton.add(kept ? std::string_view(word) : "_"sv);
      in_gap = !kept;
    }
    elicits = elicits || holds(kElicitation, word);
    judges = judges || holds(kJudging, word);
    rewrites = rewrites || holds(kRewriting, word);
  }
  if (words >= kPrefixWords) traits.skeleton = skeleton.value();
  traits.words_hit = int{elicits} + int{judges} + int{rewrites};
  return traits;
}

float weak_score(const PromptTraits& traits, std::uint32_t turns, std::uint32_t output_tokens,
                 std::uint32_t output_tokens_max) {
  float score = static_cast<float>(traits.words_hit);
  if (turns <= 1) score += 0.5F;
  if (output_tokens >= kLongAnswerTokens) score += 0.5F;
  if (output_tokens_max >= kHighLimitTokens) score += 0.5F;
  return score;
}

}  // namespace stillwatch::quality
