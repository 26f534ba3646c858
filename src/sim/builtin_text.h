// Text made from a built-in grammar, so that a fresh machine needs no corpora.
//
// Words come from lists, sentences from patterns with slots; names of firms, products and people are
// made up from syllables, so that rare words are rare here too.
// Invariant: output is JSON-escaped UTF-8. Threads: pure functions of the generator given. Cost: about 1 us a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace stillwatch::sim {

enum class TextKind : std::uint8_t {
  chat,         // what people ask
  task,         // instructions of the kind that self-instruct recipes send
  question,     // self-contained problems with an answer
  passage,      // facts and stories: material for slots, replies
  code,         // requests with code
  abuse,        // attempts to talk a model out of its rules
  instruction,  // one clause of a template: what to do with a slot
  role,         // who the model is to be
  constraint,   // a rule on form or content
};

/// Languages with built-in text. "en" comes first; the last ones have few speakers in any log.
const std::vector<std::string_view>& builtin_languages();
inline constexpr std::size_t kCommonLanguages = 6;  // en es de fr pt zh

/// Appends one sentence or prompt. `language` is an index into builtin_languages().
void append_builtin(TextKind kind, std::size_t language, base::Random& random, std::string& out);

/// A made-up name: two or three syllables, capital first.
void append_name(base::Random& random, std::string& out);
/// A topic of one to three words.
void append_topic(base::Random& random, std::string& out);
void append_number(std::uint64_t value, std::string& out);

}  // namespace stillwatch::sim
