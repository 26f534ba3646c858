// What a run found, in one place: the figures and the first sentences of page and terminal.
//
// Invariant: only campaigns of class distiller count as taken. Threads: pure. Cost: one pass over campaigns.
#pragma once

#include <string>

#include "report/report.h"

namespace stillwatch::report {

struct Totals {
  std::uint64_t campaigns = 0, accounts = 0, queries = 0, output_tokens = 0, prevented = 0;  // class distiller
  std::uint64_t resellers = 0, others = 0;  // campaigns of other classes
  std::uint64_t alerted = 0, actioned = 0;  // accounts, at the end of the log
  std::vector<std::string> models;
};

Totals total(const Report& report);
double share(std::uint64_t part, std::uint64_t whole);

/// One plain sentence that a director could repeat; not escaped.
std::string headline(const Report& report, const Totals& totals);
/// What stands beside it: how sure, what else was found.
std::string subline(const Report& report, const Totals& totals);

}  // namespace stillwatch::report
