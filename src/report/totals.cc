#include "report/totals.h"

#include <fmt/format.h>

#include "base/event_time.h"
#include "report/words.h"

namespace stillwatch::report {

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Totals total(const Report& report) {
  Totals totals;
  for (const CampaignView& view : report.campaigns) {
    const event::Campaign& campaign = view.campaign;
    if (campaign.class_ == event::Class::reseller) ++totals.resellers;
    if (campaign.class_ == event::Class::automation || campaign.class_ == event::Class::unknown) ++totals.others;
    if (campaign.class_ != event::Class::distiller) continue;
    ++totals.campaigns;
    totals.accounts += campaign.accounts_count;
    totals.queries += campaign.queries;
    totals.output_tokens += campaign.output_tokens;
    totals.prevented += campaign.prevented_queries;
    for (const std::string& model : view.models) {
      if (std::find(totals.models.begin(), totals.models.end(), model) == totals.models.end())
        totals.models.push_back(model);
    }
  }
  for (const auto& [name, count] : report.summary.accounts_by_level) {
    for (int level = 1; level <= static_cast<int>(event::Level::suspend); ++level) {
      if (name != event::name(static_cast<event::Level>(level))) continue;
      totals.alerted += count;
      if (level >= static_cast<int>(event::Level::verify)) totals.actioned += count;
    }
  }
  return totals;
}

std::string headline(const Report& report, const Totals& totals) {
  const Summary& summary = report.summary;
  if (totals.campaigns == 0) {
    return fmt::format("No distillation campaign found in {} of {}.", counted(summary.records, "request", "requests"),
                       counted(summary.accounts, "account", "accounts"));
  }
  const bool one = totals.campaigns == 1;
  return fmt::format(
      "{} of {} {} distilling {}; {} took {}; acting on these verdicts {} {}.",
      counted(totals.campaigns, "campaign", "campaigns"), counted(totals.accounts, "account", "accounts"),
      one ? "was" : "were", totals.models.empty() ? "the models" : listed(totals.models), one ? "it" : "they",
      counted(totals.queries, "request", "requests"), summary.dry_run ? "would have prevented" : "prevented",
      percent(share(totals.prevented, totals.queries)));
}

std::string subline(const Report& report, const Totals& totals) {
  const Summary& summary = report.summary;
  std::string out;
  if (totals.campaigns > 0) {
    double weakest = 1e300, strongest = 0;
    for (const CampaignView& view : report.campaigns) {
      if (view.campaign.class_ != event::Class::distiller) continue;
      weakest = std::min(weakest, view.campaign.strength.log10_e);
      strongest = std::max(strongest, view.campaign.strength.log10_e);
    }
    out = strength_word(weakest) == strength_word(strongest)
              ? fmt::format("The evidence is {}", strength_word(weakest))
              : fmt::format("The evidence is {} to {}", strength_word(weakest), strength_word(strongest));
    out +=
        fmt::format(", judged against {} of benign traffic. ", counted(summary.calibration_groups, "group", "groups"));
  } else {
    out = fmt::format(
        "Every group of accounts that seemed to belong together was judged against {} of benign traffic; none reached "
        "the threshold of a harvest. ",
        counted(summary.calibration_groups, "group", "groups"));
  }
  if (totals.resellers > 0) {
    out += fmt::format("{} pooled or resold access, which is not distillation. ",
                       counted(totals.resellers, "other group", "other groups"));
  }
  if (totals.others > 0)
    out += fmt::format("{} noted for a person to look at. ",
                       counted(totals.others, "further group is", "further groups are"));
  if (summary.dry_run) out += "This was a dry run: nothing was refused.";
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace stillwatch::report
