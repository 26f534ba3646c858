// What was found about one campaign, read back from the files of a replay or of a gateway.
//
// Invariant: only lines of this campaign and of its accounts are in it, byte for byte as they were written.
// Threads: one user. Cost: one pass over each file.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "report/report.h"

namespace stillwatch::report {

struct CaseFindings {
  CampaignView view;  // without hours: they are not in the files
  Summary summary;    // as far as summary.json has it; a gateway has none
  bool has_summary = false;
  std::vector<std::string> accounts;  // every account of the campaign, sorted
  std::string campaign_lines, member_lines, verdict_lines;
};

/// `folder`: what `replay --out` wrote, or a gateway's state folder (verdicts.ndjson only). Caller error when the
/// campaign is in none of the files.
base::Result<CaseFindings> read_findings(const std::string& folder, const std::string& case_id);

}  // namespace stillwatch::report
