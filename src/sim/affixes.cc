#include "sim/affixes.h"

#include <algorithm>
#include <unordered_map>

namespace stillwatch::sim {
namespace {

constexpr std::size_t kSharedMin = 5;                 // fewer prompts with one sentence are chance or quotation
constexpr std::size_t kSharedPerMille = 2;            // of a data set: one task in 500
constexpr std::size_t kRestBytesMin = 12;             // what is left must still be a prompt
constexpr int kSentencesDeep = 6;                     // data sets wrap a task in some sentences, not in pages
constexpr std::size_t kWordsMin = 5, kWordsMax = 16;  // fewer are how people begin and end
constexpr std::size_t kContinuationWords = 8;

constexpr std::string_view kBlank = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// Bytes of the sentence end at this place, 0 where none ends.
std::size_t end_at(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (c == '\n') return 1;
  if (c == '\\' && at + 1 < text.size() && text[at + 1] == 'n') return 2;  // as some data sets write a new line
  const bool stops = c == '.' || c == '?' || c == '!' || c == ':';
  if (stops && (at + 1 == text.size() || kBlank.find(text[at + 1]) != std::string_view::npos)) return 1;
  for (const std::string_view wide : {"\xE3\x80\x82", "\xEF\xBC\x9F", "\xEF\xBC\x81", "\xEF\xBC\x9A"}) {
    if (text.substr(at, wide.size()) == wide) return wide.size();
  }
  return 0;
}

std::string_view first_sentence(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (const std::size_t bytes = end_at(text, at); bytes > 0) return text.substr(0, at + bytes);
  }
  return text;
}

std::string_view last_sentence(std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t bytes = end_at(text, at);
    if (bytes > 0 && at + bytes < text.size()) begin = at + bytes;
  }
  return trimmed(text.substr(begin));
}

/// The first or last words, as many as given; empty where the text has fewer.
std::string_view words_at_end(std::string_view text, std::size_t words) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i < words; ++i) {
    at = text.substr(0, at).find_last_not_of(kBlank);
    if (at == std::string_view::npos) return {};
    at = text.substr(0, at).find_last_of(kBlank);
    if (at == std::string_view::npos) return i + 1 == words ? text : std::string_view();
    ++at;
  }
  return text.substr(at);
}
std::string_view words_at_begin(std::string_view text, std::size_t words) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < words; ++i) {
    at = text.find_first_not_of(kBlank, at);
    if (at == std::string_view::npos) return {};
    at = std::min(text.find_first_of(kBlank, at), text.size());
  }
  return text.substr(0, at);
}

/// One sentence off each prompt at that end where enough others have the same; whether any had.
template <class Sentence>
bool strip_once(std::vector<std::string_view>& texts, Sentence sentence_of, bool at_end) {
  std::unordered_map<std::string_view, std::size_t> count;
  for (const std::string_view text : texts) ++count[sentence_of(text)];
  const std::size_t enough = std::max(kSharedMin, texts.size() * kSharedPerMille / 1000);
  bool any = false;
  for (std::string_view& text : texts) {
    const std::string_view sentence = sentence_of(text);
    if (sentence.empty() || count[sentence] < enough) continue;
    const std::size_t left = text.size() - sentence.size();
    const std::string_view rest = trimmed(at_end ? text.substr(0, left) : text.substr(sentence.size()));
    if (rest.size() < kRestBytesMin) continue;
    text = rest;
    any = true;
  }
  return any;
}

}  // namespace

void strip_shared_affixes(std::vector<std::string>& prompts) {
  std::vector<std::string_view> texts;
  texts.reserve(prompts.size());
  for (const std::string& prompt : prompts) texts.push_back(trimmed(prompt));
  for (int depth = 0; depth < kSentencesDeep; ++depth) {
    const bool heads = strip_once(texts, first_sentence, false);
    const bool tails = strip_once(texts, last_sentence, true);
    if (!heads && !tails) break;
  }
  // What is left without a full stop around it.
  for (std::size_t words = kWordsMax; words >= kWordsMin; --words) {
    strip_once(
        texts, [&](std::string_view text) { return words_at_end(text, words); }, true);
    strip_once(
        texts, [&](std::string_view text) { return words_at_begin(text, words); }, false);
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) prompts[i] = std::string(texts[i]);
}

std::string_view cut_escaped(std::string_view escaped, std::size_t bytes_max) {
  if (escaped.size() <= bytes_max) return escaped;
  std::size_t at = 0, space = 0;
  for (;;) {
    std::size_t step = 1;
    if (escaped[at] == '\\') {
      step = at + 1 < escaped.size() && escaped[at + 1] == 'u' ? 6 : 2;
    } else {
      while (at + step < escaped.size() && (static_cast<unsigned char>(escaped[at + step]) & 0xC0) == 0x80) ++step;
    }
    if (at + step > bytes_max) break;
    if (escaped[at] == ' ') space = at;
    at += step;
  }
  // A word is not cut, unless the text has next to no spaces.
  return escaped.substr(0, space > bytes_max / 2 ? space : at);
}

void fit_length(base::Random& random, const PhraseChain& more, std::size_t bytes, std::string& escaped) {
  while (escaped.size() < bytes) {
    if (!escaped.empty()) escaped += ' ';
    more.append(random, kContinuationWords, escaped);
  }
  escaped.resize(cut_escaped(escaped, bytes).size());
}

}  // namespace stillwatch::sim
