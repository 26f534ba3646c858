// Everything prompts are made of: corpora from a folder, or built-in text in their place.
//
// Pools hold whole prompts; chains make new text in the manner of a pool. Corpora are sorted into pools by
// file name (kCorpora in the .cc); unknown files join the chat pool.
// Invariant: every text is JSON-escaped. Threads: build on one, then read-only. Memory: the corpora once, about 60 MB.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/builtin_text.h"
#include "sim/phrase_chain.h"
#include "sim/world.h"

namespace stillwatch::sim {

enum class Pool : std::uint8_t {
  chat,      // first prompts of real people
  task,      // single instructions
  question,  // self-contained problems
  shared,    // prompts that people pass on to each other
  record,    // long inputs of batch jobs
  abuse,
};
inline constexpr std::size_t kPools = 6;

/// Which prompts a world uses, and in which form.
struct TextChoice {
  CorpusHalf half = CorpusHalf::all;
  bool strip_affixes = false;  // of corpora; see affixes.h
};

/// The half that a prompt belongs to, by a hash of its text alone: equal prompts are always together.
CorpusHalf half_of(std::string_view prompt);

class TextSources {
 public:
  /// Built-in text for every pool.
  static TextSources builtin(const TextChoice& choice = {});
  /// Reads every *.jsonl.zst of the folder; pools that stay empty get built-in text.
  static base::Result<TextSources> load(const std::string& folder, const TextChoice& choice = {});

  const std::vector<std::string_view>& pool(Pool which) const { return pools_[static_cast<std::size_t>(which)]; }
  /// The chain of a language (index into builtin_languages()); people's text.
  const PhraseChain& chat(std::size_t language) const { return chat_[language]; }
  const PhraseChain& task() const { return task_; }
  const PhraseChain& passage() const { return passage_; }
  const PhraseChain& code() const { return code_; }
  const PhraseChain& abuse() const { return abuse_; }
  bool from_corpora() const { return from_corpora_; }

 private:
  bool wanted(std::string_view prompt) const {
    return choice_.half == CorpusHalf::all || half_of(prompt) == choice_.half;
  }
  void keep(Pool which, std::string escaped);
  base::Status read_corpus(const std::string& path, const std::string& stem);
  void complete();

  TextChoice choice_;
  std::deque<std::string> texts_;
  std::array<std::vector<std::string_view>, kPools> pools_;
  std::vector<PhraseChain> chat_;
  PhraseChain task_, passage_, code_, abuse_;
  std::vector<std::vector<std::string_view>> chat_by_language_;
  bool from_corpora_ = false;
};

}  // namespace stillwatch::sim
