#include "sim/phrase_chain.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/assert.h"

namespace stillwatch::sim {
namespace {

constexpr std::size_t kWordsMax = 400'000;     // 6 MB with its text: stays in the cache, and more adds no variety
constexpr std::size_t kDocumentWordsMax = 60;  // a few long documents must not fill the chain
constexpr std::size_t kOverrunWords = 8;       // how far past the wanted length to look for a sentence end
constexpr std::size_t kRunWords[16] = {1, 1, 2, 2, 2, 3, 3, 3,
                                       4, 4, 4, 5, 5, 6, 7, 9};  // runs keep grammar, not sentences

bool wide(unsigned char lead) { return lead >= 0xE3 && lead <= 0xEC; }  // scripts written without spaces

std::size_t character_bytes(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

bool ends_sentence(std::string_view word) {
  while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
  if (word.empty()) return false;
  const char last = word.back();
  return last == '.' || last == '?' || last == '!' || word.ends_with("\xE3\x80\x82") || word.ends_with("\xEF\xBC\x9F");
}

}  // namespace

void append_escaped(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte < 0x20) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
        } else {
          out += c;
        }
    }
  }
}

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

void PhraseChain::add(std::string_view document) {
  if (words_.size() >= kWordsMax) return;
  const std::size_t first = words_.size();
  std::size_t at = 0;
  while (at < document.size() && words_.size() - first < kDocumentWordsMax) {
    while (at < document.size() && document[at] == ' ') ++at;
    if (at >= document.size()) break;
    const std::size_t begin = at;
    bool spaced = true;
    if (wide(static_cast<unsigned char>(document[at]))) {
      at += character_bytes(static_cast<unsigned char>(document[at]));
      spaced = false;
    } else {
      while (at < document.size() && document[at] != ' ' && !wide(static_cast<unsigned char>(document[at]))) ++at;
      spaced = at >= document.size() || document[at] == ' ';
    }
    at = std::min(at, document.size());
    words_.push_back({static_cast<std::uint32_t>(text_.size()), 0,
                      ends_sentence(document.substr(begin, at - begin)) ? kSentenceEnd : 0});
    text_.append(document, begin, at - begin);
    if (spaced) text_ += ' ';
  }
  if (words_.size() == first) return;
  documents_.push_back(static_cast<std::uint32_t>(first));
  words_.back().ends |= kDocumentEnd;
}

void PhraseChain::freeze() {
  words_.push_back({static_cast<std::uint32_t>(text_.size()), 0, kDocumentEnd});
  const std::size_t count = words();
  // Positions in a fixed random order, so that the ring through equal words has no memory of the corpus.
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  base::Random random(0x5EEDULL);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  std::unordered_map<std::string_view, std::pair<std::uint32_t, std::uint32_t>>
      ring;  // first and last position of a word
  ring.reserve(count / 8);
  const auto link = [&](std::uint32_t from, std::uint32_t to) { words_[from].next = to & 0x3FFFFFFFU; };
  for (const std::uint32_t position : order) {
    const auto [entry, fresh] = ring.try_emplace(word(position), position, position);
    if (!fresh) {
      link(entry->second.second, position);
      entry->second.second = position;
    }
  }
  for (const auto& [text, ends] : ring) link(ends.second, ends.first);
}

void PhraseChain::append(base::Random& random, std::size_t words_wanted, std::string& out) const {
  STILLWATCH_ASSERT(!documents_.empty());
  std::size_t at = documents_[random.below(documents_.size())];
  std::size_t written = 0;
  while (written < words_wanted + kOverrunWords) {
    // One draw a run: its length, the steps along the ring. People's openings are diverse: the first run is short.
    const std::uint64_t draw = random.next();
    std::size_t left = kRunWords[draw & 15];
    if (written == 0) left = 1 + (draw & 1);
    std::size_t run_end = at;
    for (;;) {
      ++written;
      if ((words_[run_end].ends & kDocumentEnd) != 0 || --left == 0 || written == words_wanted) break;
      ++run_end;
    }
    const std::size_t begin = words_[at].start;
    out.append(text_.data() + begin, words_[run_end + 1].start - begin);
    if (written >= words_wanted && words_[run_end].ends != 0) break;
    // Some steps along the ring: two runs that meet at a word part again. A word at a document's end
    // leads nowhere, so another document is opened.
    std::size_t same = words_[run_end].next;
    for (std::uint64_t steps = (draw >> 8) & 1; steps > 0; --steps) same = words_[same].next;
    at = (words_[same].ends & kDocumentEnd) != 0 ? documents_[random.below(documents_.size())] : same + 1;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
}

void PhraseChain::append_word(base::Random& random, std::string& out) const {
  for (int i = 0; i < 8; ++i) {
    std::string_view found = word(random.below(words()));
    while (!found.empty() && (found.back() == ' ' || found.back() == '.' || found.back() == ',' || found.back() == '?'))
      found.remove_suffix(1);
    if (found.size() < 4 || found.find('\\') != std::string_view::npos) continue;
    out.append(found);
    return;
  }
  out += "thing";
}

}  // namespace stillwatch::sim
