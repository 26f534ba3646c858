// What ties a leaf to a line of the query log or of the verdict file, for those who write leaves and for those who
// check them.
//
// Invariant: one function for each value, used on both sides. A commitment is an HMAC under the tenant's pseudonym key
// of the month over the SHA-256 of the line (without its newline), so that a reader of logs can hash lines on any
// thread and look the key up later. The tenant is the account: who is billed, and who asks for erasure. Threads: pure
// functions. Cost: about 1 µs an HMAC, 0.5 ns a byte of the line. Spec: docs/reference/audit-log.md, "Leaves".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "crypto/sha256.h"
#include "ledger/leaf.h"
#include "ledger/pseudonym.h"

namespace stillwatch::audit {

/// Of records without an account that can be read, and of verdicts about campaigns.
inline constexpr std::string_view kNoTenant = "(none)";
/// The tenant whose keys a record's or a verdict's leaf is under.
inline std::string_view tenant_of(std::string_view account) { return account.empty() ? kNoTenant : account; }

/// `rc` of a query leaf: HMAC(key, "aud1 record\0" || SHA-256(line)).
ledger::Hash32 record_commitment(const ledger::Pseudonyms& names, const crypto::Sha256Digest& line);
/// `vh` of a decision leaf: HMAC(key, "aud1 verdict\0" || SHA-256(line)).
ledger::Hash32 verdict_commitment(const ledger::Pseudonyms& names, std::string_view verdict_line);

/// A gateway's own record id, "req_" and 22 letters, is the leaf's id; its customer knows it.
std::optional<ledger::Id16> gateway_leaf_id(std::string_view record_id);
/// Of all other records, and of all in a replay: from the line, under the tenant's key. `is_refused`: of one that
/// intake refuses, such as a line that comes twice.
ledger::Id16 derived_leaf_id(const ledger::Pseudonyms& names, const crypto::Sha256Digest& line,
                             bool is_refused = false);
/// Of a decision leaf.
ledger::Id16 decision_leaf_id(const ledger::Pseudonyms& names, std::string_view verdict_line);

/// `sw`: SHA-256 of this program's own file, read once.
base::Result<ledger::Hash32> software_hash();
/// `cf`: what the policy hash "sha256:<64 hex digits>" says. Nothing for another text.
std::optional<ledger::Hash32> configuration_hash(std::string_view policy_hash);
/// `cal`: SHA-256 of the calibration as the engine keeps it (Engine::calibration_bytes).
ledger::Hash32 calibration_hash(std::string_view calibration_bytes);

}  // namespace stillwatch::audit
