// Evidence in words: one or two sentences a channel, with the numbers behind it, that the customer and a lawyer could
// read.
//
// Each says what was shared, with how many other accounts, since when, how rare that is, and whether the evidence would
// hold without it.
// Invariant: no raw text, no other account's id; counts only. No jargon and no powers of ten in a sentence (those are
// in the numbers), and nothing is claimed beyond what sentences.h allows. Threads: pure functions. Cost: a few
// allocations a reason.
#pragma once

#include <vector>

#include "detect/findings.h"

namespace stillwatch::engine {

/// What the sentences compare with.
struct ReasonContext {
  double threshold_log10_e = 0;        // evidence needed to act
  std::uint64_t trusted_accounts = 0;  // witnesses of calibration
  std::uint32_t known_actors_min = 2;  // of these that make a trait common
};

/// Rule of a verdict on an end user, and of the account that is only observed because of it.
inline constexpr const char* kEndUserRule = "campaign.end_user";

std::vector<event::Reason> group_reasons(const detect::GroupFinding& finding, const ReasonContext& context);
std::vector<event::Reason> member_reasons(const detect::GroupFinding& finding, const detect::MemberFinding& member,
                                          const ReasonContext& context);
/// Those of the account, behind one that says what this end user did of it.
std::vector<event::Reason> end_user_reasons(const detect::GroupFinding& finding, const detect::MemberFinding& member,
                                            const detect::EndUsers::Heavy& user, const ReasonContext& context);
/// What a reseller's notice asks for.
event::Reason declare_reason();

/// The figures of the group test by name, then the share each had in the score.
std::vector<std::pair<std::string, double>> measure_list(const detect::GroupFinding& finding);

}  // namespace stillwatch::engine
