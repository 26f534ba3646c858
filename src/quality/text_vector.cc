#include "quality/text_vector.h"

namespace stillwatch::quality {
namespace {

// A word tells more than a run of three bytes.
constexpr int kWordWeight = 3;

class Counts {
 public:
  void add(std::string_view text) {
    std::uint32_t run = 0, seen = 0;
    std::uint64_t word = 0;
    for (const char c : text) {
      auto byte = static_cast<unsigned char>(c);
      if (byte >= 'A' && byte <= 'Z') byte = static_cast<unsigned char>(byte + ('a' - 'A'));
      const bool letter = (byte >= 'a' && byte <= 'z') || byte >= 0x80;
      if (letter) {
        word = (word + byte) * 0x9E3779B97F4A7C15ULL;
      } else {
        if (word != 0) count(word, kWordWeight);
        word = 0;
        byte = byte >= '0' && byte <= '9' ? '0' : ' ';  // numbers are slots; other bytes only separate
      }
      run = (run << 8 | byte) & 0xFFFFFFU;
      if (++seen >= 3) count(run * 0xD1342543DE82EF95ULL, 1);
    }
    if (word != 0) count(word, kWordWeight);
  }
  std::array<float, kVectorSize> normalised() const {
    std::array<float, kVectorSize> out{};
    float squares = 0;
    for (std::size_t i = 0; i < kVectorSize; ++i) {
      const auto size = static_cast<float>(std::abs(counts_[i]));
      out[i] = counts_[i] < 0 ? -std::sqrt(size) : std::sqrt(size);
      squares += size;
    }
    if (squares > 0) {
      for (float& value : out) value /= std::sqrt(squares);
    }
    return out;
  }

 private:
  void count(std::uint64_t hash, int weight) {
    hash ^= hash >> 29;
    counts_[hash >> 40 & (kVectorSize - 1)] += (hash >> 50 & 1U) != 0 ? weight : -weight;
  }
  std::array<std::int32_t, kVectorSize> counts_{};
};

[[gnu::always_inline]] inline void dots_of(std::span<const TextVector> many, const TextVector& one, std::int32_t* out) {
  for (const TextVector& each : many) *out++ = TextVector::dot(each, one);
}

#if defined(__x86_64__)
// Whole numbers: the same sums in whatever order.
[[gnu::target("avx2")]] void dots_avx2(std::span<const TextVector> many, const TextVector& one, std::int32_t* out) {
  dots_of(many, one, out);
}
#endif

}  // namespace

void dots(std::span<const TextVector> many, const TextVector& one, std::int32_t* out) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return dots_avx2(many, one, out);
#endif
  dots_of(many, one, out);
}

std::array<float, kVectorSize> hashed_counts(std::string_view text) {
  Counts counts;
  if (text.size() <= 2 * TextVectors::kHalfBytes) {
    counts.add(text);
  } else {
    counts.add(text.substr(0, TextVectors::kHalfBytes));
    counts.add(text.substr(text.size() - TextVectors::kHalfBytes));
  }
  return counts.normalised();
}

std::optional<TextVector> TextVector::unit(const std::array<float, kVectorSize>& raw) {
  double squares = 0;
  for (const float value : raw) squares += static_cast<double>(value) * value;
  if (squares < 1e-8) return std::nullopt;
  TextVector out;
  for (std::size_t i = 0; i < kVectorSize; ++i)
    out.at[i] = static_cast<std::int16_t>(std::lround(raw[i] / std::sqrt(squares) * kOne));
  return out;
}

TextVector TextVector::random(base::Random& random) {
  std::array<float, kVectorSize> raw{};
  for (float& value : raw) value = static_cast<float>(random.normal());
  return unit(raw).value_or(TextVector{});
}

std::optional<TextVector> TextVectors::of(std::string_view text) {
  if (text.empty()) return std::nullopt;
  auto raw = hashed_counts(text);
  if (texts_ < kMeanOf) {
    for (std::size_t i = 0; i < kVectorSize; ++i) sum_[i] += raw[i];
    ++texts_;
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kVectorSize; ++i) raw[i] -= sum_[i] / static_cast<float>(kMeanOf);
  return TextVector::unit(raw);
}

}  // namespace stillwatch::quality
