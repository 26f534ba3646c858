// Proof files (.tlog-proof): that an entry is in a log, checkable without asking anybody.
//
// Invariant: one proof has one text; what verify returns holds for the entry given and no other.
// Threads: pure functions. Cost: of one inclusion proof and the note's signatures. Spec: C2SP tlog-proof.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tlog/checkpoint.h"
#include "tlog/policy.h"
#include "tlog/proof.h"

namespace stillwatch::tlog {

inline constexpr std::size_t kOfflineExtraBytesMax = 64 * 1024;  // as an entry. Longer: refused
inline constexpr std::size_t kOfflineProofBytesMax = 100'000 + kNoteBytesMax;

struct OfflineProof {
  std::optional<std::string> extra;  // bytes for the application, not covered by any signature
  std::uint64_t index = 0;
  Proof proof;
  std::string checkpoint;  // the note, with cosignatures

  static base::Result<OfflineProof> parse(std::string_view text);
  std::string text() const;
};

/// Signature of the log and inclusion; Fault::check with the reason otherwise.
base::Result<Checkpoint> verify_offline(const OfflineProof& proof, const Hash& leaf, const VerifierKey& log_key);
/// The same with the quorum of a policy, which must be met.
base::Result<WitnessedCheckpoint> verify_offline(const OfflineProof& proof, const Hash& leaf, const Policy& policy);

}  // namespace stillwatch::tlog
