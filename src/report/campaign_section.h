// One campaign as a section of the report: how sure, since when, what it took, who, why, and what would
// remain without each channel.
//
// Invariant: every account shown, channel, reason, measure and counterfactual of the campaign is in it; all
// text from a log is escaped. Threads: pure. Cost: linear in what is shown.
#pragma once

#include <string>

#include "report/report.h"

namespace stillwatch::report {

/// `place`: its position in the report, which gives the colour.
std::string campaign_section(const CampaignView& view, const Summary& summary, std::size_t place);

}  // namespace stillwatch::report
