// What the graph and cluster baselines take from a prompt: its first words, its frame, and a weak score.
//
// The frame ("skeleton-ish") is the sequence of words of at most three letters among the first 64, with runs of
// other words as one gap. The weak score of one request adds what harvest often has and ordinary use often has too:
// words of elicitation, of judging, of rewriting; one turn; a long answer; a high limit for it. Its words are English
// and a few: it stands for the published detectors' weak scores, and no verdict of ours reads it.
// Invariant: a pure function of the bytes. Threads: pure. Cost: one pass over at most 1 KiB.
#pragma once

#include <cstdint>
#include <string_view>

namespace stillwatch::quality {

struct PromptTraits {
  std::uint64_t prefix = 0;    // of the first 8 words, exactly; 0: fewer words
  std::uint64_t skeleton = 0;  // 0: fewer than 8 words
  int words_hit = 0;           // kinds of suspicious words, 0 to 3
};

PromptTraits prompt_traits(std::string_view text);

float weak_score(const PromptTraits& traits, std::uint32_t turns, std::uint32_t output_tokens,
                 std::uint32_t output_tokens_max);

}  // namespace stillwatch::quality
