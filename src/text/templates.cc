#include "text/templates.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "base/random.h"

namespace stillwatch::text {
namespace {

// Symbols of the canonical bytes. Folded words hold no control characters, so nothing can imitate them.
constexpr char kGap = '\x01', kParagraph = '\x02', kCutSymbol = '\x03', kBreak = '\n', kFirstMask = '\x10';

bool ends_line(const Item& item) { return item.kind == ItemKind::newline || item.kind == ItemKind::cut; }

const Item* line_end(const Item* at, const Item* end) {
  while (at < end && !ends_line(*at)) ++at;
  return at;
}

std::uint32_t half_words_of(const Item* at, const Item* end) {
  std::uint32_t sum = 0;
  for (; at < end; ++at) sum += half_words(at->kind);
  return sum;
}

}  // namespace

void TemplateMaker::put(char c) {
  STILLWATCH_ASSERT(size_ < bytes_.size());
  bytes_[size_++] = c;
}

void TemplateMaker::put(const MaskedText& masked, const Item& item) {
  if (is_masked(item.kind)) return put(static_cast<char>(kFirstMask + static_cast<int>(item.kind)));
  const auto bytes = masked.bytes(item);
  STILLWATCH_ASSERT(size_ + std::max<std::size_t>(bytes.size(), 16) < bytes_.size());
  if (bytes.size() <= 16) {
    std::memcpy(bytes_.data() + size_, bytes.data(),
                16);  // both sides have 16 bytes to spare, and most words are short
  } else {
    std::memcpy(bytes_.data() + size_, bytes.data(), bytes.size());
  }
  size_ += bytes.size();
  if (item.kind == ItemKind::word) put(' ');
}

// Whether a word is kept is as good as random, so both ways are one, without a branch on it: a copy, and how far the
// end moves. `kept` is 0 or 1.
inline TemplateMaker::Written TemplateMaker::put_or_gap(const MaskedText& masked, const Item& item, unsigned kept,
                                                        End& end) {
  static constexpr std::array<char, 16> kGapBytes{kGap};
  const unsigned fresh_gap = (kept | end.is_gap) ^ 1U;
  end.is_gap = kept ^ 1U;
  if (item.length > 16) {
    size_ = end.size;
    if (kept != 0) put(masked, item);
    if (fresh_gap != 0) put(kGap);
    end.size = size_;
    return {kept, fresh_gap};
  }
  STILLWATCH_ASSERT(end.size + 17 < bytes_.size());
  char* const to = bytes_.data() + end.size;
  const std::array<const char*, 2> sources{kGapBytes.data(), masked.bytes(item).data()};
  std::memcpy(to, sources[kept], 16);
  to[16U - ((16U - item.length) & (0U - kept))] = ' ';  // of a gap behind what counts
  const std::size_t word_bytes = item.length + static_cast<std::size_t>(item.kind == ItemKind::word);
  end.size += (word_bytes & (std::size_t{0} - kept)) + fresh_gap;
  return {kept, fresh_gap};
}

base::Token TemplateMaker::token(const crypto::KeyedHash& keyed_hash) const {
  return keyed_hash(crypto::Domain::template_, std::string_view(bytes_.data(), size_));
}

TemplateTokens TemplateMaker::make(const crypto::KeyedHash& keyed_hash, const MaskedText& masked) {
  half_words_ = masked.half_words_count();
  cut_ = masked.has_cut();
  TemplateTokens tokens{};
  const auto set = [&](TemplateKind kind, base::Token value) { tokens[static_cast<std::size_t>(kind)] = value; };
  set(TemplateKind::head_5, literal(keyed_hash, masked, TemplateKind::head_5, 5, kHead5WordsMin, false));
  set(TemplateKind::head_12, literal(keyed_hash, masked, TemplateKind::head_12, 12, kHead12WordsMin, false));
  set(TemplateKind::tail_5, literal(keyed_hash, masked, TemplateKind::tail_5, 5, kHead5WordsMin, true));
  set(TemplateKind::tail_12, literal(keyed_hash, masked, TemplateKind::tail_12, 12, kHead12WordsMin, true));
  set(TemplateKind::skeleton, skeleton(keyed_hash, masked));
  set(TemplateKind::labels, labels(keyed_hash, masked));
  return tokens;
}

base::Token TemplateMaker::literal(const crypto::KeyedHash& keyed_hash, const MaskedText& masked, TemplateKind kind,
                                   std::uint32_t words, std::uint32_t words_min, bool tail) {
  if (half_words_ < 2 * words_min) return 0;
  // Find the items that hold that many words, then write them in reading order.
  std::ptrdiff_t first = tail ? static_cast<std::ptrdiff_t>(masked.count()) : -1, last = first;
  std::uint32_t length = 0, real = 0;
  while (length < 2 * words) {
    const auto at = tail ? --first : ++last;
    if (at < 0 || at >= static_cast<std::ptrdiff_t>(masked.count())) return 0;
    const Item& item = masked[static_cast<std::size_t>(at)];
    if (item.kind == ItemKind::cut) return 0;
    length += half_words(item.kind);
    if (!is_masked(item.kind)) real += half_words(item.kind);
  }
  if (2 * real < length) return 0;  // mostly masks: every list of numbers would meet
  if (!tail) first = 0, ++last;
  begin(kind);
  bool started = false;
  for (auto at = first; at < last; ++at) {
    const Item& item = masked[static_cast<std::size_t>(at)];
    if (is_wordlike(item.kind)) put(masked, item), started = true;
    // A break inside counts; one before the first or after the last word does not.
    if (item.kind == ItemKind::newline && started && bytes_[size_ - 1] != kBreak) put(kBreak);
  }
  while (bytes_[size_ - 1] == kBreak) --size_;
  return token(keyed_hash);
}

base::Token TemplateMaker::skeleton(const crypto::KeyedHash& keyed_hash, const MaskedText& masked) {
  begin(TemplateKind::skeleton);
  const std::uint32_t lines = masked.lines_count();
  std::uint32_t survivors = 0, gaps = 0;
  // Lines from `at` to `end`; a prompt that was cut has its head read to `survivors_max` surviving words only.
  const auto read = [&](const Item* at, const Item* end, std::uint32_t survivors_max) {
    std::size_t previous = size_, current = size_;
    std::uint32_t taken = 0;
    while (at < end && taken < survivors_max) {
      const Item* stop = line_end(at, end);
      const bool may_be_long = lines > 1 && stop - at > static_cast<std::ptrdiff_t>(kParagraphWords);
      if (may_be_long && half_words_of(at, stop) > 2 * kParagraphWords) {
        put(kParagraph);
        ++gaps;
      } else {
        bool list_line = false;
        End written_to{size_, static_cast<unsigned>(bytes_[size_ - 1] == kGap)};
        for (const Item* item = at; item < stop && taken < survivors_max; ++item) {
          const bool opens = item == at;
          if (item->kind == ItemKind::mark) {
            size_ = written_to.size;
            put(masked.bytes(*item).front());
            written_to = {size_, 0};
            list_line |= opens && (bytes_[size_ - 1] == '-');
          } else if (item->kind == ItemKind::number && item->line_first && lines > 1) {
            size_ = written_to.size;
            put(masked, *item);
            written_to = {size_, 0};
            list_line = true;
          } else {
            const auto opening = static_cast<unsigned>(item->line_first & !list_line & !is_masked(item->kind));
            const Written written =
                put_or_gap(masked, *item, (item->lexicon & unsigned{kStructureWord}) | opening, written_to);
            survivors += written.words, taken += written.words;
            gaps += written.gaps;
          }
        }
        size_ = written_to.size;
      }
      put(kBreak);
      // Lines of one make, such as a list of any length, count once.
      const std::size_t length = size_ - current;
      if (current > previous && current - previous == length &&
          std::memcmp(bytes_.data() + previous, bytes_.data() + current, length) == 0) {
        size_ = current;
      } else {
        previous = current;
        current = size_;
      }
      at = stop + (stop < end ? 1 : 0);
    }
  };
  if (!cut_) {
    read(masked.begin(), masked.end(), ~std::uint32_t{0});
  } else {
    const Item* cut =
        std::find_if(masked.begin(), masked.end(), [](const Item& item) { return item.kind == ItemKind::cut; });
    read(masked.begin(), cut, kCutSkeletonWords);
    put(kCutSymbol);
    ++gaps;
    // From the end backwards to the same number of structure words.
    const Item* from = masked.end();
    for (std::uint32_t kept = 0; from > cut + 1 && kept < kCutSkeletonWords;) {
      --from;
      kept += (from->lexicon & kStructureWord) != 0 || from->line_first ? 1 : 0;
    }
    read(from, masked.end(), ~std::uint32_t{0});
  }
  return survivors < kSkeletonWordsMin || gaps == 0 ? 0 : token(keyed_hash);
}

std::optional<TemplateMaker::Label> TemplateMaker::label_of(const MaskedText& masked, const Item* first,
                                                            const Item* stop) {
  if (first == stop) return std::nullopt;
  const char opening = first->kind == ItemKind::mark ? masked.bytes(*first).front() : ' ';
  const bool heading = opening == '#', tag = opening == '[' || opening == '<';
  while (first < stop && first->kind == ItemKind::mark) ++first;
  // It ends at a colon, at the closing sign of a tag, or with a heading's line.
  Label label{first, first, 0};
  std::uint32_t length = 0, real = 0;
  bool closed = false;
  for (; label.end < stop && !closed; ++label.end) {
    const Item& item = *label.end;
    if (item.kind == ItemKind::mark) {
      const char c = masked.bytes(item).front();
      closed = c == ':' || (tag && (c == ']' || c == '>'));
      continue;
    }
    length += half_words(item.kind);
    if (length > 2 * kLabelWordsMax) return std::nullopt;
    if (!is_masked(item.kind)) real += half_words(item.kind);
    label.name = base::mix64(label.name * 3 + item.hash);
  }
  if (real == 0 || !(closed || heading)) return std::nullopt;
  return label;
}

base::Token TemplateMaker::labels(const crypto::KeyedHash& keyed_hash, const MaskedText& masked) {
  begin(TemplateKind::labels);
  labels_count_ = 0;
  std::array<std::uint64_t, kLabelsKept> known;
  const Item *const front = masked.begin(), *stop = masked.end();
  while (labels_count_ < kLabelsKept) {
    const Item* first = stop;
    while (first > front && !ends_line(first[-1])) --first;
    // The line after a cut starts in its middle.
    const bool whole = first == front || first[-1].kind != ItemKind::cut;
    const auto label = whole ? label_of(masked, first, stop) : std::nullopt;
    if (label &&
        std::find(known.begin(), known.begin() + labels_count_, label->name) == known.begin() + labels_count_) {
      for (const Item* item = label->begin; item < label->end; ++item) {
        if (is_wordlike(item->kind)) put(masked, *item);
      }
      put(kBreak);
      known[labels_count_++] = label->name;
    }
    if (first == front) break;
    stop = first - 1;
  }
  return labels_count_ < 2 ? 0 : token(keyed_hash);
}

}  // namespace stillwatch::text
