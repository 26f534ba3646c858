// Gathers what a case has in a ledger: its entries, the proofs, the anchors over them, cosignatures and stamps.
//
// Invariant: what is gathered was checked against the signed checkpoints (the reader does) and goes into the bundle as
// it stands in the log; what is left out is said among the gaps, with its number. Reads only; a writer may run.
// Threads: one user. Cost: two passes over the entries of all logs, and a proof an entry taken.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/key_book.h"
#include "ledger/leaf.h"
#include "report/case_findings.h"
#include "report/case_page.h"
#include "report/evidence.h"

namespace stillwatch::report {

struct EvidenceQuery {
  std::string ledger_folder;
  std::string case_id;
  std::vector<std::string> accounts;   // of the case, as in the logs
  std::uint64_t requests_max = 1'000;  // entries of requests; more are chosen evenly over time
  std::string policy;                  // tlog-policy text with the witnesses and the quorum; empty: none
  std::vector<std::pair<std::string, std::string>> authorities;  // of stamps: name, PEM of its CA
};

struct GatheredEvidence {
  /// logs, entries, manifests, stamps, gaps and policy are filled in; the rest is the caller's.
  EvidenceInput input;
  CaseTraffic traffic;
  std::string account_lines;   // NDJSON: which pseudonym is which account, by month
  std::uint64_t requests = 0;  // of the case in the logs; not more than requests_max of them are entries
  std::uint64_t decisions = 0;
};

base::Result<GatheredEvidence> gather_evidence(const EvidenceQuery& query, ledger::KeyBook& keys);

/// The same checkpoints and proofs for one entry, which may be younger than the anchors: its log's newest checkpoint.
base::Result<EvidenceEntry> entry_with_proof(const std::string& ledger_folder, const std::string& log_name,
                                             std::uint64_t index);

}  // namespace stillwatch::report
