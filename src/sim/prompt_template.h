// Prompt templates with slots, for those who send the same words many times: vendors, batch owners, judges,
// agents, benchmarks and campaigns alike. One grammar makes them all, so that nothing but use tells them apart.
//
// The constant part has three words to a page; slots stand at the head, in the middle or at the tail, with or
// without marks around them. Invariant: texts are JSON-escaped. Threads: read-only. Cost: one copy to fill.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/text_sources.h"

namespace stillwatch::sim {

enum class SlotKind : std::uint8_t { content, topic, name, number, list, quoted, passage, code };

class PromptTemplate {
 public:
  /// A new template. `language` is an index into builtin_languages(). `content_words` is the usual length of
  /// what goes into its content slot when the caller gives no item. `constant`: no slot but that for the item.
  static PromptTemplate draw(base::Random& random, std::size_t language, std::size_t content_words,
                             bool constant = false);

  /// Appends the template with its slots filled: the content slot with `item`, or with new text when item is
  /// empty. Each word of the constant part changes with probability `paraphrase`.
  void fill(base::Random& random, const TextSources& texts, std::string_view item, double paraphrase,
            std::string& out) const;
  /// The same template in other words: each word of the constant part stands for another one throughout, chosen by the
  /// seed; slots and marks stay.
  PromptTemplate reworded(std::uint64_t seed, const TextSources& texts) const;
  /// Bytes of the constant part.
  std::size_t constant_bytes() const;

 private:
  struct Segment {
    std::string literal;
    SlotKind slot = SlotKind::content;
    bool is_slot = false;
  };
  void add_literal(std::string text);
  void add_slot(SlotKind kind);

  std::vector<Segment> segments_;
  std::uint16_t content_words_ = 30;
  std::uint8_t language_ = 0;
};

/// JSON-escaped text in other words, as PromptTemplate::reworded.
std::string reword(std::uint64_t seed, const PhraseChain& words, std::string_view escaped);
/// A system prompt of `rules` rules.
std::string draw_system_prompt(base::Random& random, std::size_t rules);
/// A tool list in the dialects' form: {"type":"function",...} or {"name",...,"input_schema"}.
std::string draw_tools(base::Random& random, std::size_t count, bool anthropic_style);

}  // namespace stillwatch::sim
