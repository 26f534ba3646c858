#include "detect/rhythm_census.h"

#include <cmath>

#include "base/random.h"

namespace stillwatch::detect {
namespace {

constexpr float kBoxesAnOctave = 2;

}  // namespace

std::array<Token, kRhythmGrids> rhythm_boxes(const Rhythm& rhythm) {
  std::array<Token, kRhythmGrids> boxes{};
  if (!rhythm.known()) return boxes;
  for (std::size_t grid = 0; grid < kRhythmGrids; ++grid) {
    const float shift = grid == 0 ? 0.0F : 0.5F;
    const auto mean = static_cast<std::uint64_t>(rhythm.mean() * kBoxesAnOctave + shift);
    const auto deviation = static_cast<std::uint64_t>(rhythm.deviation() * kBoxesAnOctave + shift);
    boxes[grid] = base::mix64(mean << 32 | deviation << 8 | (grid + 1));
  }
  return boxes;
}

void RhythmCensus::take(AccountTable& accounts, std::int64_t log_start_us) {
  counts_.clear();
  total_ = 0;
  accounts.for_each([&](Handle, const AccountState& account) {
    if (!account.rhythm.known() || !accounts.trusted(account, log_start_us)) return;
    ++total_;
    for (const Token box : rhythm_boxes(account.rhythm)) ++counts_[box];
  });
}

std::uint32_t RhythmCensus::count(Token box) const {
  const auto at = counts_.find(box);
  return at == counts_.end() ? 0 : at->second;
}

bool RhythmCensus::is_rare(Token box) const { return box != 0 && (count(box) + 1.0) / (total_ + 1.0) <= kRareShareMax; }

void RhythmCensus::save(base::ByteWriter& out) const {
  out.put<std::uint64_t>(counts_.size());
  for (const auto& [box, accounts] : counts_) {
    out.put(box);
    out.put(accounts);
  }
  out.put(total_);
}

void RhythmCensus::load(base::ByteReader& in) {
  counts_.clear();
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto box = in.get<Token>();
    counts_[box] = in.get<std::uint32_t>();
  }
  total_ = in.get<std::uint32_t>();
}

}  // namespace stillwatch::detect
