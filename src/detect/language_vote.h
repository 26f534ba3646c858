// The language class that most of an account's prompts have, in two bytes.
//
// The majority vote of R. Boyer and J Moore ("MJRTY - a fast majority vote algorithm", 1981/1991): when one class has
// more than half of the prompts, it is the answer; otherwise any of the frequent ones may be. The lead is capped, so an
// account that changes its language is followed after at most kLeadMax prompts.
// Invariant: NEVER a score, see event/language.h; unknown prompts do not vote. Threads: plain value. Cost: 1 ns.
#pragma once

#include <cstdint>

#include "event/language.h"

namespace stillwatch::detect {

class LanguageVote {
 public:
  static constexpr std::uint8_t kLeadMax = 200;

  void add(event::Language language) {
    if (language == event::Language::unknown) return;
    if (lead_ == 0) {
      leader_ = language;
      lead_ = 1;
    } else if (leader_ == language) {
      lead_ = static_cast<std::uint8_t>(lead_ < kLeadMax ? lead_ + 1 : kLeadMax);
    } else {
      --lead_;
    }
  }
  /// unknown before the first vote.
  event::Language majority() const { return leader_; }

 private:
  event::Language leader_ = event::Language::unknown;
  std::uint8_t lead_ = 0;
};
static_assert(sizeof(LanguageVote) == 2);

}  // namespace stillwatch::detect
