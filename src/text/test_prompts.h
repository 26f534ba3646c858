// Prompts for tests and benchmarks: made from a seed, or read from the corpora of STILLWATCH_DATA.
// Nothing here is compiled into the product.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace stillwatch::text {

/// A pronounceable word that is in no dictionary, 2 to 4 syllables.
inline std::string made_word(base::Random& random) {
  static constexpr std::string_view kSyllables[] = {"ba", "ke",  "li",  "mo",  "nu",  "ra",  "si",  "to",
                                                    "vu", "zen", "dor", "fal", "gim", "hul", "jat", "pes"};
  std::string word;
  for (std::uint64_t i = 2 + random.below(3); i > 0; --i) word += kSyllables[random.below(std::size(kSyllables))];
  return word;
}

inline std::string made_words(base::Random& random, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : " ") + made_word(random);
  return text;
}

/// Prose-like: made words, function words, commas, numbers, line breaks; about `bytes` long.
inline std::string made_prose(base::Random& random, std::size_t bytes) {
  static constexpr std::string_view kFunction[] = {"the", "of",   "and",  "in", "to", "is",  "a",
                                                   "for", "with", "that", "on", "as", "are", "by"};
  std::string text;
  while (text.size() < bytes) {
    const auto kind = random.below(40);
    if (kind < 16)
      text += kFunction[random.below(std::size(kFunction))];
    else if (kind == 16)
      text += std::to_string(random.below(10'000));
    else if (kind == 17)
      text += "\"" + made_words(random, 3) + "\"";
    else
      text += made_word(random);
    const auto stop = random.below(60);
    text += stop == 0 ? ".\n\n" : stop < 4 ? ". " : stop < 8 ? ", " : " ";
  }
  text.resize(bytes);
  return text;
}

/// Prompts of one corpus, at most `count_max`; none when STILLWATCH_DATA is unset or lacks it. The reader is
/// the zstd program and a scan for the one field, so that text need not link JSON for its tests.
inline std::vector<std::string> corpus_prompts(const std::string& name, std::size_t count_max) {
  std::vector<std::string> prompts;
  const char* folder = std::getenv("STILLWATCH_DATA");
  if (folder == nullptr) return prompts;
  const std::string command = "zstd -dcq '" + std::string(folder) + "/data/prompts/" + name + ".jsonl.zst' 2>/dev/null";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return prompts;
  std::string line;
  const auto take = [&] {
    const std::string_view key = "\"prompt\": \"";
    const std::size_t at = line.find(key);
    if (at == std::string::npos) return;
    std::string prompt;
    for (std::size_t i = at + key.size(); i < line.size() && line[i] != '"'; ++i) {
      if (line[i] != '\\' || i + 1 >= line.size()) {
        prompt += line[i];
        continue;
      }
      const char escaped = line[++i];
      if (escaped == 'u') {
        i += 4;
        prompt += ' ';
      } else {
        prompt += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped == 'r' ? '\r' : escaped;
      }
    }
    prompts.push_back(std::move(prompt));
  };
  char buffer[1 << 16];
  std::size_t length = 0;
  while ((length = std::fread(buffer, 1, sizeof buffer, pipe)) > 0) {
    for (const char c : std::string_view(buffer, length)) {
      if (c != '\n') {
        line += c;
        continue;
      }
      if (prompts.size() < count_max) take();
      line.clear();
    }
  }
  ::pclose(pipe);
  return prompts;
}

}  // namespace stillwatch::text
