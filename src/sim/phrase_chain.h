// New text from known text: runs of a few words, joined where the same word ends one run and starts another.
//
// A world needs millions of prompts that no two people share, yet that read like people's own. Each run
// is copied from a random document; at its last word the chain moves to another occurrence of that word.
// Invariant: documents and output are JSON-escaped UTF-8, cut only at word or character ends.
// Threads: build on one, then read-only. Cost: 5 bytes a word kept; about 30 ns a run of three words.
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
  std::size_t words() const { return word_start_.empty() ? 0 : word_start_.size() - 1; }

  /// Appends about `words` words, ending at a sentence where one is near.
  void append(base::Random& random, std::size_t words, std::string& out) const;
  /// Appends one word of at least four bytes, without punctuation at its end.
  void append_word(base::Random& random, std::string& out) const;

 private:
  std::string_view word(std::size_t at) const {
    return {text_.data() + word_start_[at], word_start_[at + 1] - word_start_[at]};
  }

  std::string text_;
  std::vector<std::uint32_t> word_start_;   // offset of each word; one more at the end
  std::vector<std::uint32_t> documents_;    // index of each document's first word
  std::vector<std::uint32_t> next_same_;    // another word position with the same text, a ring in random order
  std::vector<std::uint8_t> ends_;          // 1: a sentence ends here, 2: a document ends here
};

/// Appends JSON-escaped text (without quotes).
void append_escaped(std::string_view text, std::string& out);
/// At most bytes_max bytes of text, cut at a character.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

}  // namespace stillwatch::sim
