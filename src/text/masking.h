// One pass over a region of a prompt: folded words, with everything that fills slots masked.
//
// Numbers, quoted text, code, URLs, addresses and encoded blobs become one item each, whatever they say;
// runs of numbers become one. Words keep their folded bytes; a run of white space with a newline in it
// becomes one newline item; of punctuation only what marks structure survives.
// Invariants: reads only the region; writes at most as many bytes as it read; equal regions give equal
// items. Word hashes are keyed but not a PRF (a multiply-fold under secret constants): they feed sketches
// only, where a collision merely blurs a similarity. Tokens that link accounts hash bytes() with SipHash.
// Threads: one user each. Cost: ~1-2.5 ns a byte; an opening quote is searched at most kQuoteBytesMax far.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "text/lexicon.h"
#include "text/scores.h"

namespace stillwatch::text {

enum class ItemKind : std::uint8_t {
  word,
  sign,  // one character of a script without spaces: half a word
  number,
  quote,
  code,
  opaque,  // masked
  mark,    // punctuation that marks structure
  newline,
  cut,  // text between head and tail that was not read
};

constexpr bool is_masked(ItemKind kind) { return kind >= ItemKind::number && kind <= ItemKind::opaque; }
constexpr bool is_wordlike(ItemKind kind) { return kind <= ItemKind::opaque; }
/// Length in half words.
constexpr std::uint32_t half_words(ItemKind kind) { return kind == ItemKind::sign ? 1 : is_wordlike(kind) ? 2 : 0; }

struct Item {
  std::uint64_t hash = 0;               // of a word-like item, keyed
  std::uint16_t begin = 0, length = 0;  // in bytes()
  ItemKind kind = ItemKind::word;
  std::uint8_t lexicon = 0;  // bits of lexicon.h
  bool line_first = false;   // the first word of its line
};

/// Secret constants of the word hash.
struct WordHashKey {
  std::uint64_t low = 0, high = 0, last = 0;
};

class MaskedText {
 public:
  static constexpr std::size_t kBytesMax = base::limits::kFingerprintHeadBytes + base::limits::kFingerprintTailBytes;
  static constexpr std::size_t kContentBytesMin = 4;    // shorter words say little
  static constexpr std::size_t kQuoteBytesMax = 2'048;  // a quoted passage; longer ones are read as text

  explicit MaskedText(const WordHashKey& key) : key_(key) {}

  void clear();
  /// Adds a region; all regions together have at most kBytesMax bytes. `cut_before`, `cut_after`: the turn has more
  /// text there.
  void add(std::string_view region, bool cut_before, bool cut_after);
  /// Marks where text was left out between two regions.
  void add_cut();

  const Item* begin() const { return items_.data(); }
  const Item* end() const { return items_.data() + count_; }
  std::size_t count() const { return count_; }
  const Item& operator[](std::size_t i) const { return items_[i]; }
  std::string_view bytes(const Item& item) const { return {bytes_.data() + item.begin, item.length}; }

  // Kept while the items are written, so that nobody has to walk them again.
  /// Hashes of the word-like items, in order.
  std::span<const std::uint64_t> hashes() const { return {hashes_.data(), words_}; }
  bool has_cut() const { return has_cut_; }
  std::size_t words_before_cut() const { return words_before_cut_; }
  std::uint32_t half_words_count() const { return half_words_; }
  /// Lines with a word in them.
  std::uint32_t lines_count() const { return lines_; }
  /// Cues and structure; not `words` and `labels`.
  const ScoreFeatures& counts() const { return counts_; }
  /// The place of an item in an order that the key gives; kNoContent when it is no word of content.
  std::uint64_t order_of(const Item& item) const {
    const bool content =
        (item.kind == ItemKind::word && item.length >= kContentBytesMin) || item.kind == ItemKind::sign;
    return content && (item.lexicon & kStructureWord) == 0 ? item.hash ^ key_.low : kNoContent;
  }
  /// The least of them.
  std::uint64_t order_least() const { return order_least_; }
  static constexpr std::uint64_t kNoContent = ~std::uint64_t{0};

 private:
  struct Scan;
  void push(ItemKind kind, std::size_t begin, std::size_t length);
  void push_word_like(ItemKind kind, std::size_t begin, std::size_t length, std::uint64_t hash, std::uint8_t lexicon);
  void push_word(std::size_t begin);
  void push_short_word(std::size_t begin, std::size_t length, const WordKey& key);
  void push_sign(std::size_t begin);
  void push_mask(ItemKind kind);
  void push_mark(char c);
  void end_line(ItemKind kind);
  void add_cues(std::uint8_t lexicon);
  std::uint64_t short_hash(const WordKey& key, std::size_t length) const;
  std::uint64_t hash_of(std::size_t begin, std::size_t length) const;

  WordHashKey key_;
  const Lexicon& lexicon_ = Lexicon::instance();
  std::size_t size_ = 0, count_ = 0, words_ = 0, words_before_cut_ = 0;
  bool line_open_ = false;  // the current line already has a word
  bool has_cut_ = false;
  std::uint32_t half_words_ = 0, lines_ = 0;
  std::uint64_t order_least_ = kNoContent;
  ScoreFeatures counts_;
  std::array<char, kBytesMax + 64> bytes_{};  // 16 spare bytes are read past a word's begin, 4 written at once
  std::array<Item, kBytesMax + 8> items_;
  std::array<std::uint64_t, kBytesMax + 8> hashes_;
};

}  // namespace stillwatch::text
