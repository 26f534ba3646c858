#include "policy/policy.h"

#include <algorithm>
#include <cmath>

namespace stillwatch::policy {

using event::Class;
using event::Level;

Class classify(const GroupEvidence& group) {
  const bool one_operator = group.operator_log10_e >= group.threshold_log10_e;
  const bool harvest = group.testable && group.harvest_log10_e >= group.threshold_log10_e;
  if (one_operator && harvest) return Class::distiller;
  if (one_operator && group.handed_off) return Class::reseller;
  if (harvest) return Class::automation;
  return Class::unknown;
}

Decision decide(Class class_, const GroupEvidence& group, const MemberEvidence& member, bool declared,
                const Settings& settings) {
  switch (class_) {
    case Class::unknown:
      if (!group.watched || declared || group.operator_log10_e < group.threshold_log10_e) return {};
      return {Level::observe, class_, "campaign.watched"};
    case Class::reseller: {
      const bool asks = !declared && !member.passes_end_users && member.observed_us >= settings.notice_after_us;
      return {asks ? Level::notice : Level::observe, class_, "campaign.reseller"};
    }
    case Class::automation: return {Level::observe, class_, "campaign.automation"};
    case Class::distiller: break;
  }
  if (declared) return {Level::observe, Class::automation, "declared.use"};
  if (!member.stands || member.channels.independent_count() < 2) return {Level::observe, class_, "campaign.linked"};
  const double excess = std::min(group.operator_log10_e, group.harvest_log10_e) - group.threshold_log10_e;
  const int rungs = std::max(0, static_cast<int>(std::floor(excess / settings.rung_log10_e)));
  const Level ceiling = std::min(settings.automatic_level_max, Level::restrict);
  const int level = std::min(static_cast<int>(Level::verify) + rungs, static_cast<int>(ceiling));
  return {static_cast<Level>(level), class_, "campaign.member"};
}

bool is_declared(std::span<const event::DeclaredUse> uses, std::int64_t time_us) {
  return std::any_of(uses.begin(), uses.end(),
                     [&](const event::DeclaredUse& use) { return use.from_us <= time_us && time_us < use.until_us; });
}

}  // namespace stillwatch::policy
