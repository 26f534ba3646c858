// The anchor log, written: one leaf a call, one log a year.
//
// Invariant: a leaf's manifest and salt are on the disk before the leaf; a leaf's time is never before the last one's;
// the first leaf of a year commits to the final checkpoint of the year before (as one more log of its manifest), whose
// seed is destroyed after it. Threads: one user.
// Cost: seven syncs: LogStore's batch and checkpoint, and one for the manifest. Spec: docs/reference/audit-log.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/anchor.h"
#include "ledger/log_chain.h"

namespace stillwatch::audit {

/// Seeds of logs' keys, derived from a key of a replay: the same origin gives the same seed.
std::function<ledger::KeySeed(std::string_view origin)> derived_seeds(const std::string& derivation_key);

struct AnchorWriterOptions {
  std::string folder;          // of the ledger
  std::string host;            // the origin is <host>/anchor/<year>
  std::string signed_folder;   // as LogChainOptions
  std::string derivation_key;  // as Settings
};

class AnchorWriter {
 public:
  /// Continues the newest anchor log, or begins the first one, of the year of `time_s`.
  static base::Result<AnchorWriter> open(AnchorWriterOptions options, std::int64_t time_s);
  AnchorWriter(AnchorWriter&&) noexcept;
  AnchorWriter& operator=(AnchorWriter&&) noexcept;
  ~AnchorWriter();

  /// Appends one leaf, signs and publishes. After an error the next call recovers first; whether the leaf is in is then
  /// known. `time_s` before the last leaf's is replaced by that.
  base::Status append(std::int64_t time_s, std::vector<ledger::ManifestLog> logs, const ledger::Hash32& stamp);

  const std::string& log_name() const;  // "anchor-2026"
  const std::string& origin() const;
  std::uint64_t size() const;
  std::int64_t last_time_s() const;  // of the newest leaf; 0: none
  const std::string& note() const;   // newest published checkpoint; empty: none

 private:
  struct Impl;
  explicit AnchorWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// "anchor-2026" for every anchor log of a ledger, oldest first.
base::Result<std::vector<std::string>> anchor_log_names(const std::string& ledger_folder);

}  // namespace stillwatch::audit
