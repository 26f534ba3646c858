// How common a rhythm is among trusted accounts: what makes one evidence.
//
// A rhythm falls into boxes of half a power of two in mean gap and in spread, in two grids shifted by half a box, so
// that neighbours are not told apart by a border. The census counts trusted accounts by box when a phase of calibration
// ends. Invariant: nothing seen after calibration changes it; before the first census no rhythm is rare.
// Threads: between epochs, single-threaded; const use from any number. Cost: one pass over the accounts a phase.
#pragma once

#include <array>
#include <map>

#include "detect/account_table.h"

namespace stillwatch::detect {

inline constexpr std::size_t kRhythmGrids = 2;

/// The boxes of a rhythm as tokens; 0 while it is not known. Not keyed: nobody's text is in them.
std::array<Token, kRhythmGrids> rhythm_boxes(const Rhythm& rhythm);

class RhythmCensus {
 public:
  // A rhythm that more than one trusted account in a hundred has is a habit of people, not a scheduler's mark.
  static constexpr double kRareShareMax = 0.01;

  void take(AccountTable& accounts, std::int64_t log_start_us);
  bool is_rare(Token box) const;
  std::uint32_t count(Token box) const;
  std::uint32_t total() const { return total_; }

  void save(base::ByteWriter& out) const;
  void load(base::ByteReader& in);

 private:
  std::map<Token, std::uint32_t> counts_;
  std::uint32_t total_ = 0;
};

}  // namespace stillwatch::detect
