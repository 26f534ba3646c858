// Checks a whole ledger: every log from its tiles and entries, every leaf's form, the anchors over them, cosignatures
// and time stamps.
//
// Invariant: a ledger without findings is what its signed checkpoints, its anchors and the witnesses given say. What
// was not checked (no policy, no authority's certificate) is counted as unchecked, never as good. Reads only, and runs
// beside a writer: what is checked is what the checkpoints of this moment cover.
// Threads: one user. Cost: two passes over all entries, about 1,500,000 entries a second; a pass over the manifests.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tlog/verifier.h"

namespace stillwatch::report {

struct LogCheck {
  std::string name, origin, vkey;
  std::uint64_t size = 0, index_min = 0;
  std::string root;  // base64
  std::uint64_t entries_checked = 0, tiles_checked = 0;
  std::map<std::string, std::uint64_t> leaves;  // by kind
};

struct AnchorCheck {
  std::string origin;
  std::uint64_t leaves = 0, manifests = 0, checkpoints = 0;  // checkpoints: of logs that stand in manifests
  std::uint64_t cosigned_size = 0;
  std::vector<std::string> cosigners;  // "name 2026-11-28T06:00:00Z"
  bool is_quorum_met = false, has_policy = false;
  std::uint64_t stamps_good = 0, stamps_unchecked = 0;
  std::int64_t newest_stamp_ms = 0;
};

struct LedgerCheck {
  std::vector<LogCheck> logs;
  std::vector<AnchorCheck> anchors;
  std::vector<tlog::Finding> findings;  // `file` begins with the log's name
  std::uint64_t findings_count = 0;
  bool holds() const { return findings_count == 0; }
};

struct LedgerCheckOptions {
  std::string policy;  // tlog-policy text: the witnesses and the quorum; empty: cosignatures are unchecked
  std::map<std::string, std::string> ca_files;  // by authority
  std::size_t findings_max = 100;
};

/// Error only when the folder cannot be read at all; everything else is a finding.
base::Result<LedgerCheck> check_ledger(const std::string& folder, const LedgerCheckOptions& options);

/// For a log that is read from elsewhere: the forms of its entries too.
void check_log(tlog::LogSource& source, const tlog::VerifierKey& key, const tlog::VerifySettings& settings,
               LogCheck& log, LedgerCheck& check);

}  // namespace stillwatch::report
