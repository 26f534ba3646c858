// New text from known text: runs of a few words, joined where the same word ends one run and starts another.
//
// A world needs millions of prompts that no two people share, yet that read like people's own. Each run
// is copied from a random document; at its last word the chain moves to another occurrence of that word.
// Invariant: documents and output are JSON-escaped UTF-8, cut only at word or character ends.
// Threads: build on one, then read-only. Cost: 14 bytes a word kept, bounded so that a chain stays in the cache; about
// 20 ns a run of four words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace stillwatch::sim {

class PhraseChain {
 public:
  void add(std::string_view escaped_document);
  void freeze();
  bool empty() const { return documents_.empty(); }
  std::size_t words() const { return words_.empty() ? 0 : words_.size() - 1; }

  /// Appends about `words` words, ending at a sentence where one is near.
  void append(base::Random& random, std::size_t words, std::string& out) const;
  /// Appends one word of at least four bytes, without punctuation at its end.
  void append_word(base::Random& random, std::string& out) const;

 private:
  static constexpr std::uint32_t kSentenceEnd = 1, kDocumentEnd = 2;
  struct Word {
    std::uint32_t start;      // offset in text_
    std::uint32_t next : 30;  // another word with the same text, a ring in random order
    std::uint32_t ends : 2;   // kSentenceEnd, kDocumentEnd
  };
  std::string_view word(std::size_t at) const {
    return {text_.data() + words_[at].start, words_[at + 1].start - words_[at].start};
  }

  std::string text_;
  std::vector<Word> words_;               // one more at the end
  std::vector<std::uint32_t> documents_;  // index of each document's first word
};

/// Appends JSON-escaped text (without quotes).
void append_escaped(std::string_view text, std::string& out);
/// At most bytes_max bytes of text, cut at a character.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

}  // namespace stillwatch::sim
