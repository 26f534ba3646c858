// case.html: one campaign with its plots and evidence, and what proves that the records are as they were.
//
// Invariant: the page needs no network and no script; every byte that came from a log is escaped; its plots are drawn
// from leaves of the audit log, not from the report of the run. Threads: pure function. Cost: linear in what is shown.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/case_findings.h"
#include "report/evidence.h"

namespace stillwatch::report {

/// Requests an hour, counted from query leaves.
struct CaseTraffic {
  std::int64_t start_us = 0;                // of the first hour
  std::vector<std::uint32_t> total, case_;  // of all accounts; of the campaign's
};

std::string case_page(const CaseFindings& findings, const CaseTraffic& traffic, const EvidenceInput& input);

}  // namespace stillwatch::report
