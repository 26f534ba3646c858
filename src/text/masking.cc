#include "text/masking.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "base/random.h"
#include "text/masking_scan.h"

namespace stillwatch::text {
namespace {

constexpr std::size_t kOpaqueBytesMin = 24;  // with digits: keys, hashes, encoded bytes
constexpr std::size_t kWordBytesMax = 40;    // longer runs of ASCII letters are no words

__extension__ using Wide = unsigned __int128;

std::uint64_t fold_product(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_of_short(const WordKey& key, std::size_t length, const WordHashKey& secret) {
  return base::mix64(fold_product(key.low ^ secret.low ^ length, key.high ^ secret.high) ^ secret.last);
}

}  // namespace

inline std::uint64_t MaskedText::short_hash(const WordKey& key, std::size_t length) const {
  return hash_of_short(key, length, key_);
}

std::uint64_t MaskedText::hash_of(std::size_t begin, std::size_t length) const {
  std::uint64_t hash = length;
  const char* at = bytes_.data() + begin;
  for (std::size_t done = 0; done < length; done += 16) {
    const WordKey key = word_key(at + done, length - done);
    hash = fold_product(key.low ^ key_.low ^ hash, key.high ^ key_.high);
  }
  return base::mix64(hash ^ key_.last);
}

void MaskedText::clear() {
  size_ = count_ = words_ = words_before_cut_ = 0;
  line_open_ = has_cut_ = false;
  counts_ = {};
  half_words_ = lines_ = 0;
  order_least_ = kNoContent;
}

void MaskedText::push(ItemKind kind, std::size_t begin, std::size_t length) {
  STILLWATCH_ASSERT(count_ < items_.size());
  items_[count_++] = {0, static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(length), kind, 0, false};
}

void MaskedText::end_line(ItemKind kind) {
  push(kind, size_, 0);
  line_open_ = false;
}

void MaskedText::add_cut() {
  end_line(ItemKind::cut);
  has_cut_ = true;
  words_before_cut_ = words_;
}

// What every word-like item does beside its own bytes.
inline void MaskedText::push_word_like(ItemKind kind, std::size_t begin, std::size_t length, std::uint64_t hash,
                                       std::uint8_t lexicon) {
  STILLWATCH_ASSERT(count_ < items_.size());
  items_[count_++] = {hash,       static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(length), kind, lexicon,
                      !line_open_};
  hashes_[words_++] = hash;
  half_words_ += half_words(kind);
  lines_ += line_open_ ? 0 : 1;
  line_open_ = true;
  const std::uint64_t order = order_of(items_[count_ - 1]);
  order_least_ = order < order_least_ ? order : order_least_;
}

void MaskedText::add_cues(std::uint8_t lexicon) {
  for (std::size_t score = 0; score < kScores; ++score) counts_.cues[score] += lexicon >> (1 + score) & 1U;
}

void MaskedText::push_word(std::size_t begin) {
  const std::size_t length = size_ - begin;
  if (length == 0) return;
  if (length <= 16) return push_short_word(begin, length, word_key(bytes_.data() + begin, length));
  const std::uint64_t hash = hash_of(begin, length);
  push_word_like(ItemKind::word, begin, length, hash, 0);
}

inline void MaskedText::push_short_word(std::size_t begin, std::size_t length, const WordKey& key) {
  const std::uint64_t hash = short_hash(key, length);
  const std::uint8_t lexicon = lexicon_.look_up(key);
  push_word_like(ItemKind::word, begin, length, hash, lexicon);
  if (lexicon > kStructureWord) add_cues(lexicon);
}

void MaskedText::push_sign(std::size_t begin) {
  const std::size_t length = size_ - begin;
  const WordKey key = word_key(bytes_.data() + begin, length);
  const std::uint64_t hash = short_hash(key, length);
  const std::uint8_t lexicon = lexicon_.look_up(key);
  // Cues of scripts without spaces are pairs of characters.
  const Item* before = count_ > 0 ? &items_[count_ - 1] : nullptr;
  const bool pair = before != nullptr && before->kind == ItemKind::sign && before->length == 3;
  add_cues(pair ? lexicon_.look_up(word_key(bytes_.data() + begin - 3, 6)) : lexicon);
  push_word_like(ItemKind::sign, begin, length, hash, lexicon);
}

void MaskedText::push_mask(ItemKind kind) {
  if (count_ > 0 && items_[count_ - 1].kind == kind) return;  // a run of one kind is one slot
  const bool first = !line_open_;
  push_word_like(kind, size_, 0, base::mix64(key_.last + static_cast<std::uint64_t>(kind) + 1), 0);
  counts_.numbers += kind == ItemKind::number ? 1 : 0;
  counts_.list_lines += kind == ItemKind::number && first ? 1 : 0;
  counts_.code_spans += kind == ItemKind::code ? 1 : 0;
}

void MaskedText::push_mark(char c) {
  const bool opens_line = count_ == 0 || items_[count_ - 1].kind == ItemKind::newline;
  counts_.questions += c == '?' ? 1 : 0;
  counts_.brackets += c == '{' || c == '[' || c == '=' || c == '<' ? 1 : 0;
  counts_.list_lines += c == '-' && opens_line ? 1 : 0;
  bytes_[size_] = c;
  push(ItemKind::mark, size_++, 1);
}

void MaskedText::Scan::newline() {
  while (at < end && (ascii_class(*at) == kNewline || ascii_class(*at) == kSpace)) ++at;
  if (out.count_ > 0 && out.items_[out.count_ - 1].kind == ItemKind::newline) return;
  out.end_line(ItemKind::newline);
}

void MaskedText::Scan::mark(char c) {
  if (out.count_ > 0) {
    const Item& before = out.items_[out.count_ - 1];
    if (before.kind == ItemKind::mark && out.bytes_[before.begin] == c) return;
  }
  out.push_mark(c);
}

void MaskedText::Scan::to_blank() {
  while (at < end && ascii_class(*at) != kSpace && ascii_class(*at) != kNewline) ++at;
}

void MaskedText::Scan::number() {
  const char* start = at;
  bool letters = false;
  while (at < end) {
    const auto cls = ascii_class(*at);
    if (cls == kDigit || cls == kLetter) {
      letters |= cls == kLetter;
      ++at;
    } else if (end - at >= 2 && ascii_class(at[1]) == kDigit && std::memchr(".,:/-%'^", *at, 8) != nullptr) {
      ++at;
    } else {
      break;
    }
  }
  const bool blob = letters && static_cast<std::size_t>(at - start) >= kOpaqueBytesMin;
  if (blob) to_blank();
  out.push_mask(blob ? ItemKind::opaque : ItemKind::number);
}

// A word of up to 16 ASCII letters before a blank or plain punctuation, most words of many languages: folded,
// stored and hashed from registers. False when word() must look closer.
bool MaskedText::Scan::plain_word() {
  if (end - at < 19) return false;  // 16 letters, two signs, and a byte that is left
  const LetterRun run = letter_run(at);
  const std::size_t length = run.length;
  const char next = at[length];
  // "www." and "x://" open addresses. Computed without branches: what follows a word is hard to predict.
  const bool address = ((next == '.') & (length == 3)) | ((next == ':') & (at[length + 1] == '/'));
  if (!(ends_word(next) & !address & (length != 0))) return false;
  std::memcpy(out.bytes_.data() + out.size_, &run.key.low, 8);  // two stores: one of 16 would wait for both halves
  std::memcpy(out.bytes_.data() + out.size_ + 8, &run.key.high, 8);
  const std::size_t begin = out.size_;
  out.size_ += length;
  const std::size_t skipped = is_skipped(next) ? 1 : 0;
  at += length + skipped + (skipped & static_cast<std::size_t>(is_skipped(at[length + 1])));
  out.push_short_word(begin, length, run.key);
  return true;
}

// Plain words of prose, each before another one: what plain_word() makes of them, but where the next one begins is
// found in a mask of 64 bytes, not by way of the one before, and what grows with each word stays in registers. False
// when there were none.
bool MaskedText::Scan::plain_words() {
  constexpr std::ptrdiff_t kBytesRead = kProseBytes + 16;
  const char* const began = at;
  const WordHashKey key_of_hash = out.key_;
  const Lexicon& lexicon = out.lexicon_;
  std::size_t size = out.size_;
  const std::size_t words_before = out.words_;
  Item* item = out.items_.data() + out.count_;
  std::uint64_t* hash_to = out.hashes_.data() + out.words_;
  std::uint64_t order_least = out.order_least_;
  bool line_open = out.line_open_;
  while (end - at >= kBytesRead) {
    const ProseMask mask = prose_mask(at);
    unsigned begin = 0;
    for (;;) {
      const auto length = static_cast<unsigned>(std::countr_one(mask.letters >> begin));
      const unsigned stop = begin + length;
      if (length > 16 || stop + 2 >= kProseBytes) break;
      const unsigned next = stop + 1 + static_cast<unsigned>(mask.gaps >> (stop + 1) & 1U);
      const std::uint64_t is_www = mask.stops >> stop & static_cast<std::uint64_t>(length == 3);
      if ((mask.gaps >> stop & mask.letters >> next & ~is_www & 1U) == 0) break;
      const WordKey key = folded_letters(at + begin, length);
      std::memcpy(out.bytes_.data() + size, &key.low, 8);
      std::memcpy(out.bytes_.data() + size + 8, &key.high, 8);
      const std::uint64_t hash = hash_of_short(key, length, key_of_hash);
      const std::uint8_t meaning = lexicon.look_up(key);
      if (meaning > kStructureWord) out.add_cues(meaning);
      *item++ = {
          hash,      static_cast<std::uint16_t>(size), static_cast<std::uint16_t>(length), ItemKind::word, meaning,
          !line_open};
      *hash_to++ = hash;
      line_open = true;
      const bool content = (length >= kContentBytesMin) & ((meaning & kStructureWord) == 0);
      const std::uint64_t order = content ? hash ^ key_of_hash.low : kNoContent;
      order_least = order < order_least ? order : order_least;
      size += length;
      begin = next;
    }
    if (begin == 0) break;
    at += begin;
  }
  if (at == began) return false;
  const auto words = static_cast<std::size_t>(hash_to - out.hashes_.data()) - words_before;
  out.size_ = size;
  out.count_ += words;
  out.words_ += words;
  out.half_words_ += static_cast<std::uint32_t>(words * half_words(ItemKind::word));
  out.lines_ += out.line_open_ ? 0 : 1;
  out.line_open_ = true;
  out.order_least_ = order_least;
  STILLWATCH_ASSERT(out.count_ <= out.items_.size());
  return true;
}

// Letters of any script, digits inside a word as one '#', apostrophes dropped or (after one or two letters) ending
// it.
void MaskedText::Scan::word() {
  const char* start = at;
  const std::size_t begin = out.size_;
  std::size_t digits = 0, letters = 0;
  bool high = false;
  char* const bytes = out.bytes_.data();
  while (at < end) {
    const char c = *at;
    const auto cls = ascii_class(c);
    if (cls == kLetter) {
      bytes[out.size_++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      ++letters;
      ++at;
    } else if (cls == kDigit) {
      if (at == start || ascii_class(at[-1]) != kDigit) bytes[out.size_++] = '#';
      ++digits;
      ++at;
    } else if (cls == kApostrophe && end - at >= 2 && (ascii_class(at[1]) == kLetter || ascii_class(at[1]) == kHigh)) {
      ++at;
      if (letters <= 2) break;
    } else if (cls == kHigh) {
      const Decoded decoded = decode(at, end);
      if (decoded.code == kInvalid) {
        bytes[out.size_++] = c;
      } else {
        const CodeClass code_class = class_of(decoded.code);
        if (code_class == CodeClass::letter) {
          out.size_ += encode_utf8(fold(decoded.code), bytes + out.size_);
        } else if (decoded.code == 0x2019 && end - at >= 4 &&
                   (ascii_class(at[3]) == kLetter || ascii_class(at[3]) == kHigh)) {
          at += 3;
          if (letters <= 2) break;
          continue;
        } else if (code_class != CodeClass::ignorable) {
          break;
        }
      }
      high = true;
      ++letters;
      at += decoded.length;
    } else {
      break;
    }
  }
  const auto length = static_cast<std::size_t>(at - start);
  const bool address = (peek(0) == '@' && is_alnum(peek(1))) || (peek(0) == ':' && peek(1) == '/' && peek(2) == '/') ||
                       (peek(0) == '.' && out.size_ - begin == 3 && std::memcmp(bytes + begin, "www", 3) == 0);
  if (address || (length >= kOpaqueBytesMin && digits >= 2) || (length > kWordBytesMax && !high)) {
    out.size_ = begin;
    to_blank();
    out.push_mask(ItemKind::opaque);
    return;
  }
  out.push_word(begin);
}

void MaskedText::Scan::high() {
  const Decoded decoded = decode(at, end);
  if (decoded.code == kInvalid) return word();
  switch (class_of(decoded.code)) {
    case CodeClass::letter: return word();
    case CodeClass::sign: {
      const std::size_t begin = out.size_;
      std::memcpy(out.bytes_.data() + begin, at, decoded.length);
      out.size_ += decoded.length;
      at += decoded.length;
      return out.push_sign(begin);
    }
    case CodeClass::digit: at += decoded.length; return out.push_mask(ItemKind::number);
    case CodeClass::newline: at += decoded.length; return newline();
    case CodeClass::space:
    case CodeClass::ignorable: at += decoded.length; return;
    case CodeClass::punctuation: return punctuation(decoded);
  }
}

void MaskedText::Scan::run() {
  // Text that is no prose, such as code, is not asked at every word whether it is.
  constexpr int kWordsBetween = 8;
  int words_to_wait = 0;
  while (at < end) {
    switch (ascii_class(*at)) {
      case kSpace: ++at; break;
      case kNewline: newline(); break;
      case kLetter:
        do {
          if (--words_to_wait < 0 && !plain_words()) words_to_wait = kWordsBetween;
          // There is text left: plain_word() stops before the last bytes.
        } while (plain_word() && ascii_class(*at) == kLetter);
        if (at < end && ascii_class(*at) == kLetter) word();
        break;
      case kDigit: number(); break;
      case kDoubleQuote: double_quote(); break;
      case kApostrophe: apostrophe(); break;
      case kBacktick: backtick(); break;
      case kMark: mark(*at++); break;
      case kListMark:
        if (!line_open()) mark(*at == '#' ? '#' : '-');
        ++at;
        break;
      case kHigh: high(); break;
      default: ++at; break;
    }
  }
}

void MaskedText::add(std::string_view region, bool cut_before, bool cut_after) {
  STILLWATCH_ASSERT(size_ + region.size() <= kBytesMax);
  const char* first = region.data();
  const char* end = first + region.size();
  if (cut_before) {
    // An odd number of fences means that the region starts inside code.
    std::size_t fences = 0, first_fence = 0;
    for (std::size_t p = region.find("```"); p != std::string_view::npos; p = region.find("```", p + 3)) {
      if (fences++ == 0) first_fence = p;
    }
    if (fences % 2 == 1) {
      push_mask(ItemKind::code);
      first += first_fence + 3;
    }
  }
  Scan{*this, first, first, end, cut_after}.run();
}

}  // namespace stillwatch::text
