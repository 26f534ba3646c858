#include "policy/scope.h"

namespace stillwatch::policy {
namespace {

constexpr double kFewShareMin = 0.9;
constexpr double kOtherEndUsersMin = 20;
constexpr double kOtherEndUsersOfPoolMin = 3;  // of each account; the pool together has more
constexpr double kOthersNamedShareMin = 0.5;
constexpr std::uint64_t kRequestsPerHitMin = 4;
constexpr std::uint64_t kRequestsPerHitOfPoolMin = 2;
constexpr double kPassedShareMin = 0.9;
constexpr double kPassedDistinctMin = 5;

}  // namespace

bool looks_narrow(const EndUserEvidence& evidence, const Settings& settings) {
  const std::uint64_t all = std::uint64_t{evidence.hits} + evidence.others;
  if (evidence.hits == 0 || evidence.hits_of_few == 0) return false;
  if (evidence.hits_of_few < kFewShareMin * evidence.hits) return false;
  if ((evidence.same_few ? kRequestsPerHitOfPoolMin : kRequestsPerHitMin) * evidence.hits > all) return false;
  if (evidence.others_distinct < (evidence.same_few ? kOtherEndUsersOfPoolMin : kOtherEndUsersMin)) return false;
  if (evidence.others_named <= kOthersNamedShareMin * evidence.others) return false;
  return evidence.acted_on + evidence.few_unknown <= settings.end_users_acted_max;
}

bool may_narrow(const NarrowingGroup& group) {
  if (group.same_few) return true;
  return !group.handed_off && 2 * group.members_narrow <= group.members_standing;
}

bool passes_end_users(std::uint64_t requests, std::uint64_t named, double distinct) {
  return requests > 0 && static_cast<double>(named) >= kPassedShareMin * static_cast<double>(requests) &&
         distinct >= kPassedDistinctMin;
}

}  // namespace stillwatch::policy
