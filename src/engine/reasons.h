// Evidence in words: one sentence a channel, with the numbers behind it, that the customer could read.
//
// Invariant: no raw text, no other account's id; counts only. Threads: pure functions. Cost: a few allocations a
// reason.
#pragma once

#include <vector>

#include "detect/findings.h"

namespace stillwatch::engine {

std::vector<event::Reason> group_reasons(const detect::GroupFinding& finding);
std::vector<event::Reason> member_reasons(const detect::GroupFinding& finding, const detect::MemberFinding& member);

/// The figures of the group test by name, then the share each had in the score.
std::vector<std::pair<std::string, double>> measure_list(const detect::GroupFinding& finding);

}  // namespace stillwatch::engine
