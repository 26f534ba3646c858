// The closed-class words of many languages, which carry a prompt's structure, and a few cue words of the
// weak scores. The same list for everyone; it knows no data set and no product.
//
// Invariant: words are folded as unicode.h folds and at most 16 bytes; a word's entry does not depend on
// the language around it. Threads: built once, then const. Cost: ~2 ns a look-up, usually one cache line.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace stillwatch::text {

// Fingerprints are the same on every machine that the product runs on.
static_assert(std::endian::native == std::endian::little);

/// The first 16 bytes of a word, zero filled: what look-up and word hash work on.
struct WordKey {
  std::uint64_t low = 0, high = 0;
  bool operator==(const WordKey&) const = default;
};

/// `bytes` must have 16 readable bytes after its begin, whatever its length.
inline WordKey word_key(const char* bytes, std::size_t length) {
  WordKey key;
  std::memcpy(&key.low, bytes, 8);
  std::memcpy(&key.high, bytes + 8, 8);
  if (length < 8) {
    key.low &= (std::uint64_t{1} << (8 * length)) - 1;
    key.high = 0;
  } else if (length < 16) {
    key.high &= (std::uint64_t{1} << (8 * (length - 8))) - 1;
  }
  return key;
}

/// Bits of an entry: structure word, or a cue of one of the scores of scores.h (bit 1 + Score).
inline constexpr std::uint8_t kStructureWord = 1;

class Lexicon {
 public:
  static const Lexicon& instance();

  /// Half of the words of a text are in here and half are not, so the answer is computed without a branch on it.
  std::uint8_t look_up(const WordKey& key) const {
    const std::size_t slot = slot_of(key);
    const Entry& entry = entries_[slots_[slot]];  // entry 0 says nothing
    const unsigned is_it =
        static_cast<unsigned>(entry.key.low == key.low) & static_cast<unsigned>(entry.key.high == key.high);
    if ((is_it | static_cast<unsigned>(!entry.is_passed)) != 0)
      return static_cast<std::uint8_t>(entry.bits & (0U - is_it));
    return look_up_beyond(key, slot);
  }

 private:
  Lexicon();
  void add(std::string_view words, std::uint8_t bits);
  std::uint8_t look_up_beyond(WordKey key, std::size_t slot) const;
  static std::size_t slot_of(const WordKey& key) {
    return (key.low * 0x9E3779B97F4A7C15ULL ^ key.high * 0xC2B2AE3D27D4EB4FULL) >> 52;
  }

  struct Entry {
    WordKey key;
    std::uint8_t bits = 0;
    bool is_passed = false;  // another word, whose slot this is, had to go further
  };
  static constexpr std::size_t kSlots = 4096;  // at most a third full: most look-ups of other words end at once
  std::array<std::uint16_t, kSlots> slots_{};
  std::vector<Entry> entries_;
};

}  // namespace stillwatch::text
