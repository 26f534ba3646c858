// Passages: a few windows of a text, chosen by their content, that another text which quotes it has as well, wherever
// the quotation stands.
//
// The window is 48 letters and digits long, as they follow each other: case, blanks and ASCII punctuation are left out,
// so quoting marks, line breaks and lists change nothing. Of all windows that end with a word those with the least
// keyed hash are kept (bottom-k sampling), and of these such that do not overlap. So a text that makes up the share f
// of a long other one has at least two of its least windows among the other's six least with a chance of
// 1 - (1 - f)^6 - 6 f (1 - f)^5, whatever stands around it: 0.89 for a half.
// Invariants: a text without 48 letters or digits has none, for it can be guessed; of a text longer than kBytesMax the
// head and the tail are read. Which windows are kept rests on a keyed hash that is fast; tokens are SipHash over bytes.
// Threads: one user each. Cost: ~2 ns a byte read. Method: Broder, "On the resemblance and containment of documents"
// (1997).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "crypto/keyed_hash.h"

namespace stillwatch::text {

class Passages {
 public:
  static constexpr std::size_t kWindowBytes = 48;     // Settings::handoff_bytes_min: shorter text two people could type
  static constexpr std::size_t kRegionBytes = 4'096;  // of the head, and of the tail
  static constexpr std::size_t kBytesMax = 2 * kRegionBytes;
  static constexpr std::size_t kKeptMax = 16;

  explicit Passages(const crypto::KeyedHash& keyed_hash);

  /// Reads a text and keeps its least windows, up to kKeptMax; what was kept before is dropped.
  void read(std::string_view text);
  void clear() { count_ = 0; }
  /// Drops the windows that this text has as well.
  void drop_shared(std::string_view text);
  /// The same of the text that `other` has read last.
  void drop_shared(const Passages& other);
  /// Drops all but the least that do not overlap, up to `count_max`.
  void spread(std::size_t count_max);
  /// Windows that are kept, least first.
  std::size_t count() const { return count_; }
  base::Token token(std::size_t i) const;

 private:
  struct Window {
    std::uint64_t order;
    std::uint32_t end;  // in bytes_
  };
  /// Fills windows_ and bytes_ with those of the text.
  void scan(std::string_view text);
  void scan_region(std::string_view text);
  void keep(std::size_t to, std::size_t from);

  const crypto::KeyedHash keyed_hash_;
  std::array<std::uint64_t, 256> gear_;
  std::array<Window, kKeptMax> kept_;
  std::size_t count_ = 0;
  std::array<std::array<char, kWindowBytes>, kKeptMax> texts_;  // of those kept
  // Of the text that is read: its letters and digits, and its windows; one more of each is written than counts.
  std::array<char, kBytesMax + 1> bytes_;
  std::array<Window, kBytesMax + 2> windows_;
  std::uint32_t size_ = 0, windows_count_ = 0;
};

}  // namespace stillwatch::text
