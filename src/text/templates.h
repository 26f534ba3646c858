// Template tokens: six keyed views of a prompt, at least one of which two prompts made from one template
// share, wherever the template's slots are, and the longer of which unrelated prompts seldom share.
//
//   head_5, head_12, tail_5, tail_12   the first and last words, masked (masking.h): templates with slots elsewhere
//   skeleton                           structure words, first words of lines, line breaks and marks in order;
//                                      every run of other words is one gap: short slots anywhere
//   labels                             the last three distinct "Label:" prefixes, headings and tag lines:
//                                      slots of any length between labels
// What no token sees: constant text only in the middle, without labels, between free paragraphs on both
// sides. The sketches of the fingerprint still do.
// A token is 0 when the prompt is too short to tell (the constants below say when).
// Invariant: kinds never meet (the kind is part of the hashed bytes); each token is SipHash over
// canonical bytes, so a collision needs the secret. Nothing is tuned to the words of a data set.
// Threads: one user each. Cost: ~1 ns a byte of the masked text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "crypto/keyed_hash.h"
#include "event/query.h"
#include "text/lexicon.h"
#include "text/masking.h"

namespace stillwatch::text {

enum class TemplateKind : std::uint8_t { head_5, head_12, tail_5, tail_12, skeleton, labels };

inline constexpr std::uint32_t kHead5WordsMin = 6,
                               kHead12WordsMin = 14;   // a literal of the whole prompt says nothing of a template
inline constexpr std::uint32_t kSkeletonWordsMin = 4;  // surviving words, and at least one gap
inline constexpr std::uint32_t kParagraphWords =
    40;  // longer lines of a prompt with several lines are filled, not structure
inline constexpr std::uint32_t kCutSkeletonWords = 16;  // of a cut prompt, the surviving words read from either end
inline constexpr std::uint32_t kLabelWordsMax = 6;      // before a colon
inline constexpr std::uint32_t kLabelsKept = 3;         // from the end: a slot before them may look like labels itself

using TemplateTokens = std::array<base::Token, event::Fingerprint::kTemplatesMax>;

class TemplateMaker {
 public:
  /// `masked` is the head, or the head, a cut and the tail.
  TemplateTokens make(const crypto::KeyedHash& keyed_hash, const MaskedText& masked);
  /// Distinct labels of the last prompt, up to kLabelsKept.
  std::uint32_t labels_count() const { return labels_count_; }

 private:
  base::Token literal(const crypto::KeyedHash& keyed_hash, const MaskedText& masked, TemplateKind kind,
                      std::uint32_t words, std::uint32_t words_min, bool tail);
  base::Token skeleton(const crypto::KeyedHash& keyed_hash, const MaskedText& masked);
  struct Label {
    const Item *begin, *end;
    std::uint64_t name;
  };
  static std::optional<Label> label_of(const MaskedText& masked, const Item* first, const Item* stop);
  base::Token labels(const crypto::KeyedHash& keyed_hash, const MaskedText& masked);
  void begin(TemplateKind kind) { size_ = 0, put(static_cast<char>('A' + static_cast<int>(kind))); }
  void put(char c);
  void put(const MaskedText& masked, const Item& item);
  struct Written {
    unsigned words, gaps;  // 0 or 1
  };
  /// What was written up to now, kept in registers from word to word.
  struct End {
    std::size_t size;
    unsigned is_gap;  // 1: the last symbol is one
  };
  /// A kept word, or one gap for a run of others.
  Written put_or_gap(const MaskedText& masked, const Item& item, unsigned kept, End& end);
  base::Token token(const crypto::KeyedHash& keyed_hash) const;

  std::uint32_t half_words_ = 0, labels_count_ = 0;
  bool cut_ = false;
  std::size_t size_ = 0;
  // Each item adds its bytes and one separator, each line one break more; an item is at least a byte of text.
  std::array<char, 3 * MaskedText::kBytesMax + 64> bytes_;
};

}  // namespace stillwatch::text
