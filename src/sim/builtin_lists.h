// The lists of words and patterns that builtin_text.h makes text from.
//
// Invariant: entries are JSON-escaped UTF-8; a slot in a pattern is one letter in braces, see append_slot() there.
// A change to a list changes every simulated world. Threads: constants. Cost: none at start-up.
#pragma once

#include <span>
#include <string_view>

namespace stillwatch::sim {

using List = std::span<const std::string_view>;

/// English words; made-up names come from the syllables.
struct EnglishWords {
  List nouns, verbs, adjectives, places, fields, audiences, forms, syllables;
};
extern const EnglishWords kEnglish;

/// English patterns, one list a TextKind.
struct EnglishPatterns {
  List chat, tasks, questions, passages, code, abuse, instructions, roles, constraints;
};
extern const EnglishPatterns kEnglishPatterns;

/// A language by its code. English has empty lists here: it takes those above.
struct Tongue {
  std::string_view code;
  List nouns, adjectives, patterns;
};
extern const std::span<const Tongue> kTongues;

}  // namespace stillwatch::sim
