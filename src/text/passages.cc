#include "text/passages.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/random.h"

namespace stillwatch::text {
namespace {

// Letters and digits in lower case, bytes of other scripts as they are; 0 for what is left out.
constexpr std::array<unsigned char, 256> make_folded() {
  std::array<unsigned char, 256> folded{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
    folded[c] = upper                         ? static_cast<unsigned char>(c + 32)
                : lower || digit || c >= 0x80 ? static_cast<unsigned char>(c)
                                              : static_cast<unsigned char>(0);
  }
  return folded;
}
constexpr auto kFolded = make_folded();

// Scripts without blanks between words: each of their characters ends a window as a word does.
constexpr unsigned char kWideLead = 0xE0;

}  // namespace

Passages::Passages(const crypto::KeyedHash& keyed_hash) : keyed_hash_(keyed_hash) {
  const std::uint64_t key = keyed_hash(crypto::Domain::passage, "window");
  for (std::size_t i = 0; i < gear_.size(); ++i) gear_[i] = base::mix64(key + i);
}

// Whether a byte belongs to a word is as good as random, so there is one way for both: every byte and window is
// written, and the ends advance past those that stay. The sum forgets a byte when it has been moved out of the 48 bits
// that count.
void Passages::scan_region(std::string_view text) {
  constexpr unsigned kForgotten = 64 - kWindowBytes;
  const std::uint32_t first = size_ + kWindowBytes;
  std::uint64_t rolling = 0;
  std::uint32_t at = size_, count = windows_count_;
  unsigned before = 0;  // whether a word is open
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const unsigned char folded = kFolded[byte];
    const unsigned inside = folded != 0 ? 1U : 0U;
    windows_[count] = {rolling << kForgotten, at};
    count += before & ((inside ^ 1U) | (byte >= kWideLead ? 1U : 0U)) & (at >= first ? 1U : 0U);
    const std::uint64_t next = (rolling << 1) + gear_[folded];
    rolling = inside != 0 ? next : rolling;
    bytes_[at] = static_cast<char>(folded);
    at += inside;
    before = inside;
  }
  windows_[count] = {rolling << kForgotten, at};
  count += before & (at >= first ? 1U : 0U);
  size_ = at;
  windows_count_ = count;
}

void Passages::scan(std::string_view text) {
  size_ = windows_count_ = 0;
  if (text.size() <= kBytesMax) {
    scan_region(text);
  } else {
    scan_region(text.substr(0, kRegionBytes));
    scan_region(text.substr(text.size() - kRegionBytes));
  }
  for (std::uint32_t i = 0; i < windows_count_; ++i) windows_[i].order = base::mix64(windows_[i].order);
}

void Passages::read(std::string_view text) {
  scan(text);
  count_ = 0;
  for (std::uint32_t i = 0; i < windows_count_; ++i) {
    const Window window = windows_[i];
    if (count_ == kKeptMax && window.order >= kept_[count_ - 1].order) continue;
    std::size_t place = count_;
    while (place > 0 && kept_[place - 1].order > window.order) --place;
    if (place > 0 && kept_[place - 1].order == window.order) continue;  // said twice
    count_ = std::min(count_ + 1, kKeptMax);
    for (std::size_t k = count_ - 1; k > place; --k) kept_[k] = kept_[k - 1];
    kept_[place] = window;
  }
  for (std::size_t i = 0; i < count_; ++i)
    std::memcpy(texts_[i].data(), bytes_.data() + kept_[i].end - kWindowBytes, kWindowBytes);
}

void Passages::drop_shared(std::string_view text) {
  if (count_ == 0) return;
  scan(text);
  drop_shared(*this);
}

void Passages::drop_shared(const Passages& other) {
  if (count_ == 0) return;
  std::array<bool, kKeptMax> shared{};
  for (std::uint32_t w = 0; w < other.windows_count_; ++w) {
    const std::uint64_t order = other.windows_[w].order;
    if (order > kept_[count_ - 1].order) continue;
    for (std::size_t i = 0; i < count_; ++i) shared[i] = shared[i] || kept_[i].order == order;
  }
  std::size_t left = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (!shared[i]) keep(left++, i);
  }
  count_ = left;
}

void Passages::spread(std::size_t count_max) {
  std::size_t left = 0;
  for (std::size_t i = 0; i < count_ && left < count_max; ++i) {
    const std::uint32_t end = kept_[i].end;
    const bool overlaps = std::any_of(
        kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(left),
        [&](const Window& other) { return std::max(end, other.end) - std::min(end, other.end) < kWindowBytes; });
    if (!overlaps) keep(left++, i);
  }
  count_ = left;
}

void Passages::keep(std::size_t to, std::size_t from) {
  kept_[to] = kept_[from];
  texts_[to] = texts_[from];
}

base::Token Passages::token(std::size_t i) const {
  STILLWATCH_ASSERT(i < count_);
  return keyed_hash_(crypto::Domain::passage, std::string_view(texts_[i].data(), kWindowBytes));
}

}  // namespace stillwatch::text
