#include "text/passages.h"

#include <algorithm>

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

// The sum forgets a byte when it has been moved out of the 48 bits that count.
template <class Visit>
std::uint32_t Passages::scan_region(std::string_view text, char* bytes, std::uint32_t at, Visit visit) const {
  constexpr unsigned kForgotten = 64 - kWindowBytes;
  const std::uint32_t first = at + kWindowBytes;
  std::uint64_t rolling = 0;
  bool in_word = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const unsigned char folded = kFolded[byte];
    const bool ends = in_word && (folded == 0 || byte >= kWideLead);
    if (ends && at >= first) visit(base::mix64(rolling << kForgotten), at);
    in_word = folded != 0;
    if (!in_word) continue;
    rolling = (rolling << 1) + gear_[folded];
    bytes[at++] = static_cast<char>(folded);
  }
  if (in_word && at >= first) visit(base::mix64(rolling << kForgotten), at);
  return at;
}

template <class Visit>
void Passages::scan(std::string_view text, char* bytes, Visit visit) const {
  if (text.size() <= kBytesMax) {
    scan_region(text, bytes, 0, visit);
    return;
  }
  const std::uint32_t at = scan_region(text.substr(0, kRegionBytes), bytes, 0, visit);
  scan_region(text.substr(text.size() - kRegionBytes), bytes, at, visit);
}

void Passages::read(std::string_view text) {
  count_ = 0;
  scan(text, bytes_.data(), [&](std::uint64_t order, std::uint32_t end) {
    if (count_ == kKeptMax && order >= kept_[count_ - 1].order) return;
    std::size_t place = count_;
    while (place > 0 && kept_[place - 1].order > order) --place;
    if (place > 0 && kept_[place - 1].order == order) return;  // said twice
    count_ = std::min(count_ + 1, kKeptMax);
    for (std::size_t i = count_ - 1; i > place; --i) kept_[i] = kept_[i - 1];
    kept_[place] = {order, end};
  });
}

void Passages::drop_shared(std::string_view text) {
  if (count_ == 0) return;
  std::array<bool, kKeptMax> shared{};
  scan(text, ignored_.data(), [&](std::uint64_t order, std::uint32_t) {
    if (order > kept_[count_ - 1].order) return;
    for (std::size_t i = 0; i < count_; ++i) shared[i] = shared[i] || kept_[i].order == order;
  });
  std::size_t left = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (!shared[i]) kept_[left++] = kept_[i];
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
    if (!overlaps) kept_[left++] = kept_[i];
  }
  count_ = left;
}

base::Token Passages::token(std::size_t i) const {
  STILLWATCH_ASSERT(i < count_);
  return keyed_hash_(crypto::Domain::passage,
                     std::string_view(bytes_.data() + kept_[i].end - kWindowBytes, kWindowBytes));
}

}  // namespace stillwatch::text
