// Weak linear scores of one prompt: event::Fingerprint::scores.
//
// Never a verdict: each is a handful of word cues and counts of structure, easily fooled both ways, and
// one honest sentence can fill it. They only describe a group that other evidence has formed, and are
// compared with groups matched in language, because cue lists differ between languages.
// Invariant: each score is 0 (nothing) to 100; the order is part of the fingerprint's byte form.
// Threads: pure functions. Cost: ~20 ns.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "event/query.h"

namespace stillwatch::text {

enum class Score : std::uint8_t {
  reasoning,     // asks for steps, proofs, explanations
  judging,       // rates, compares, checks against a rubric
  rewriting,     // rewrites, evolves or varies a given text or task
  breadth,       // asks for many: lists, examples, ideas
  output_heavy,  // asks for much text
  code,          // is about programs
};
inline constexpr std::size_t kScores = event::Fingerprint::kScores;

/// What one scan of the prompt counted.
struct ScoreFeatures {
  std::array<std::uint32_t, kScores> cues{};  // cue words by score
  std::uint32_t words = 0;
  std::uint32_t numbers = 0, list_lines = 0, questions = 0, code_spans = 0, labels = 0, brackets = 0;
};

std::array<std::int8_t, kScores> scores_of(const ScoreFeatures& features);

}  // namespace stillwatch::text
